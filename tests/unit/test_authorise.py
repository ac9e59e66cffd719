"""Decisions on Access-Requests: every row is a request and what it is answered, with the reason that is counted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from radius.access_request import read_access_request
from radius.attributes import (
    ACCESS_ACCEPT,
    ACCESS_REJECT,
    ACCOUNTING_REQUEST,
    CALLING_STATION_ID,
    CHAP_CHALLENGE,
    CHAP_PASSWORD,
    EAP_MESSAGE,
    MESSAGE_AUTHENTICATOR,
    NAS_IP_ADDRESS,
    PROXY_STATE,
    STATUS_SERVER,
    USER_NAME,
    USER_PASSWORD,
)
from radius.authorise import Accept, Reject, authorise, gate, identify
from radius.policy import Denial, Grant, Span
from radius.records import GRANT
from tests.factories_auth import (
    ANA,
    AUTHENTICATOR,
    CHALLENGE,
    MAC,
    NOW,
    PLAN,
    SECRET,
    Rig,
    chap,
    datagram,
    entries,
    hidden,
    keyring,
    ms_chap,
    nas_client,
    opened,
    pap_request,
    record,
)
from tests.factories_calls import CLIENT_ID, DISABLED, IPOE, LENIENT, PASSWORD, STRICT, mac_request

# request, from which NAS, the answer's code (None: silence), what is counted
DECISIONS: dict[str, tuple[bytes, str, int | None, tuple[str, str]]] = {
    "PAP": (pap_request(), STRICT, 2, ("accept", "pap")),
    "PAP, wrong": (pap_request(password=b"segred"), STRICT, 3, ("reject", "wrong_password")),
    "PAP, octets that are no UTF-8": (
        pap_request("zé".encode(), "coração".encode("latin-1")),
        STRICT,
        2,
        ("accept", "pap"),
    ),
    "PAP, the same text in UTF-8": (
        pap_request("zé".encode(), "coração".encode()),
        STRICT,
        3,
        ("reject", "wrong_password"),
    ),
    "PAP, 128 octets": (pap_request(b"long", b"x" * 128), STRICT, 2, ("accept", "pap")),
    "PAP, 127 octets": (pap_request(b"long", b"x" * 127), STRICT, 3, ("reject", "wrong_password")),
    "PAP, odd length": (
        datagram([ANA, (USER_PASSWORD, bytes(17))]),
        STRICT,
        3,
        ("reject", "wrong_password"),
    ),
    "PAP, empty": (pap_request(password=b""), STRICT, 3, ("reject", "wrong_password")),
    "unknown user": (pap_request(b"eva"), STRICT, 3, ("reject", "unknown_user")),
    "the case of a name counts": (pap_request(b"Ana"), STRICT, 3, ("reject", "unknown_user")),
    "no user name": (datagram([PASSWORD]), STRICT, 3, ("reject", "no_user_name")),
    "empty user name": (datagram([(USER_NAME, b""), PASSWORD]), STRICT, 3, ("reject", "no_user_name")),
    "no credentials": (datagram([ANA]), STRICT, 3, ("reject", "no_credentials")),
    "denied": (pap_request(b"gone"), STRICT, 3, ("reject", "cancelled")),
    "denied, but wrong password first": (
        pap_request(b"gone", b"x"),
        STRICT,
        3,
        ("reject", "wrong_password"),
    ),
    "CHAP": (
        datagram([ANA, (CHAP_PASSWORD, chap(b"segredo", CHALLENGE)), (CHAP_CHALLENGE, CHALLENGE)]),
        STRICT,
        2,
        ("accept", "chap"),
    ),
    "CHAP without challenge: the Request Authenticator": (
        datagram([ANA, (CHAP_PASSWORD, chap(b"segredo", AUTHENTICATOR))]),
        STRICT,
        2,
        ("accept", "chap"),
    ),
    "CHAP with a challenge, answered to the authenticator": (
        datagram([ANA, (CHAP_PASSWORD, chap(b"segredo", AUTHENTICATOR)), (CHAP_CHALLENGE, CHALLENGE)]),
        STRICT,
        3,
        ("reject", "wrong_password"),
    ),
    "CHAP cut short": (
        datagram([ANA, (CHAP_PASSWORD, chap(b"segredo", AUTHENTICATOR)[:16])]),
        STRICT,
        3,
        ("reject", "wrong_password"),
    ),
    "CHAP and PAP at once": (
        datagram([ANA, PASSWORD, (CHAP_PASSWORD, chap(b"segredo", AUTHENTICATOR))]),
        STRICT,
        3,
        ("reject", "wrong_password"),
    ),
    "MS-CHAPv2": (datagram([ANA, *ms_chap(2)]), STRICT, 2, ("accept", "mschapv2")),
    "MS-CHAPv2, wrong": (
        datagram([ANA, *ms_chap(2, b"Segredo")]),
        STRICT,
        3,
        ("reject", "wrong_password"),
    ),
    "MS-CHAPv2 without challenge": (
        datagram([ANA, ms_chap(2)[1]]),
        STRICT,
        3,
        ("reject", "wrong_password"),
    ),
    "MS-CHAP": (datagram([ANA, *ms_chap(1)]), STRICT, 2, ("accept", "mschap")),
    "MS-CHAP, wrong": (datagram([ANA, *ms_chap(1, b"x")]), STRICT, 3, ("reject", "wrong_password")),
    "EAP": (
        datagram([ANA, (EAP_MESSAGE, b"\2\1\0\x08\1ana")]),
        STRICT,
        3,
        ("reject", "eap_not_offered"),
    ),
    "EAP unsigned, from a lenient NAS": (
        datagram([ANA, (EAP_MESSAGE, b"\2\1\0\x08\1ana")], sign=False),
        LENIENT,
        None,
        ("silence", "message_authenticator_missing"),
    ),
    "unsigned": (pap_request(sign=False), STRICT, None, ("silence", "message_authenticator_missing")),
    "unsigned, from a lenient NAS": (pap_request(sign=False), LENIENT, 2, ("accept", "pap")),
    "signed wrong": (
        pap_request(secret=b"other"),
        STRICT,
        None,
        ("silence", "message_authenticator_wrong"),
    ),
    "signed wrong, from a lenient NAS": (
        pap_request(secret=b"other"),
        LENIENT,
        None,
        ("silence", "message_authenticator_wrong"),
    ),
    "wrong secret, unsigned": (
        pap_request(secret=b"other", sign=False),
        LENIENT,
        3,
        ("reject", "wrong_password"),
    ),
    "Proxy-State unsigned, from a lenient NAS": (
        pap_request(b"ana", b"segredo", (PROXY_STATE, b"p"), sign=False),
        LENIENT,
        None,
        ("silence", "message_authenticator_missing"),
    ),
    "stranger": (pap_request(), "203.0.113.1", None, ("silence", "unknown_client")),
    "disabled NAS": (pap_request(), DISABLED, None, ("silence", "unknown_client")),
    "NAS-IP-Address of a client does not help a stranger": (
        pap_request(b"ana", b"segredo", (NAS_IP_ADDRESS, bytes((192, 0, 2, 1)))),
        "203.0.113.1",
        None,
        ("silence", "unknown_client"),
    ),
    "malformed": (pap_request()[:-1], STRICT, None, ("silence", "packet_length")),
    "accounting on this port": (
        datagram([ANA], code=ACCOUNTING_REQUEST),
        STRICT,
        None,
        ("silence", "unexpected_code"),
    ),
    "an Access-Accept": (datagram([], code=ACCESS_ACCEPT), STRICT, None, ("silence", "unexpected_code")),
    "Status-Server": (datagram([], code=STATUS_SERVER), STRICT, 2, ("status", "mikrotik")),
    "Status-Server unsigned, from a lenient NAS": (
        datagram([], code=STATUS_SERVER, sign=False),
        LENIENT,
        None,
        ("silence", "message_authenticator_missing"),
    ),
    "Status-Server signed wrong": (
        datagram([], code=STATUS_SERVER, secret=b"other"),
        STRICT,
        None,
        ("silence", "message_authenticator_wrong"),
    ),
    "MAC with a zero-length password": (mac_request(), IPOE, 2, ("accept", "mac")),
    "MAC with a hidden empty password": (
        datagram([(USER_NAME, CLIENT_ID), (USER_PASSWORD, hidden(b""))]),
        IPOE,
        2,
        ("accept", "mac"),
    ),
    "MAC without password": (mac_request(MAC.encode(), None), IPOE, 2, ("accept", "mac")),
    "MAC by CHAP with the empty password": (
        datagram([(USER_NAME, MAC.encode()), (CHAP_PASSWORD, chap(b"", AUTHENTICATOR))]),
        IPOE,
        2,
        ("accept", "mac"),
    ),
    "MAC with the same Calling-Station-Id": (
        mac_request(CLIENT_ID, b"", (CALLING_STATION_ID, MAC.upper().encode())),
        IPOE,
        2,
        ("accept", "mac"),
    ),
    "MAC with another Calling-Station-Id": (
        mac_request(CLIENT_ID, b"", (CALLING_STATION_ID, b"02:00:5E:10:00:02")),
        IPOE,
        3,
        ("reject", "mac_mismatch"),
    ),
    "MAC with a Calling-Station-Id that is none": (
        mac_request(CLIENT_ID, b"", (CALLING_STATION_ID, b"ether2")),
        IPOE,
        2,
        ("accept", "mac"),
    ),
    "MAC on a NAS without mac_auth": (mac_request(), STRICT, 3, ("reject", "unknown_user")),
    "unknown MAC": (mac_request(b"02:00:5e:10:00:99"), IPOE, 3, ("reject", "unknown_user")),
    "denied MAC": (mac_request(b"02:00:5e:10:00:02"), IPOE, 3, ("reject", "suspended")),
    "MAC with a password is a login": (
        pap_request(MAC.encode(), b"maria"),
        IPOE,
        2,
        ("accept", "pap"),
    ),
    "MAC with a wrong password is a login": (
        pap_request(MAC.encode(), b"x"),
        IPOE,
        3,
        ("reject", "wrong_password"),
    ),
    "a login on an IPoE NAS needs its password": (
        mac_request(b"ana"),
        IPOE,
        3,
        ("reject", "wrong_password"),
    ),
}


@pytest.mark.parametrize(("request_", "source", "code", "counted"), DECISIONS.values(), ids=DECISIONS.keys())
def test_decisions(rig: Rig, request_: bytes, source: str, code: int | None, counted: tuple[str, str]) -> None:
    reply = rig.ask(request_, (source, 40_000))
    assert (reply and opened(reply, request_).code) == code
    assert rig.counters() == {counted: 1}


STATES = [(PROXY_STATE, b"first"), (PROXY_STATE, bytes(253)), (PROXY_STATE, b""), (PROXY_STATE, b"first")]
PROXIED = {
    "accept": (datagram([STATES[0], ANA, STATES[1], PASSWORD, *STATES[2:]]), 2),
    "reject": (datagram([STATES[0], ANA, STATES[1], (USER_PASSWORD, bytes(16)), *STATES[2:]]), 3),
    "status": (datagram(STATES, code=STATUS_SERVER), 2),
}


@pytest.mark.parametrize(("request_", "code"), PROXIED.values(), ids=PROXIED.keys())
def test_every_proxy_state_comes_back_unmodified_and_in_order(rig: Rig, request_: bytes, code: int) -> None:
    packet = opened(rig.ask(request_), request_)
    assert packet.code == code
    assert packet.every(PROXY_STATE) == [value for _, value in STATES]


def test_a_reply_that_has_no_room_for_all_proxy_states_is_not_sent(rig: Rig) -> None:
    request = pap_request(b"ana", b"segredo", *[(PROXY_STATE, bytes(250))] * 16)
    assert rig.ask(request) is None
    assert rig.counters() == {("silence", "reply_too_long"): 1}


def test_the_answer_follows_the_instant(rig: Rig) -> None:
    spans = (Span(None, NOW, Grant(PLAN)), Span(NOW, NOW + timedelta(hours=1), Denial("suspended")))
    rig.apply(entries(record(spans=(*spans, Span(NOW + timedelta(hours=1), None, Grant(PLAN))))))
    codes = []
    for identifier, seconds in enumerate((-0.001, 0.0, 3599.999, 3600.0)):
        rig.now = NOW.timestamp() + seconds
        request = pap_request(identifier=identifier)
        codes.append(opened(rig.ask(request), request).code)
    assert codes == [ACCESS_ACCEPT, ACCESS_REJECT, ACCESS_REJECT, ACCESS_ACCEPT]


def test_the_three_steps_are_pure_functions() -> None:
    client, packed = nas_client(), entries(record())
    request = read_access_request(pap_request())
    key = identify(request, client)
    assert gate(request, client) == ""
    assert key == b"uana"
    arguments = (keyring().unseal, NOW.timestamp(), 0)
    accepted = authorise(request, client, key, packed[key], *arguments)
    assert isinstance(accepted, Accept)
    assert (accepted.method, accepted.policy_id.hex(), accepted.kind) == ("pap", PLAN.policy_id, GRANT)
    assert authorise(request, client, key, None, *arguments) == Reject("unknown_user")


def test_the_message_authenticator_may_stand_anywhere() -> None:
    import hmac

    blank = datagram([ANA, PASSWORD, (MESSAGE_AUTHENTICATOR, bytes(16)), (NAS_IP_ADDRESS, bytes(4))], sign=False)
    at = blank.index(b"\x50\x12")
    request = blank[: at + 2] + hmac.digest(SECRET, blank, "md5") + blank[at + 18 :]
    assert gate(read_access_request(request), nas_client()) == ""
