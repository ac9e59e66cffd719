"""What the RADIUS authentication tests are made of.

Requests are signed and hidden here with the standard library's hashes, not with the code under test, so that the two
check each other.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Address, ip_network
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from core.secrets import Keyring
from radius.attributes import (
    ACCESS_REQUEST,
    MESSAGE_AUTHENTICATOR,
    MS_CHAP2_RESPONSE,
    MS_CHAP_CHALLENGE,
    MS_CHAP_RESPONSE,
    USER_NAME,
    USER_PASSWORD,
    VENDOR_MICROSOFT,
)
from radius.auth_service import AuthService
from radius.codec import Attribute, Packet, encode, encode_attributes, parse, vendor_attribute
from radius.mschap import challenge_hash, challenge_response, nt_password_hash
from radius.nas_records import NasEntry, pack_nas
from radius.nas_table import NasClient
from radius.policy import Denial, Grant, Policy, Span
from radius.records import AccessRecord, pack
from radius.store import RecordStore, Snapshot

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECRET = b"xyzzy5461"
AUTHENTICATOR = bytes(range(100, 116))
SOURCE = ("192.0.2.1", 40_000)
PLAN = Policy(download_bps=100_000_000, upload_bps=50_000_000, pool="clients", address_list="active")
MAC = "02:00:5e:10:00:01"
CHALLENGE = bytes(range(16))
ANA: Attribute = (USER_NAME, b"ana")

texts = st.text(alphabet=st.characters(codec="utf-8"), max_size=20)
rates = st.none() | st.integers(1, 10**11)
policies = st.builds(
    Policy,
    download_bps=rates,
    upload_bps=rates,
    address_list=texts,
    pool=texts,
    group=texts,
    interim_seconds=st.integers(60, 86_400),
)


def keyring() -> Keyring:
    return Keyring(["MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="])


def nas(nas_id: int = 1, network: str = "192.0.2.1", **changes: Any) -> NasEntry:
    given: dict[str, Any] = {"name": "bras1", "vendor": "mikrotik", "secret": SECRET, **changes}
    return NasEntry(id=nas_id, network=ip_network(network), **given)


def nas_client(**changes: Any) -> NasClient:
    return NasClient(nas(**changes))


def always(answer: Grant | Denial) -> tuple[Span, ...]:
    return (Span(None, None, answer),)


def record(subscription_id: int = 7, login: str = "ana", **changes: Any) -> AccessRecord:
    """Ana, password `segredo`, on PLAN for ever."""
    given: dict[str, Any] = {"password": b"segredo", "mac": None, "spans": always(Grant(PLAN)), **changes}
    return AccessRecord(subscription_id, login, **given)


def mac_record(subscription_id: int = 8, mac: str = MAC, **changes: Any) -> AccessRecord:
    return record(subscription_id, "", password=None, mac=mac, **changes)


def fixed(address: str) -> Grant:
    return Grant(PLAN, IPv4Address(address))


def entries(*things: AccessRecord | NasEntry) -> dict[bytes, bytes]:
    """Replica entries of records and NAS."""
    packed: dict[bytes, bytes] = {}
    for thing in things:
        seal = keyring().seal
        packed |= pack_nas(thing, seal) if isinstance(thing, NasEntry) else pack(thing, seal)
    return packed


class Rig:
    """A service over a store of its own, without a socket; time stands still unless it is moved."""

    def __init__(self, directory: Path, *things: AccessRecord | NasEntry, **options: Any) -> None:
        self.store = RecordStore(directory / "records.lmdb")
        self.service = AuthService(options.pop("unseal", keyring().unseal), **options)
        self.now, self.tick = NOW.timestamp(), 1000.0
        self._revision = 0
        self._snapshot: Snapshot | None = None
        self.apply(entries(*things))

    def apply(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Write to the store and let the service see it, as the next batch would."""
        self._revision += 1
        self.store.apply(changes, self._revision)
        self._release()
        self._snapshot = self.store.snapshot()
        self.service.begin(self._snapshot)

    def send(self, datagram: bytes, source: tuple[str, int] = SOURCE) -> bytes | None:
        return self.service.handle(datagram, source, self.now, self.tick)

    def wait(self, seconds: float) -> list[bytes]:
        """Let time go by; the rejects that came due meanwhile."""
        self.tick += seconds
        return [reply for reply, _ in self.service.due(self.tick)]

    def ask(self, datagram: bytes, source: tuple[str, int] = SOURCE) -> bytes | None:
        """The reply, at once or after the reject delay."""
        reply = self.send(datagram, source)
        if reply is None:
            reply = next(iter(self.wait(5.0)), None)
        return reply

    def counters(self) -> dict[tuple[str, str], int]:
        return self.service.counters()

    def close(self) -> None:
        self._release()
        self.store.close()

    def _release(self) -> None:
        if self._snapshot is not None:
            self._snapshot.close()
            self._snapshot = None


