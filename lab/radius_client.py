"""The RADIUS client inside a simulated NAS: how it proves a password, and how it waits for an answer.

Each way to prove a password is a `Credential`: what it adds to an Access-Request, and whether the server's Accept
is one that the subscriber's own equipment would believe (MS-CHAPv2 authenticates the server as well).
"""

from __future__ import annotations

import itertools
import os
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import md5
from typing import Protocol

from radius.attributes import (
    ACCESS_ACCEPT,
    ACCESS_CHALLENGE,
    ACCESS_REJECT,
    ACCESS_REQUEST,
    ACCOUNTING_REQUEST,
    ACCOUNTING_RESPONSE,
    CHAP_CHALLENGE,
    CHAP_PASSWORD,
    MESSAGE_AUTHENTICATOR,
    MS_CHAP2_RESPONSE,
    MS_CHAP2_SUCCESS,
    MS_CHAP_CHALLENGE,
    USER_PASSWORD,
    VENDOR_MICROSOFT,
)
from radius.authenticators import ZEROES, Authenticators
from radius.codec import HEADER_LENGTH, MAX_LENGTH, Attribute, Packet, encode, encode_attributes, vendor_attribute
from radius.dynauth_packets import genuine_reply, sign
from radius.mschap import authenticator_response, challenge_hash, challenge_response, nt_password_hash
from radius.passwords import hide

_HEARTBEAT = 0.1


class Credential(Protocol):
    """A subscriber's proof of who they are."""

    def attributes(self, owner: Authenticators, request_authenticator: bytes) -> list[Attribute]:
        """What goes into the Access-Request that has this authenticator."""

    def believes(self, accept: Packet) -> bool:
        """Whether the Accept proves what this method wants the server to prove."""


@dataclass(frozen=True, slots=True)
class Pap:
    """User-Password; MAC/IPoE is the same with an empty password."""

    user: bytes
    password: bytes = field(repr=False)

    def attributes(self, owner: Authenticators, request_authenticator: bytes) -> list[Attribute]:
        return [(USER_PASSWORD, hide(self.password, owner, request_authenticator))]

    def believes(self, accept: Packet) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Chap:
    """CHAP-Password and a CHAP-Challenge of its own (RFC 2865 §5.3)."""

    user: bytes
    password: bytes = field(repr=False)

    def attributes(self, owner: Authenticators, request_authenticator: bytes) -> list[Attribute]:
        ident, challenge = os.urandom(1), os.urandom(16)
        answer = md5(ident + self.password + challenge, usedforsecurity=False).digest()
        return [(CHAP_PASSWORD, ident + answer), (CHAP_CHALLENGE, challenge)]

    def believes(self, accept: Packet) -> bool:
        return True


@dataclass(slots=True)
class MsChapV2:
    """MS-CHAP-Challenge and MS-CHAP2-Response (RFC 2548 §2.3, RFC 2759); the server must prove itself too."""

    user: bytes
    password: bytes = field(repr=False)
    _expected: bytes = field(default=b"", repr=False)

    def attributes(self, owner: Authenticators, request_authenticator: bytes) -> list[Attribute]:
        ident, challenge, peer_challenge = os.urandom(1), os.urandom(16), os.urandom(16)
        password_hash = nt_password_hash(self.password)
        hashed = challenge_hash(peer_challenge, challenge, self.user)
        nt_response = challenge_response(hashed, password_hash)
        self._expected = ident + authenticator_response(password_hash, nt_response, hashed)
        response = ident + b"\0" + peer_challenge + bytes(8) + nt_response
        return [
            vendor_attribute(VENDOR_MICROSOFT, MS_CHAP_CHALLENGE, challenge),
            vendor_attribute(VENDOR_MICROSOFT, MS_CHAP2_RESPONSE, response),
        ]

    def believes(self, accept: Packet) -> bool:
        return accept.vendor(VENDOR_MICROSOFT, MS_CHAP2_SUCCESS) == self._expected


METHODS: dict[str, type[Pap] | type[Chap] | type[MsChapV2]] = {
    "pap": Pap,
    "chap": Chap,
    "mschapv2": MsChapV2,
    "mac": Pap,
}


class RadiusClient:
    """Sends requests to one server and waits for authentic replies; usable from several threads."""

    def __init__(
        self,
        server: tuple[str, int, int],
        secret: bytes,
        source_address: str,
        timeout: float,
        tries: int,
        requires_message_authenticator: bool,
    ) -> None:
        self._host, self._auth_port, self._acct_port = server
        self._owner = Authenticators(secret)
        self._source = source_address
        self._timeout = timeout
        self._tries = tries
        self._wants_proof = requires_message_authenticator
        self._identifiers = itertools.count(os.urandom(1)[0])
        self._closed = threading.Event()

    def close(self) -> None:
        """Let every exchange under way end, as if unanswered, within a tenth of a second."""
        self._closed.set()

    def authenticate(self, credential: Credential, attributes: Iterable[Attribute]) -> Packet | None:
        """The Accept, Reject or Challenge, or None when no authentic one came.

        Unless told otherwise a reply without Message-Authenticator counts as none (CVE-2024-3596).
        """
        authenticator = os.urandom(16)
        proof = credential.attributes(self._owner, authenticator)
        body = encode_attributes([(MESSAGE_AUTHENTICATOR, ZEROES), *attributes, *proof])
        request = encode(ACCESS_REQUEST, self._identifier(), authenticator, body)
        at = HEADER_LENGTH + 2
        request = request[:at] + self._owner.hmac(request) + request[at + 16 :]
        return self._exchange(self._auth_port, request, (ACCESS_ACCEPT, ACCESS_REJECT, ACCESS_CHALLENGE))

    def account(self, attributes: Iterable[Attribute]) -> bool:
        """Whether the server acknowledged this Accounting-Request."""
        body = encode_attributes([(MESSAGE_AUTHENTICATOR, ZEROES), *attributes])
        request = sign(self._owner, encode(ACCOUNTING_REQUEST, self._identifier(), ZEROES, body))
        return self._exchange(self._acct_port, request, (ACCOUNTING_RESPONSE,)) is not None

    def _identifier(self) -> int:
        return next(self._identifiers) % 256

    def _exchange(self, port: int, request: bytes, codes: tuple[int, ...]) -> Packet | None:
        """Send the same octets up to `tries` times from one port; the first authentic reply."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as line:
            line.bind((self._source, 0))
            line.connect((self._host, port))
            line.settimeout(_HEARTBEAT)
            for _ in range(self._tries):
                deadline = time.monotonic() + self._timeout
                with suppress(OSError):
                    line.send(request)
                while time.monotonic() < deadline and not self._closed.is_set():
                    reply = self._reply(line, request)
                    if reply and reply.code in codes:
                        return reply
        return None

    def _reply(self, line: socket.socket, request: bytes) -> Packet | None:
        try:
            datagram = line.recv(MAX_LENGTH)
        except OSError:  # nothing yet, or the server's port is closed
            return None
        reply = genuine_reply(self._owner, request, datagram)
        unproven = reply and request[0] == ACCESS_REQUEST and reply.first(MESSAGE_AUTHENTICATOR) is None
        return None if unproven and self._wants_proof else reply
