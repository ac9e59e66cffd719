"""A known layout never hides that a datagram is damaged, nor where things are in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius.access_request import AccessRequest, _walk, read_access_request
from radius.acct_request import read_acct_request
from radius.attributes import MESSAGE_AUTHENTICATOR, PROXY_STATE, USER_NAME
from radius.codec import Malformed, parse, trim
from radius.layouts import Layouts
from tests.factories_accounting import acct_attributes, acct_request
from tests.factories_auth import ms_chap, pap_request

PROXIED = ((PROXY_STATE, b"one"), (PROXY_STATE, b"two"))
DATAGRAMS = {
    "PAP": pap_request(),
    "proxied twice": pap_request(b"ana", b"segredo", *PROXIED),
    "MS-CHAP, which is a vendor's": pap_request(b"ana", b"segredo", *ms_chap(2)),
    "a vendor of another form": pap_request(b"ana", b"segredo", (26, (429).to_bytes(4) + b"anything")),
    "an Interim": acct_request(acct_attributes(3, b"81000001")),
    "an Interim, proxied": acct_request([*acct_attributes(3, b"81000001"), *PROXIED]),
}
Change = tuple[float, int]


@pytest.mark.parametrize("datagram", DATAGRAMS.values(), ids=DATAGRAMS.keys())
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4))
def test_what_is_damaged_is_seen(datagram: bytes, changes: list[Change]) -> None:
    read_access_request(datagram)
    read_acct_request(datagram)
    damaged = bytearray(datagram)
    for place, octet in changes:
        damaged[int(place * len(damaged))] = octet
    assert access(bytes(damaged)) == walked(bytes(damaged))
    assert accounting(bytes(damaged)) == parsed(bytes(damaged))


def access(datagram: bytes) -> object:
    try:
        request = read_access_request(datagram)
    except Malformed as error:
        return error.reason
    return [request.every(kind) for kind in range(1, 256)], request.value(USER_NAME)


def walked(datagram: bytes) -> object:
    try:
        request = AccessRequest(trim(datagram), *_walk(trim(datagram)))
    except Malformed as error:
        return error.reason
    return [request.every(kind) for kind in range(1, 256)], request.value(USER_NAME)


def accounting(datagram: bytes) -> object:
    try:
        raw, authenticator, proxy_states = read_acct_request(datagram)
    except Malformed:
        return None
    return raw, raw[authenticator + 2 : authenticator + 18] if authenticator else None, proxy_states


def parsed(datagram: bytes) -> object:
    try:
        packet = parse(datagram)
    except Malformed:
        return None
    proxy_states = b"".join(bytes((PROXY_STATE, len(value) + 2)) + value for value in packet.every(PROXY_STATE))
    return packet.raw, packet.first(MESSAGE_AUTHENTICATOR), proxy_states


class Whole(int):
    """A layout that has one number only."""

    mask = (1 << 64) - 1

    @property
    def expected(self) -> int:
        return int(self)


def test_each_is_learned_once_and_memory_has_a_bound() -> None:
    learned: list[int] = []

    def learn(octets: bytes) -> Whole:
        learned.append(int.from_bytes(octets))
        return Whole(learned[-1])

    layouts: Layouts[Whole] = Layouts(learn)
    for number in (*range(16), *range(16)):
        assert layouts.find(number.to_bytes(8)) == number
    assert learned == list(range(16))
    layouts.find((16).to_bytes(8))
    layouts.find((15).to_bytes(8))
    assert len(learned) == 17, "the newest are known still"
    layouts.find((0).to_bytes(8))
    assert learned[-2:] == [16, 0], "the oldest was forgotten"


TOO_MANY: dict[str, tuple[Callable[[int], bytes], int]] = {
    "of one length": (lambda number: number.to_bytes(8), 300),
    "in all": (lambda number: bytes(20 + number // 16) + number.to_bytes(2), 4_000),
}


@pytest.mark.parametrize(("octets", "most"), TOO_MANY.values(), ids=TOO_MANY.keys())
def test_too_many_by_turns_are_seldom_learned(octets: Callable[[int], bytes], most: int) -> None:
    """In 10,000 look-ups; else each would be learned again before it is of use."""
    learned: list[bytes] = []

    def learn(given: bytes) -> Whole:
        learned.append(given)
        return Whole(int.from_bytes(given))

    layouts: Layouts[Whole] = Layouts(learn)
    for _ in range(4):
        for number in range(2_500):
            found = layouts.find(octets(number))
            assert found is None or found == int.from_bytes(octets(number))
    assert len(learned) < most
    assert layouts.find(learned[-1]) is not None


def test_what_has_no_layout_is_asked_about_again() -> None:
    asked: list[bytes] = []

    def learn(octets: bytes) -> Whole | None:
        asked.append(octets)
        return None

    layouts: Layouts[Whole] = Layouts(learn)
    assert [layouts.find(bytes(8)), layouts.find(bytes(8))] == [None, None]
    assert len(asked) == 2