def hidden(password: bytes, authenticator: bytes = AUTHENTICATOR, secret: bytes = SECRET) -> bytes:
    """User-Password of RFC 2865 §5.2."""
    padded = password.ljust(max(16, -(-len(password) // 16) * 16), b"\0")
    out, last = b"", authenticator
    for at in range(0, len(padded), 16):
        pad = hashlib.md5(secret + last).digest()
        last = bytes(one ^ two for one, two in zip(padded[at : at + 16], pad, strict=True))
        out += last
    return out


def chap(password: bytes, challenge: bytes, ident: int = 9) -> bytes:
    return bytes((ident,)) + hashlib.md5(bytes((ident,)) + password + challenge).digest()


def ms_chap(version: int, password: bytes = b"segredo", name: bytes = b"ana") -> list[Attribute]:
    """Challenge and response of MS-CHAP, version 1 or 2 (its functions have RFC vectors of their own)."""
    hashed = nt_password_hash(password)
    if version == 1:
        challenge = CHALLENGE[:8]
        kind, value = MS_CHAP_RESPONSE, b"\1\1" + bytes(24) + challenge_response(challenge, hashed)
    else:
        challenge, peer = CHALLENGE, CHALLENGE[::-1]
        answer = challenge_response(challenge_hash(peer, challenge, name), hashed)
        kind, value = MS_CHAP2_RESPONSE, b"\1\0" + peer + bytes(8) + answer
    return [
        vendor_attribute(VENDOR_MICROSOFT, MS_CHAP_CHALLENGE, challenge),
        vendor_attribute(VENDOR_MICROSOFT, kind, value),
    ]


def datagram(
    attributes: Iterable[Attribute],
    *,
    code: int = ACCESS_REQUEST,
    identifier: int = 5,
    authenticator: bytes = AUTHENTICATOR,
    secret: bytes = SECRET,
    sign: bool = True,
) -> bytes:
    """A request; signed with Message-Authenticator, in front, unless told otherwise."""
    own = encode_attributes(attributes)
    if not sign:
        return encode(code, identifier, authenticator, own)
    blank = encode(code, identifier, authenticator, encode_attributes([(MESSAGE_AUTHENTICATOR, bytes(16))]) + own)
    return blank[:22] + hmac.digest(secret, blank, "md5") + blank[38:]


def pap_request(login: bytes = b"ana", password: bytes = b"segredo", *more: Attribute, **options: Any) -> bytes:
    authenticator = options.get("authenticator", AUTHENTICATOR)
    value = hidden(password, authenticator, options.get("secret", SECRET))
    return datagram([(USER_NAME, login), (USER_PASSWORD, value), *more], **options)


def opened(reply: bytes | None, request: bytes, secret: bytes = SECRET) -> Packet:
    """The reply, after checking Identifier, Response Authenticator and a Message-Authenticator that comes first."""
    assert reply is not None, "silence"
    packet = parse(reply)
    assert packet.raw == reply
    assert packet.identifier == request[1]
    expected = hashlib.md5(reply[:4] + request[4:20] + reply[20:] + secret).digest()
    assert packet.authenticator == expected, "Response Authenticator"
    assert packet.attributes[0][0] == MESSAGE_AUTHENTICATOR, "Message-Authenticator comes first"
    blank = reply[:4] + request[4:20] + reply[20:22] + bytes(16) + reply[38:]
    assert packet.attributes[0][1] == hmac.digest(secret, blank, "md5"), "Message-Authenticator"
    return packet
