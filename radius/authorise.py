"""The decision on one Access-Request: accept, reject or silence, each with its reason. Pure.

It comes in three steps, between which the caller does its look-ups: `gate` tells whether the request may be
believed at all, `identify` under which key its record is filed, `authorise` what the record answers. Silence is for
whoever has not shown to be our client; a reject for whoever has, but may not enter. Limited service is neither:
it is an accept with a narrow policy (RFC 5080 §2.6.1).

Reasons are short fixed slugs, because they become labels of counters; only a denial's reason comes from data.
"""

from __future__ import annotations

from typing import NamedTuple

from radius.access_request import AccessRequest
from radius.attributes import (
    CALLING_STATION_ID,
    CHAP_CHALLENGE,
    CHAP_PASSWORD,
    EAP_MESSAGE,
    FRAMED_PROTOCOL,
    FRAMED_PROTOCOL_PPP,
    MESSAGE_AUTHENTICATOR,
    MS_CHAP2_RESPONSE,
    MS_CHAP_CHALLENGE,
    MS_CHAP_RESPONSE,
    PROXY_STATE,
    STATUS_SERVER,
    USER_NAME,
    USER_PASSWORD,
    VENDOR_MICROSOFT,
)
from radius.codec import encode_attributes, integer
from radius.mac_address import read_mac
from radius.mschap import (
    master_key,
    nt_password_hash,
    start_keys,
    v1_attributes,
    v1_holds,
    v2_attributes,
    v2_success,
)
from radius.nas_table import NasClient
from radius.passwords import chap_holds, reveal, same_password
from radius.records import DENIAL, GRANT_WITH_ADDRESS, Unseal, answer_of, login_key, mac_key, password_of

_PPP = integer(FRAMED_PROTOCOL_PPP)


class Accept(NamedTuple):
    """`attributes` are the subscription's own, encoded; the policy's are rendered by vendor. `method` proved it."""

    method: str
    policy_id: bytes
    with_address: bool
    ppp: bool
    attributes: bytes


class Reject(NamedTuple):
    reason: str


Decision = Accept | Reject


class Proof(NamedTuple):
    """The credentials are right; `attributes` (encoded) are what the method wants in the Access-Accept."""

    method: str
    attributes: bytes = b""


_PAP, _CHAP, _MAC = Proof("pap"), Proof("chap"), Proof("mac")


def gate(request: AccessRequest, client: NasClient) -> str:
    """Why this request is met with silence, "" when it may be answered.

    Message-Authenticator counts whenever it is there. It must be there for EAP (RFC 3579 §3.2), Status-Server
    (RFC 5997 §3), beside Proxy-State (which is what CVE-2024-3596 hides its collision in), and wherever the NAS is
    not excused from it.
    """
    at = request.at(MESSAGE_AUTHENTICATOR)
    if at:
        if client.authenticators.message_authenticator_holds(request.raw, at):
            return ""
        return "message_authenticator_wrong"
    if (
        client.require_message_authenticator
        or request.code == STATUS_SERVER
        or request.at(PROXY_STATE)
        or request.at(EAP_MESSAGE)
    ):
        return "message_authenticator_missing"
    return ""


def identify(request: AccessRequest, client: NasClient) -> bytes | Reject:
    """The replica key of whom the request names."""
    if request.at(EAP_MESSAGE):
        return Reject("eap_not_offered")
    name = request.value(USER_NAME)
    if not name:
        return Reject("no_user_name")
    if client.mac_auth:
        mac = read_mac(name)
        if mac is not None and _without_password(request, client):
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
) -> Decision:
    """What the record under `key` answers at `now` (epoch seconds); `serial` differs from answer to answer.

    Raises whatever `unseal` raises, and what `answer_of` does for a record that it cannot read.
    """
    if record is None:
        return Reject("unknown_user")
    if key.startswith(b"m"):
        if not _calling_from(request, key[1:]):
            return Reject("mac_mismatch")
        proof: Proof | None = _MAC
    else:
        proof = prove(request, client, password_of(key, record, unseal), serial)
    if proof is None:
        return Reject("wrong_password" if _has_credentials(request) else "no_credentials")
    kind, policy_id, body = answer_of(record, now)
    if kind == DENIAL:
        return Reject(body.decode(errors="replace"))
    ppp = proof is not _MAC and request.value(FRAMED_PROTOCOL) == _PPP
    return Accept(proof.method, policy_id, kind == GRANT_WITH_ADDRESS, ppp, body + proof.attributes)


def prove(request: AccessRequest, client: NasClient, password: bytes, serial: int) -> Proof | None:
    """Whether the request shows knowledge of the password, by the one method that it uses; None when not.

    A request with both User-Password and CHAP-Password (RFC 2865 §4.1 forbids it) proves nothing.
    """
    hidden, chap = request.value(USER_PASSWORD), request.value(CHAP_PASSWORD)
    if hidden is not None:
        if chap is not None:
            return None
        padded = reveal(hidden, client.authenticators, request.authenticator)
        return _PAP if padded is not None and same_password(padded, password) else None
    if chap is not None:
        challenge = request.value(CHAP_CHALLENGE) or request.authenticator
        return _CHAP if chap_holds(chap, challenge, password) else None
    return _prove_ms_chap(request, client, password, serial)


def _prove_ms_chap(request: AccessRequest, client: NasClient, password: bytes, serial: int) -> Proof | None:
    sent = request.vendor(VENDOR_MICROSOFT)
    challenge = sent.get(MS_CHAP_CHALLENGE, b"")
    hashed = nt_password_hash(password)
    owner, authenticator = client.authenticators, request.authenticator
    if (response := sent.get(MS_CHAP2_RESPONSE)) is not None:
        success = v2_success(response, challenge, request.value(USER_NAME) or b"", hashed)
        if success is None:
            return None
        keys = start_keys(master_key(hashed, response[26:50]))
        return Proof("mschapv2", encode_attributes(v2_attributes(success, keys, serial, owner, authenticator)))
    if (response := sent.get(MS_CHAP_RESPONSE)) is not None and v1_holds(response, challenge, hashed):
        return Proof("mschap", encode_attributes(v1_attributes(hashed, owner, authenticator)))
    return None


def _without_password(request: AccessRequest, client: NasClient) -> bool:
    """Whether the request carries no credentials, or those of the empty password by PAP or CHAP."""
    if request.value(USER_PASSWORD) or request.value(CHAP_PASSWORD):
        return prove(request, client, b"", 0) is not None
    return not request.vendor(VENDOR_MICROSOFT)


def _has_credentials(request: AccessRequest) -> bool:
    return bool(request.at(USER_PASSWORD) or request.at(CHAP_PASSWORD) or request.vendor(VENDOR_MICROSOFT))


def _calling_from(request: AccessRequest, mac: bytes) -> bool:
    """Whether Calling-Station-Id, where it is a MAC address at all, is this one."""
    calling = read_mac(request.value(CALLING_STATION_ID) or b"")
    return calling is None or calling == mac
