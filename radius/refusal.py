"""Access-Rejects: for what reason, and what they tell the peer behind the NAS. Pure.

The reason is for the operator. A peer learns no more than that it was refused, in the words of its own protocol, so
that it stops instead of waiting for an answer that never comes.
"""

from __future__ import annotations

from typing import NamedTuple

from radius.access_request import AccessRequest
from radius.attributes import (
    EAP_MESSAGE,
    MS_CHAP2_RESPONSE,
    MS_CHAP_CHALLENGE,
    MS_CHAP_ERROR,
    MS_CHAP_RESPONSE,
    VENDOR_MICROSOFT,
    VENDOR_SPECIFIC,
)
from radius.codec import encode_attributes, vendor_attribute
from radius.mschap import V1_CHALLENGE_LENGTH, V2_CHALLENGE_LENGTH

_EAP_FAILURE = 4
_EAP_HEADER = 4
_AUTHENTICATION_FAILURE = b"E=691 R=0"
"""ERROR_AUTHENTICATION_FAILURE, no retry (RFC 2759 §6)."""


class Reject(NamedTuple):
    """`reason` is a short fixed slug, because it becomes a label of counters; `detail` a sentence for people."""

    reason: str
    detail: str = ""


def reject_attributes(request: AccessRequest) -> bytes:
    """What the Access-Reject of this request carries, encoded."""
    if request.at(EAP_MESSAGE):
        return _eap_failure(request.value(EAP_MESSAGE) or b"")
    if request.at(VENDOR_SPECIFIC):
        return _ms_chap_error(request.vendor(VENDOR_MICROSOFT))
    return b""


def _eap_failure(message: bytes) -> bytes:
    """EAP-Failure with the Identifier of the peer's message (RFC 3579 §2.6.3, RFC 3748 §4.2).

    An EAP-Start has no Identifier (RFC 3579 §2.1): there the plain Access-Reject has to do.
    """
    if len(message) < _EAP_HEADER:
        return b""
    return encode_attributes([(EAP_MESSAGE, bytes((_EAP_FAILURE, message[1], 0, _EAP_HEADER)))])


def _ms_chap_error(sent: dict[int, bytes]) -> bytes:
    """MS-CHAP-Error (RFC 2548 §2.1.5): the response's Ident, then a Failure message (RFC 2433 §9, RFC 2759 §6)."""
    challenge = sent.get(MS_CHAP_CHALLENGE, b"")
    for kind, size, version in (
        (MS_CHAP2_RESPONSE, V2_CHALLENGE_LENGTH, b" V=3 M=Authentication failed"),
        (MS_CHAP_RESPONSE, V1_CHALLENGE_LENGTH, b" V=2"),
    ):
        if response := sent.get(kind):
            again = b" C=" + challenge.hex().upper().encode("ascii") if len(challenge) == size else b""
            text = response[:1] + _AUTHENTICATION_FAILURE + again + version
            return encode_attributes([vendor_attribute(VENDOR_MICROSOFT, MS_CHAP_ERROR, text)])
    return b""
