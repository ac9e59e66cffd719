"""What an Access-Reject tells the peer behind the NAS, and what it tells the operator."""

from __future__ import annotations

from pathlib import Path

import pytest

from radius.attributes import (
    ACCESS_REJECT,
    CALLING_STATION_ID,
    EAP_MESSAGE,
    MESSAGE_AUTHENTICATOR,
    MS_CHAP_ERROR,
    PROXY_STATE,
    VENDOR_MICROSOFT,
)
from radius.codec import vendor_attribute
from radius.policy import Denial
from radius.reject_note import RejectNote
from tests.factories_auth import ANA, CHALLENGE, NOW, Rig, always, datagram, ms_chap, nas, opened, pap_request, record

IDENTITY = b"\2\x2a\0\x08\1ana"
"""EAP-Response/Identity with Identifier 42 (RFC 3748 §5.1)."""
LONG = bytes.fromhex("022a0200") + bytes(249)

SAID = {
    "PAP": (pap_request(password=b"x"), ()),
    "PAP, proxied": (
        pap_request(b"ana", b"x", (PROXY_STATE, b"p")),
        ((PROXY_STATE, b"p"),),
    ),
    "EAP": (datagram([ANA, (EAP_MESSAGE, IDENTITY)]), ((EAP_MESSAGE, b"\4\x2a\0\4"),)),
    "EAP in two pieces": (
        datagram([ANA, (EAP_MESSAGE, LONG), (EAP_MESSAGE, LONG)]),
        ((EAP_MESSAGE, b"\4\x2a\0\4"),),
    ),
    "EAP-Start has no Identifier": (datagram([ANA, (EAP_MESSAGE, b"")]), ()),
    "MS-CHAPv2": (
        datagram([ANA, *ms_chap(2, b"x")]),
        (
            vendor_attribute(
                VENDOR_MICROSOFT,
                MS_CHAP_ERROR,
                b"\1E=691 R=0 C=%s V=3 M=Authentication failed" % CHALLENGE.hex().upper().encode(),
            ),
        ),
    ),
    "MS-CHAP": (
        datagram([ANA, *ms_chap(1, b"x")]),
        (
            vendor_attribute(
                VENDOR_MICROSOFT, MS_CHAP_ERROR, b"\1E=691 R=0 C=%s V=2" % CHALLENGE[:8].hex().upper().encode()
            ),
        ),
    ),
    "MS-CHAPv2 without challenge": (
        datagram([ANA, ms_chap(2)[1]]),
        (vendor_attribute(VENDOR_MICROSOFT, MS_CHAP_ERROR, b"\1E=691 R=0 V=3 M=Authentication failed"),),
    ),
    "another vendor's attribute": (
        pap_request(b"ana", b"x", vendor_attribute(14988, 1, b"1")),
        (),
    ),
}


@pytest.mark.parametrize(("request_", "said"), SAID.values(), ids=SAID.keys())
def test_the_peer_hears_the_end_in_its_own_protocol(
    tmp_path: Path, request_: bytes, said: tuple[tuple[int, bytes], ...]
) -> None:
    rig = Rig(tmp_path, nas(), record())
    packet = opened(rig.ask(request_), request_)
    assert packet.code == ACCESS_REJECT
    assert packet.attributes[0][0] == MESSAGE_AUTHENTICATOR
    assert packet.attributes[1:] == said
    rig.close()


CALLER = (CALLING_STATION_ID, b"02:00:5E:10:00:0A")
NOTED = {
    "wrong password": (pap_request(b"ana", b"x", CALLER), ("wrong_password", "", b"ana", 7, b"02:00:5E:10:00:0A")),
    "no caller": (pap_request(password=b"x"), ("wrong_password", "", b"ana", 7, b"")),
    "unknown": (pap_request(b"eva", b"x", CALLER), ("unknown_user", "", b"eva", 0, b"02:00:5E:10:00:0A")),
    "denied": (pap_request(b"gone"), ("cancelled", "", b"gone", 3, b"")),
    "EAP": (datagram([ANA, (EAP_MESSAGE, IDENTITY)]), ("eap_not_offered", "", b"ana", 0, b"")),
    "nobody": (datagram([]), ("no_user_name", "", b"", 0, b"")),
}


@pytest.mark.parametrize(("request_", "expected"), NOTED.values(), ids=NOTED.keys())
def test_every_reject_is_noted_once(
    tmp_path: Path, request_: bytes, expected: tuple[str, str, bytes, int, bytes]
) -> None:
    notes: list[RejectNote] = []
    gone = record(3, "gone", spans=always(Denial("cancelled")))
    rig = Rig(tmp_path, nas(12), record(), gone, note=notes.append)
    rig.ask(request_)
    rig.ask(request_)
    reason, detail, login, subscription_id, caller = expected
    assert notes == [RejectNote(NOW.timestamp(), reason, detail, login, subscription_id, 12, caller)]
    rig.close()


def test_what_is_accepted_or_met_with_silence_is_not_noted(tmp_path: Path) -> None:
    notes: list[RejectNote] = []
    rig = Rig(tmp_path, nas(), record(), note=notes.append)
    for request in (pap_request(), pap_request(sign=False), pap_request(secret=b"other"), b""):
        rig.ask(request)
    assert notes == []
    rig.close()
