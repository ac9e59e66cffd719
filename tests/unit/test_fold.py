"""What a session is after its records, in whatever order they come."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import reduce
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius import fold as folding
from radius.accounting import AccountingRecord
from radius.fold import REUSE_GAP, SessionState, choose, close, end_at_restart, fold, predecessor
from tests.factories_accounting import FAST, INTERIM, NOW, OFF, SLOW, START, STOP, restart, told


def after(*records: AccountingRecord, state: SessionState | None = None) -> SessionState:
    folded = reduce(fold, records, state)
    assert folded is not None
    return folded


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


OPEN = (NOW, None, "")
TABLE = {
    "start opens": ([told(START)], OPEN),
    "interim without start opens, and knows since when": ([told(INTERIM, 600)], OPEN),
    "stop without start makes a closed session": ([told(STOP, 600)], (NOW, at(600), "stop")),
    "start and stop": ([told(START), told(STOP, 600)], (NOW, at(600), "stop")),
    "start after the stop does not reopen": ([told(STOP, 600), told(START)], (NOW, at(600), "stop")),
    "interim after the stop does not reopen": ([told(STOP, 600), told(INTERIM, 300)], (NOW, at(600), "stop")),
    "interim that arrives late, and says no time, does not reopen": (
        [told(STOP, 600), told(INTERIM, 601, began_at=None)],
        (NOW, at(600), "stop"),
    ),
    "stop again, later: the first one counts": ([told(STOP, 600), told(STOP, 605)], (NOW, at(600), "stop")),
    "stop again, earlier: the first one counts": ([told(STOP, 605), told(STOP, 600)], (NOW, at(600), "stop")),
    "an interim's start estimate is bettered by the start": (
        [told(INTERIM, 600, began_at=at(3)), told(START)],
        OPEN,
    ),
    "an interim that does not say since when counts from itself": (
        [told(INTERIM, 600, began_at=None)],
        (at(600), None, ""),
    ),
}


@pytest.mark.parametrize(("records", "expected"), TABLE.values(), ids=TABLE.keys())
def test_when_a_session_begins_and_ends(
    records: list[AccountingRecord], expected: tuple[datetime, datetime | None, str]
) -> None:
    state = after(*records)
    assert (state.started_at, state.stopped_at, state.closed_by) == expected
    assert state.open == (expected[1] is None)


def test_counters_take_the_greatest() -> None:
    big = 5 << 32
    state = after(
        told(INTERIM, 600, input_octets=big, output_octets=10),
        told(INTERIM, 300, input_octets=7, output_octets=20),
        told(START),
    )
    assert (state.input_octets, state.output_octets, state.session_seconds) == (big, 20, 600)
    assert state.updated_at == at(600)


def test_the_address_that_was_told_last_counts() -> None:
    one, two = ip_address("10.0.0.1"), ip_address("10.0.0.2")
    assert after(told(START), told(INTERIM, 300, framed_ip_address=one)).framed_ip_address == one
    assert after(told(INTERIM, 300, framed_ip_address=two), told(START, framed_ip_address=one)).framed_ip_address == two
    assert after(told(START, framed_ip_address=one), told(STOP, 300)).framed_ip_address == one


@pytest.mark.parametrize("name", folding.PREFIXES)
def test_the_prefix_that_was_told_last_counts_and_a_change_is_dated(name: str) -> None:
    one, two = "2001:db8:1::/56", "2001:db8:2::/56"
    state = after(told(START), told(INTERIM, 300, **{name: one}), told(INTERIM, 600))
    assert (getattr(state, name), getattr(state, f"{name}_since")) == (one, None), "the first one: since the beginning"
    state = after(told(INTERIM, 900, **{name: two}), told(INTERIM, 800, **{name: one}), state=state)
    assert (getattr(state, name), getattr(state, f"{name}_since")) == (two, at(900))
    again = after(told(STOP, 1200, **{name: two}), state=state)
    assert (getattr(again, f"{name}_at"), getattr(again, f"{name}_since")) == (at(1200), at(900))


def granted(record: AccountingRecord, fingerprint: str) -> AccountingRecord:
    return told(record.status, record.session_seconds, subscription_id=7, granted_fingerprint=fingerprint)


def test_another_class_settles_an_open_coa_and_the_same_class_does_not() -> None:
    state = after(granted(told(START), SLOW.fingerprint))
    waiting = replace(state, acked_fingerprint=FAST.fingerprint, acked_at=at(30), refused_fingerprint=FAST.fingerprint)
    still = after(granted(told(INTERIM, 300), SLOW.fingerprint), state=waiting)
    assert (still.acked_fingerprint, still.refused_fingerprint) == (FAST.fingerprint, FAST.fingerprint)
    proven = after(granted(told(INTERIM, 300), FAST.fingerprint), state=waiting)
    assert (proven.granted_fingerprint, proven.acked_fingerprint, proven.acked_at) == (FAST.fingerprint, "", None)
    assert proven.refused_fingerprint == ""
    late = after(granted(told(INTERIM, 200), SLOW.fingerprint), state=proven)
    assert late.granted_fingerprint == FAST.fingerprint, "an older record does not bring the old Class back"


RESTARTS = {
    "that began before is over": (told(START), restart(60), at(60), "nas"),
    "that began after goes on": (told(START), restart(-60), None, ""),
    "of another router behind the same address goes on": (
        told(START, nas_ip_address=ip_address("10.0.0.1")),
        restart(60, nas_ip_address=ip_address("10.0.0.2")),
        None,
        "",
    ),
    "of the same router behind the same address is over": (
        told(START, nas_ip_address=ip_address("10.0.0.1")),
        restart(60, nas_ip_address=ip_address("10.0.0.1")),
        at(60),
        "nas",
    ),
    "is over at Accounting-Off too": (told(START), restart(60, status=OFF), at(60), "nas"),
    "that is closed keeps its end": (told(STOP, 30), restart(60), at(30), "stop"),
}


@pytest.mark.parametrize(("record", "event", "stopped_at", "by"), RESTARTS.values(), ids=RESTARTS.keys())
def test_at_a_restart_of_the_nas_a_session(
    record: AccountingRecord, event: AccountingRecord, stopped_at: datetime | None, by: str
) -> None:
    state = end_at_restart(after(record), event)
    assert (state.stopped_at, state.closed_by) == (stopped_at, by)


@pytest.mark.parametrize("by", [folding.STALE, folding.NAS])
def test_an_inferred_end_is_taken_back_by_a_later_interim_only(by: str) -> None:
    closed = close(after(told(START)), at(900), by, "Lost-Carrier")
    assert not after(told(INTERIM, 600), state=closed).open
    assert not after(told(START), state=closed).open
    reopened = after(told(INTERIM, 1200), state=closed)
    assert (reopened.stopped_at, reopened.closed_by, reopened.terminate_cause) == (None, "", "")
    assert after(told(STOP, 1000), state=closed).closed_by == "stop"


@pytest.mark.parametrize("by", [folding.STOP, folding.SUPERSEDED, folding.REMOVED])
def test_other_ends_are_final(by: str) -> None:
    closed = close(after(told(START)), at(900), by, "User-Request")
    assert after(told(INTERIM, 1200), state=closed).stopped_at == at(900)


GAP = REUSE_GAP.total_seconds()
OTHER_BEGIN = 86_400
CHOICES = {
    "the only one": ([told(START)], told(INTERIM, 300), 0),
    "none yet": ([], told(START), None),
    "a start again": ([told(START)], told(START), 0),
    "a start long after the last word is another session": (
        [told(INTERIM, 300)],
        told(START, OTHER_BEGIN, began_at=at(OTHER_BEGIN)),
        None,
    ),
    "a start long after the stop is another session": (
        [told(STOP, 300)],
        told(START, OTHER_BEGIN, began_at=at(OTHER_BEGIN)),
        None,
    ),
    "a start right after the stop was on its way": ([told(STOP, 300)], told(START, 301, began_at=at(301)), 0),
    "an interim hours after the start, both honest": ([told(START)], told(INTERIM, 36_000), 0),
    "an interim hours after the start that does not say since when": (
        [told(START)],
        told(INTERIM, 36_000, began_at=None),
        0,
    ),
    "an interim of a session that began in the second of the stop (pppd)": (
        [told(STOP, 1)],
        told(INTERIM, GAP + 60, began_at=at(1)),
        None,
    ),
    "another caller": (
        [told(START, calling_station_id="02:00:5e:10:00:01")],
        told(START, calling_station_id="02:00:5e:10:00:02"),
        None,
    ),
    "another port": ([told(START, nas_port_id="ppp0")], told(START, nas_port_id="ppp1"), None),
    "a record that names no port": ([told(START, nas_port_id="ppp0")], told(INTERIM, 300), 0),
    "the newer of two": (
        [told(STOP, 300), told(START, OTHER_BEGIN, began_at=at(OTHER_BEGIN))],
        told(INTERIM, OTHER_BEGIN + 300, began_at=at(OTHER_BEGIN)),
        1,
    ),
    "the older of two": (
        [told(STOP, 300), told(START, OTHER_BEGIN, began_at=at(OTHER_BEGIN))],
        told(INTERIM, 200),
        0,
    ),
    "the newer of two, whose start comes late": (
        [told(STOP, 300), told(INTERIM, OTHER_BEGIN + 300, began_at=None)],
        told(START, OTHER_BEGIN, began_at=at(OTHER_BEGIN)),
        1,
    ),
}


@pytest.mark.parametrize(("known", "record", "expected"), CHOICES.values(), ids=CHOICES.keys())
def test_which_session_a_record_is_about(
    known: list[AccountingRecord], record: AccountingRecord, expected: int | None
) -> None:
    assert choose([after(each) for each in known], record) == expected


def test_after_a_restart_a_number_that_comes_again_is_another_session() -> None:
    ended = end_at_restart(after(told(START)), restart(60))
    again = told(START, 70, began_at=at(70))
    assert choose([ended], again) is None
    assert choose([ended], told(INTERIM, 50)) == 0


def test_only_a_session_on_the_same_line_is_superseded() -> None:
    ppp0, ppp1 = told(START, nas_port_id="ppp0"), told(START, nas_port_id="ppp1")
    assert predecessor([after(ppp0)], ppp1) is None
    assert predecessor([after(ppp0)], told(START, OTHER_BEGIN, nas_port_id="ppp0")) == 0
    gone = folding.supersede(after(told(INTERIM, 300)))
    assert (gone.stopped_at, gone.closed_by) == (at(300), "superseded")


@st.composite
def sessions(draw: st.DrawFn) -> list[AccountingRecord]:
    """All records of one session, as one NAS might tell them: some lost, attributes sometimes left out."""
    length = draw(st.integers(0, 200_000))
    moments = draw(st.lists(st.integers(0, length), max_size=6))
    statuses = [(START, 0), *((INTERIM, moment) for moment in moments), (STOP, length)]
    kept = draw(st.lists(st.sampled_from(statuses), min_size=1, unique=True))
    addresses = st.sampled_from([None, ip_address("10.0.0.1"), ip_address("10.0.0.2")])
    prefixes = st.sampled_from([None, "2001:db8:1::/64", "2001:db8:2::/56"])
    fingerprints = st.sampled_from(["", SLOW.fingerprint, FAST.fingerprint])
    return [
        told(
            status,
            moment,
            framed_ip_address=draw(addresses),
            framed_ipv6_prefix=draw(prefixes),
            delegated_ipv6_prefix=draw(prefixes),
            subscription_id=7,
            granted_fingerprint=draw(fingerprints),
            input_octets=draw(st.integers(0, 2**63 - 1)),
            output_octets=moment,
            calling_station_id=draw(st.sampled_from(["", "02:00:5e:10:00:01"])),
            nas_port_id=draw(st.sampled_from(["", "ether1"])),
            nas_ip_address=draw(addresses),
            terminate_cause=draw(st.sampled_from(["User-Request", "Lost-Carrier"])) if status == STOP else "",
            began_at=NOW if status == START or draw(st.booleans()) else None,
        )
        for status, moment in kept
    ]


@given(sessions(), st.data())
def test_any_order_and_any_repetition_folds_to_the_same_end(
    records: list[AccountingRecord], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(records), max_size=6))
    shuffled = data.draw(st.permutations([*records, *again]))
    assert timeless(after(*shuffled)) == timeless(after(*records))


def timeless(state: SessionState) -> SessionState:
    """Without the instants of changes of address: those are as we saw them."""
    return replace(state, address_since=None, framed_ipv6_prefix_since=None, delegated_ipv6_prefix_since=None)


@given(sessions(), st.data())
def test_all_records_of_a_session_are_taken_for_one_session(
    records: list[AccountingRecord], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(records))
    state = fold(None, shuffled[0])
    for record in shuffled[1:]:
        assert choose([state], record) == 0
        state = fold(state, record)


@given(sessions())
def test_what_is_stopped_stays_stopped(records: list[AccountingRecord]) -> None:
    closed = after(*records, told(STOP, 200_000))
    for record in records:
        assert not after(record, state=closed).open
