"""What an accounting datagram says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius import attributes as a
from radius.accounting import (
    LONGEST_SESSION_SECONDS,
    MOST_OCTETS,
    AccountingRecord,
    Received,
    Unusable,
    event_instant,
    octets_of,
    pack_received,
    read_record,
    text_of,
    unpack_received,
)
from radius.codec import Attribute, integer
from tests.factories_accounting import FAST, INTERIM, NOW, OFF, ON, START, STOP, acct_attributes, received, told


def read(*more: Attribute, **said: Any) -> AccountingRecord:
    status = said.pop("status", INTERIM)
    record = read_record(received(acct_attributes(status, b"81000001", b"ana", *more, **said)))
    assert isinstance(record, AccountingRecord)
    return record


def ago(**parts: float) -> datetime:
    return NOW - timedelta(**parts)


def epoch(instant: datetime) -> int:
    return int(instant.timestamp())


LATER = timedelta(milliseconds=250)
INSTANTS = {
    "event timestamp": (epoch(ago(seconds=40)), None, ago(seconds=40)),
    "event timestamp beats delay": (epoch(ago(seconds=40)), 7, ago(seconds=40)),
    "delay": (None, 7, ago(seconds=7)),
    "neither": (None, None, NOW),
    "a router that boots in 1970": (epoch(datetime(1970, 1, 1, tzinfo=UTC)) + 60, None, NOW),
    "a router that boots in 1970 but counts its delay": (60, 12, ago(seconds=12)),
    "a router in the future": (epoch(NOW) + 86_400, None, NOW),
    "a clock that is a second ahead": (epoch(NOW) + 1, 0, NOW),
    "the last second of 2106": (2**32 - 1, None, NOW),
    "a day late is believed": (epoch(ago(days=1)), None, ago(days=1)),
    "more than a day late is not": (epoch(ago(days=1)) - 1, None, NOW),
    "a silly delay": (None, 2**32 - 1, NOW),
}


def test_what_came_within_its_own_second_happened_at_its_receipt() -> None:
    """Before and after a CoA in one second: the second report is the later one."""
    first, second = (event_instant(epoch(NOW), None, NOW + wait) for wait in (LATER, 2 * LATER))
    assert first < second
    next_second = NOW + timedelta(seconds=1, milliseconds=20)
    assert event_instant(epoch(NOW), None, next_second) == next_second, "sent at the end of its own"
    assert event_instant(epoch(NOW), None, NOW + timedelta(seconds=2)) == NOW, "held up"


@pytest.mark.parametrize(("event", "delay", "expected"), INSTANTS.values(), ids=INSTANTS.keys())
def test_when_it_happened(event: int | None, delay: int | None, expected: datetime) -> None:
    assert event_instant(event, delay, NOW) == expected


@given(st.none() | st.integers(0, 2**32 - 1), st.none() | st.integers(0, 2**32 - 1))
def test_nothing_happened_after_it_was_told(event: int | None, delay: int | None) -> None:
    assert NOW - timedelta(days=1) <= event_instant(event, delay, NOW) <= NOW


def test_the_whole_of_a_record() -> None:
    record = read(
        (a.CALLING_STATION_ID, b"02:00:5E:10:00:01"),
        (a.NAS_PORT_ID, b"ether1"),
        (a.NAS_PORT, integer(15_728_641)),
        (a.NAS_IP_ADDRESS, ip_address("10.0.0.254").packed),
        (a.ACCT_TERMINATE_CAUSE, integer(2)),
        status=STOP,
        seconds=300,
        octets=(5_000_000_000, 7),
        address="100.64.0.9",
        grant=FAST,
        subscription=42,
        delay=10,
    )
    assert record == AccountingRecord(
        status=STOP,
        nas_id=1,
        nas_address=ip_address("192.0.2.1"),
        at=ago(seconds=10),
        acct_session_id="81000001",
        user_name="ana",
        began_at=ago(seconds=310),
        subscription_id=42,
        granted_fingerprint=FAST.fingerprint,
        framed_ip_address=ip_address("100.64.0.9"),
        nas_ip_address=ip_address("10.0.0.254"),
        calling_station_id="02:00:5E:10:00:01",
        nas_port_id="ether1",
        input_octets=5_000_000_000,
        output_octets=7,
        session_seconds=300,
        terminate_cause="Lost-Carrier",
    )


def test_a_start_began_when_it_happened_and_an_interim_without_a_time_does_not_say() -> None:
    assert read(status=START, delay=3).began_at == ago(seconds=3)
    assert read(status=INTERIM).began_at is None
    assert read(status=INTERIM, seconds=60).began_at == ago(seconds=60)


@pytest.mark.parametrize(
    ("words", "octets", "expected"),
    [(0, 0, 0), (0, 2**32 - 1, 2**32 - 1), (1, 0, 2**32), (3, 5, 3 * 2**32 + 5), (2**32 - 1, 2**32 - 1, MOST_OCTETS)],
)
def test_gigawords(words: int, octets: int, expected: int) -> None:
    record = read((a.ACCT_INPUT_OCTETS, integer(octets)), (a.ACCT_INPUT_GIGAWORDS, integer(words)))
    assert record.input_octets == expected


@pytest.mark.parametrize("address", ["0.0.0.0", "255.255.255.254", "255.255.255.255"])
def test_placeholders_are_no_addresses(address: str) -> None:
    assert read(address=address).framed_ip_address is None


def test_an_ipv6_address_counts_where_there_is_no_ipv4_address() -> None:
    six = ip_address("2001:db8::1")
    assert read((a.FRAMED_IPV6_ADDRESS, six.packed)).framed_ip_address == six
    assert read((a.FRAMED_IPV6_ADDRESS, six.packed), address="10.0.0.1").framed_ip_address == ip_address("10.0.0.1")


def test_of_several_classes_ours_counts() -> None:
    record = read((a.CLASS, b"somebody else's"), grant=FAST)
    assert (record.subscription_id, record.granted_fingerprint) == (7, FAST.fingerprint)
    foreign = read((a.CLASS, b"c1.x.y"))
    assert (foreign.subscription_id, foreign.granted_fingerprint) == (None, "")


def test_a_session_longer_than_any_is_not_believed() -> None:
    record = read(seconds=LONGEST_SESSION_SECONDS + 1)
    assert (record.session_seconds, record.began_at) == (0, None)


def test_values_of_a_wrong_length_are_absent() -> None:
    record = read((a.ACCT_SESSION_TIME, b"\0\0\1"), (a.FRAMED_IP_ADDRESS, b"\n\0\0"), (a.EVENT_TIMESTAMP, b""))
    assert (record.session_seconds, record.framed_ip_address, record.at) == (0, None, NOW)


def test_nas_port_stands_in_for_the_name_of_the_port() -> None:
    assert read((a.NAS_PORT, integer(7))).nas_port_id == "7"


@pytest.mark.parametrize("status", [ON, OFF])
def test_a_restart_is_placed_by_receipt(status: int) -> None:
    """A router that boots has no clock yet."""
    record = read(status=status, event=ago(hours=5), delay=4)
    assert (record.is_restart, record.at) == (True, ago(seconds=4))


UNUSABLE = {
    "no status": (acct_attributes(None), "status_type"),
    "a status that we do not know": (acct_attributes(15), "status_type"),
    "no session id": (acct_attributes(START, b""), "no_session_id"),
}


@pytest.mark.parametrize(("attributes", "reason"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_says_nothing_about_a_session(attributes: list[Attribute], reason: str) -> None:
    assert read_record(received(attributes)) == Unusable(reason)


def test_a_malformed_datagram_is_unusable() -> None:
    assert read_record(Received(1, ip_address("192.0.2.1"), NOW, b"\4\5\0\24")) == Unusable("short_datagram")


@pytest.mark.parametrize(
    "change",
    [
        {"nas_id": 2},
        {"nas_address": ip_address("192.0.2.2")},
        {"acct_session_id": "81000002"},
        {"user_name": "bia"},
        {"acct_session_id": "81000001ana", "user_name": ""},
    ],
    ids=str,
)
def test_the_key_tells_sessions_apart(change: dict[str, Any]) -> None:
    assert told().key == told(STOP, 99, framed_ip_address=ip_address("10.0.0.1")).key
    assert told().key != told(**change).key


@given(
    st.integers(1, 2**63 - 1),
    st.ip_addresses(),
    st.timedeltas(timedelta(0), timedelta(days=36_500)).map(lambda since: datetime(2000, 1, 1, tzinfo=UTC) + since),
    st.binary(max_size=4096),
)
def test_the_spool_keeps_all_that_was_received(nas_id: int, source: Any, at: datetime, datagram: bytes) -> None:
    one = Received(nas_id, source, at, datagram)
    assert unpack_received(pack_received(one)) == one


@given(st.binary(max_size=64))
def test_no_envelope_makes_it_fail(entry: bytes) -> None:
    opened = unpack_received(entry)
    assert isinstance(opened, Unusable) or pack_received(opened) == entry


@given(st.binary(max_size=253) | st.text(max_size=60).map(str.encode) | st.just(b"hex:00"))
def test_text_keeps_every_octet_and_suits_a_database(octets: bytes) -> None:
    text = text_of(octets)
    assert octets_of(text) == octets
    assert "\0" not in text
    assert len(text) <= 510
    assert text.encode().decode() == text


def test_plain_text_stays_plain() -> None:
    assert text_of("joão".encode()) == "joão"
