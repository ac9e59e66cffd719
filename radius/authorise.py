"""The decision on one Access-Request: accept, reject or silence, each with its reason. Pure.

It comes in steps, between which the caller does its look-ups: `gate` tells whether the request may be believed at
all, `identify` under which key its record is filed, `authorise` what the record answers. Silence is for whoever has not
shown to be our client; a reject for whoever has, but may not enter. Limited service is neither: it is an accept with a
narrow policy (RFC 5080 §2.6.1).

The order within `authorise` is: the password, what the record grants at this instant, whether it may be used from here
(`radius.admission`); how many sessions there are is asked last, by the caller. Reasons are short fixed slugs, because
they become labels of counters; only a denial's reason comes from data.
"""

from __future__ import annotations

from typing import NamedTuple

from radius.access_request import AccessRequest
from radius.admission import NasName, refused_line
from radius.attributes import (
    CALLING_STATION_ID,
    EAP_MESSAGE,
    FRAMED_PROTOCOL,
    FRAMED_PROTOCOL_PPP,
    MESSAGE_AUTHENTICATOR,
    PROXY_STATE,
    STATUS_SERVER,
    USER_NAME,
)
from radius.codec import integer
from radius.credentials import MAC, has_credentials, prove, without_password
from radius.mac_address import read_mac
from radius.nas_table import NasClient
from radius.records import DENIAL, Unseal, answer_of, limits_of, login_key, mac_key, password_of
from radius.refusal import Reject

__all__ = ["GUESSES", "UNSIGNED", "Accept", "Decision", "Reject", "authorise", "gate", "identify"]

UNSIGNED = "message_authenticator_missing"
GUESSES = frozenset({"unknown_user", "wrong_password"})
"""The rejects of somebody who may be guessing."""

_PPP = integer(FRAMED_PROTOCOL_PPP)


class Accept(NamedTuple):
    """`attributes` are the subscription's own, encoded; the policy's are rendered by vendor. `method` proved it.

    `kind` is that of the record's span: what of addresses and prefixes is fixed and hence among `attributes`.
    """

    method: str
    policy_id: bytes
    kind: int
    ppp: bool
    attributes: bytes


Decision = Accept | Reject


def gate(request: AccessRequest, client: NasClient) -> str:
    """Why this request is met with silence, "" when it may be answered.

    Message-Authenticator counts whenever it is there. It must be there for EAP (RFC 3579 §3.2), Status-Server
    (RFC 5997 §3), beside Proxy-State (which is what CVE-2024-3596 hides its collision in, but not within TLS), and
    wherever the NAS is not excused from it.
    """
    at = request.first.get(MESSAGE_AUTHENTICATOR)
    if at is not None:
        if client.authenticators.message_authenticator_holds(request.raw, at):
            return ""
        return "message_authenticator_wrong"
    if (
        client.require_message_authenticator
        or request.code == STATUS_SERVER
        or (PROXY_STATE in request.first and not client.over_tls)
        or EAP_MESSAGE in request.first
    ):
        return UNSIGNED
    return ""


def identify(request: AccessRequest, client: NasClient) -> bytes | Reject:
    """The replica key of whom the request names."""
    if EAP_MESSAGE in request.first:
        return Reject("eap_not_offered")
    name = request.value(USER_NAME)
    if not name:
        return Reject("no_user_name")
    if client.mac_auth:
        mac = read_mac(name)
        if mac is not None and without_password(request, client):
            return mac_key(mac)
    return login_key(name)


def authorise(
    request: AccessRequest,
    client: NasClient,
    key: bytes,
    record: bytes | None,
    unseal: Unseal,
    now: float,
    serial: int,
    nas_name: NasName = str,
) -> Decision:
    """What the record under `key` answers at `now` (epoch seconds); `serial` differs from answer to answer.

    Raises whatever `unseal` raises, and what `answer_of` does for a record that it cannot read.
    """
    if record is None:
        return Reject("unknown_user")
    if key[0] == _BY_LOGIN:
        proof = prove(request, client, password_of(key, record, unseal), serial)
        if proof is None:
            return Reject("wrong_password" if has_credentials(request) else "no_credentials")
    elif _calling_from(request, key[1:]):
        proof = MAC
    else:
        return Reject("mac_mismatch")
    kind, policy_id, body = answer_of(record, now)
    if kind == DENIAL:
        return Reject(body.decode(errors="replace"))
    if record[-1]:  # not so for the usual limits
        refused = refused_line(limits_of(record), request, client.entry.id, key, nas_name)
        if refused is not None:
            return refused
    ppp = proof is not MAC and request.value(FRAMED_PROTOCOL) == _PPP
    return _make(Accept, (proof.method, policy_id, kind, ppp, body + proof.attributes))


_make = tuple.__new__
"""As `Accept(…)`, at half the price."""
_BY_LOGIN = login_key(b"")[0]


def _calling_from(request: AccessRequest, mac: bytes) -> bool:
    """Whether Calling-Station-Id, where it is a MAC address at all, is this one."""
    calling = read_mac(request.value(CALLING_STATION_ID) or b"")
    return calling is None or calling == mac
