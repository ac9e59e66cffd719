"""Guessing is slow, a line at a time, and locks nobody else out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius.attributes import ACCESS_ACCEPT, ACCESS_REJECT, CALLING_STATION_ID, CHAP_PASSWORD, NAS_PORT, USER_NAME
from radius.line import Line
from radius.records import Limits
from radius.reject_note import RejectNote
from radius.throttle import BURST, SECONDS, Throttle
from tests.factories_auth import CHALLENGE, Rig, chap, datagram, entries, mac_record, nas, opened, record
from tests.factories_calls import CALLER, IPOE, LENIENT, STRANGER, STRICT, call, connected, mac_request

FAMILIAR = Line(1, CALLER, b"ether2")


def empty(throttle: Throttle, line: str, tick: float) -> None:
    for _ in range(BURST):
        throttle.wrong(line, tick)


def test_a_line_may_be_wrong_ten_times_and_then_every_six_seconds() -> None:
    throttle, tick = Throttle(), 1000.0
    for _ in range(BURST):
        assert not throttle.stops("line", tick)
        throttle.wrong("line", tick)
    for _ in range(5):
        assert throttle.stops("line", tick)
        assert throttle.stops("line", tick + SECONDS - 0.001)
        tick += SECONDS
        assert not throttle.stops("line", tick)
        throttle.wrong("line", tick)
    assert not throttle.stops("another", tick)
    assert not throttle.stops("line", tick + SECONDS)


def test_a_line_that_behaves_has_its_ten_again() -> None:
    throttle = Throttle()
    empty(throttle, "line", 1000.0)
    empty(throttle, "line", 1060.0)
    assert throttle.stops("line", 1060.0)
    assert not throttle.stops("line", 1066.0)


def test_a_line_that_is_throttled_stays_so_while_older_ones_are_forgotten() -> None:
    throttle = Throttle()
    throttle.wrong("first", 1000.0)
    empty(throttle, "line", 1059.0)
    throttle.wrong("another", 1060.0)
    assert throttle.stops("line", 1060.0)
    throttle.wrong("another", 1120.0)
    assert len(throttle) == 2, "only the last one is left, in both generations"


def test_until_says_when_nobody_is_throttled() -> None:
    throttle = Throttle()
    for _ in range(BURST - 1):
        throttle.wrong("line", 1000.0)
    assert throttle.until <= 1000.0
    throttle.wrong("line", 1000.0)
    assert throttle.until == 1006.0
    assert not throttle.stops("line", throttle.until)


@given(st.lists(st.tuples(st.integers(0, 40), st.floats(0, 9))))
def test_until_is_never_too_early_and_memory_has_a_bound(wrongs: list[tuple[int, float]]) -> None:
    throttle, tick = Throttle(burst=2, seconds=3.0, limit=16), 50.0
    for line, pause in wrongs:
        tick += pause
        throttle.wrong(line, tick)
        assert len(throttle) <= 16
        stopped = [each for each in range(41) if throttle.stops(each, tick)]
        assert not stopped or tick < throttle.until
        assert not any(throttle.stops(each, max(tick, throttle.until)) for each in range(41))


def test_who_keeps_on_being_wrong_does_not_dig_deeper() -> None:
    throttle = Throttle()
    for _ in range(1_000):
        throttle.wrong("line", 1000.0)
    assert not throttle.stops("line", 1006.0)


def test_a_flood_of_lines_pushes_out_the_oldest() -> None:
    throttle = Throttle(limit=100)
    empty(throttle, "first", 1000.0)
    for number in range(49):
        throttle.wrong(str(number), 1000.0)
    assert throttle.stops("first", 1000.0)
    for number in range(100):
        throttle.wrong(str(number), 1000.0)
    assert not throttle.stops("first", 1000.0)


@pytest.fixture
def notes() -> list[RejectNote]:
    return []


@pytest.fixture
def rig(tmp_path: Path, notes: list[RejectNote]) -> Iterator[Rig]:
    """Two NAS, and Ana; without a reject delay, so that each request has its answer."""
    made = Rig(
        tmp_path,
        nas(1, STRICT),
        nas(2, LENIENT),
        nas(3, IPOE, mac_auth=True),
        record(),
        record(8, "eva", password=b"outra"),
        mac_record(9),
        reject_delay_seconds=0.0,
        note=notes.append,
    )
    yield made
    made.close()


class Caller:
    """Sends requests, each another one, and tells what came of them."""

    def __init__(self, rig: Rig, notes: list[RejectNote]) -> None:
        self.rig, self.notes, self.sent = rig, notes, 0

    def dial(self, password: bytes = b"segredo", source: str = STRICT, **options: Any) -> str:
        """ "accept", or the reason of the reject."""
        self.sent += 1
        given = {"password": password, "authenticator": self.sent.to_bytes(16), **options}
        request = call(**given)
        packet = opened(self.rig.send(request, (source, 40_000)), request)
        return "accept" if packet.code == ACCESS_ACCEPT else self.notes[-1].reason

    def guess(self, times: int = BURST, **options: Any) -> set[str]:
        return {self.dial(b"guess", **options) for _ in range(times)}


@pytest.fixture
def caller(rig: Rig, notes: list[RejectNote]) -> Caller:
    return Caller(rig, notes)


def test_a_guesser_is_refused_without_a_look_at_the_password(caller: Caller) -> None:
    assert caller.guess(caller=STRANGER) == {"wrong_password"}
    assert caller.guess(50, caller=STRANGER) == {"throttled"}
    assert caller.dial(caller=STRANGER) == "throttled"


def test_a_throttled_line_with_the_right_password_gets_in_with_the_next_token(rig: Rig, caller: Caller) -> None:
    caller.guess(caller=STRANGER)
    rig.tick += 5.9
    assert caller.dial(caller=STRANGER) == "throttled"
    rig.tick += 0.1
    assert caller.dial(caller=STRANGER) == "accept"
    assert caller.dial(caller=STRANGER) == "accept", "which takes no token"


@pytest.mark.parametrize(
    "options",
    [
        {"caller": CALLER},
        {"source": LENIENT},
        {"caller": b"", "port": b"ether3"},
        {"caller": b"", "port": b""},
    ],
    ids=["another caller", "the same address at another NAS", "another port", "untold"],
)
def test_a_guesser_empties_nobody_elses_bucket(caller: Caller, options: dict[str, Any]) -> None:
    caller.guess(caller=STRANGER)
    caller.guess(caller=b"", port=b"ether2")
    assert caller.dial(caller=STRANGER) == caller.dial(caller=b"", port=b"ether2") == "throttled"
    assert caller.dial(**{"caller": STRANGER, **options}) == "accept"


def test_those_who_cannot_be_told_apart_are_not_throttled(caller: Caller) -> None:
    assert caller.guess(50, caller=b"", port=b"") == {"wrong_password"}
    assert caller.dial(caller=b"", port=b"") == "accept"


def test_a_port_may_be_told_by_number(caller: Caller) -> None:
    port = (NAS_PORT, (7).to_bytes(4))
    for number in range(BURST):
        request = call(b"", b"", port, password=b"x", identifier=number)
        caller.rig.send(request)
    request = call(b"", b"", port, identifier=99)
    assert opened(caller.rig.send(request), request).code == ACCESS_REJECT
    assert caller.notes[-1].reason == "throttled"


KNOWN_LINES = {
    "live session": {**connected(7, Line(1, CALLER))},
    "live session, spelled otherwise": {**connected(7, Line(2, CALLER.lower().replace(b":", b"-")))},
    "one of two live sessions": {**connected(7, Line(1, STRANGER), FAMILIAR)},
}


@pytest.mark.parametrize("live", KNOWN_LINES.values(), ids=KNOWN_LINES.keys())
def test_who_spoofs_the_address_does_not_lock_out_the_line_that_is_known(
    rig: Rig, caller: Caller, live: dict[bytes, bytes]
) -> None:
    rig.apply(dict(live))
    assert caller.guess(50) == {"wrong_password"}
    assert caller.dial() == "accept"
    assert caller.dial(b"outra", login=b"eva") == "throttled", "another subscriber's line it is not"


def test_the_bound_line_is_always_checked(rig: Rig, caller: Caller) -> None:
    mac = bytes.fromhex(CALLER.decode().replace(":", ""))
    rig.apply(entries(record(limits=Limits(mac=mac))))
    assert caller.guess(50) == {"wrong_password"}
    assert caller.dial() == "accept"


def test_guessing_logins_is_throttled_too(caller: Caller) -> None:
    assert {caller.dial(login=b"guess%d" % number) for number in range(BURST)} == {"unknown_user"}
    assert caller.dial(login=b"guess") == "throttled"


def test_a_mac_address_that_is_unknown_is_no_guess(rig: Rig, notes: list[RejectNote]) -> None:
    for number in range(2 * BURST):
        unknown = b"02:00:5e:99:00:%02x" % number
        rig.send(mac_request(unknown, b"", (CALLING_STATION_ID, CALLER)), (IPOE, number))
    assert {note.reason for note in notes} == {"unknown_user"}


def test_a_wrong_chap_is_a_guess_and_no_credentials_are_none(rig: Rig, notes: list[RejectNote]) -> None:
    told = [(USER_NAME, b"ana"), (CALLING_STATION_ID, STRANGER)]
    for number in range(2 * BURST):
        rig.send(datagram(told, identifier=number))
    assert {note.reason for note in notes} == {"no_credentials"}
    for number in range(BURST + 1):
        rig.send(datagram([*told, (CHAP_PASSWORD, chap(b"x", CHALLENGE))], identifier=100 + number))
    assert notes[-1].reason == "throttled"
