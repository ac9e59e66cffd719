"""Whether a request shows knowledge of the password: PAP, CHAP, MS-CHAP version 1 and 2. Pure."""

from __future__ import annotations

from typing import NamedTuple

from radius.access_request import AccessRequest
from radius.attributes import (
    CHAP_CHALLENGE,
    CHAP_PASSWORD,
    MS_CHAP2_RESPONSE,
    MS_CHAP_CHALLENGE,
    MS_CHAP_RESPONSE,
    MS_MPPE_ENCRYPTION_POLICY,
    MS_MPPE_ENCRYPTION_TYPES,
    USER_NAME,
    USER_PASSWORD,
    VENDOR_MICROSOFT,
)
from radius.codec import encode_attributes, integer, vendor_attribute
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


class Proof(NamedTuple):
    """The credentials are right; `attributes` (encoded) are what the method wants in the Access-Accept."""

    method: str
    attributes: bytes = b""


PAP, CHAP, MAC = Proof("pap"), Proof("chap"), Proof("mac")

_PASSWORDS = frozenset({USER_PASSWORD, CHAP_PASSWORD})
_ENCRYPTION_ALLOWED = 1
_RC4_128, _RC4_40_OR_128 = 4, 6


def _encryption(types: int) -> bytes:
    """What the NAS may do with the keys: encrypt, without having to (RFC 2548 §2.4.4 and §2.4.5)."""
    told = (MS_MPPE_ENCRYPTION_POLICY, _ENCRYPTION_ALLOWED), (MS_MPPE_ENCRYPTION_TYPES, types)
    return encode_attributes(vendor_attribute(VENDOR_MICROSOFT, kind, integer(value)) for kind, value in told)


_V1_ENCRYPTION = _encryption(_RC4_128)
"""Without an LM hash there is no 40-bit key (RFC 3079 §2.1)."""
_V2_ENCRYPTION = _encryption(_RC4_40_OR_128)


def prove(request: AccessRequest, client: NasClient, password: bytes, serial: int) -> Proof | None:
    """Whether the request shows knowledge of the password, by the one method that it uses; None when not.

    A request with both User-Password and CHAP-Password (RFC 2865 §4.1 forbids it) proves nothing. `serial` differs
    from answer to answer.
    """
    hidden = request.value(USER_PASSWORD)
    if hidden is not None:
        if CHAP_PASSWORD in request.first:
            return None
        padded = reveal(hidden, client.authenticators, request.authenticator)
        return PAP if padded is not None and same_password(padded, password) else None
    chap = request.value(CHAP_PASSWORD)
    if chap is not None:
        challenge = request.value(CHAP_CHALLENGE) or request.authenticator
        return CHAP if chap_holds(chap, challenge, password) else None
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
        own = encode_attributes(v2_attributes(success, keys, serial, owner, authenticator))
        return Proof("mschapv2", own + _V2_ENCRYPTION)
    if (response := sent.get(MS_CHAP_RESPONSE)) is not None and v1_holds(response, challenge, hashed):
        return Proof("mschap", encode_attributes(v1_attributes(hashed, owner, authenticator)) + _V1_ENCRYPTION)
    return None


def without_password(request: AccessRequest, client: NasClient) -> bool:
    """Whether the request carries no credentials, or those of the empty password by PAP or CHAP."""
    if request.value(USER_PASSWORD) or request.value(CHAP_PASSWORD):
        return prove(request, client, b"", 0) is not None
    return not request.vendor(VENDOR_MICROSOFT)


def has_credentials(request: AccessRequest) -> bool:
    return not request.first.keys().isdisjoint(_PASSWORDS) or bool(request.vendor(VENDOR_MICROSOFT))
