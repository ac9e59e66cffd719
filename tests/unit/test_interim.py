"""The quick reading of accounting says what the thorough one says, or nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from radius import attributes as a
from radius.accounting import AccountingRecord, Received, pack_received, read_record, unpack_received
from radius.codec import Attribute, encode_attributes, integer, parse, vendor_attribute
from radius.interim import Interim, QuickReader, told_by
from radius.records import read_class
from tests.factories_accounting import FAST, INTERIM, NOW, ON, SLOW, START, STOP, acct_attributes, received

MICRO = timedelta(microseconds=1)
EPOCH = datetime.fromtimestamp(0, UTC)
LINE: list[Attribute] = [(a.CALLING_STATION_ID, b"02:00:5E:10:00:01"), (a.NAS_PORT_ID, b"vlan-101")]


def micros(at: datetime) -> int:
    return (at - EPOCH) // MICRO


def thorough(payload: bytes) -> tuple[object, ...] | AccountingRecord | None:
    """What the record says; an Interim in the order of `Interim`. None: nothing."""
    known = unpack_received(payload)
    record = read_record(known) if isinstance(known, Received) else None
    if not isinstance(known, Received) or not isinstance(record, AccountingRecord):
        return None
    if record.status != INTERIM:
        return record
    return (
        record.key,
        told_by(record),
        micros(record.at),
        micros(record.began_at or record.at),
        record.input_octets,
        record.output_octets,
        record.session_seconds,
        payload[9 : 18 + payload[17]],
        micros(known.at),
    )


def quick(*payloads: bytes) -> list[Interim | AccountingRecord | None]:
    reader = QuickReader()
    return [reader.read(payload) for payload in payloads]


def payload_of(attributes: list[Attribute], at: datetime = NOW, source: str = "192.0.2.1", nas_id: int = 1) -> bytes:
    return pack_received(received(attributes, at, source=source, nas_id=nas_id))


READ = {
    "as a MikroTik tells it": acct_attributes(
        INTERIM, b"81000001", b"ana", *LINE, seconds=300, octets=(5 << 32, 7), address="100.64.0.9", grant=FAST
    ),
    "with prefixes": acct_attributes(
        INTERIM,
        b"s1",
        b"ana",
        (a.FRAMED_IPV6_PREFIX, b"\0\x40" + bytes.fromhex("20010db800010000")),
        (a.DELEGATED_IPV6_PREFIX, b"\0\x38" + bytes.fromhex("20010db8000200ff")),
        seconds=300,
        octets=(1, 2),
    ),
    "with an IPv6 address": acct_attributes(
        INTERIM, b"s1", b"ana", (a.FRAMED_IPV6_ADDRESS, ip_address("2001:db8::5").packed), address="100.64.0.9"
    ),
    "with vendor attributes": acct_attributes(
        INTERIM, b"s1", b"ana", vendor_attribute(14988, 8, b"10M/10M"), vendor_attribute(9, 1, b"x=y")
    ),
    "of a numbered port": acct_attributes(INTERIM, b"s1", b"ana", (a.NAS_PORT, integer(15_728_641))),
    "at an event of its own": acct_attributes(INTERIM, b"s1", b"ana", event=NOW - timedelta(seconds=90), delay=3),
    "with a delay": acct_attributes(INTERIM, b"s1", b"ana", delay=30, seconds=100),
    "with somebody else's Class": acct_attributes(INTERIM, b"s1", b"ana", (a.CLASS, b"\x01\x02")),
    "with next to nothing": acct_attributes(INTERIM, b"s1", b""),
}


@pytest.mark.parametrize("status", [START, STOP, INTERIM])
@pytest.mark.parametrize("attributes", READ.values(), ids=READ.keys())
def test_it_is_read_the_quick_way(attributes: list[Attribute], status: int) -> None:
    payload = payload_of([(a.ACCT_STATUS_TYPE, integer(status)), *attributes, (a.ACCT_TERMINATE_CAUSE, integer(2))])
    assert quick(payload, payload) == [thorough(payload)] * 2
    assert thorough(payload) is not None


LEFT = {
    "a restart": acct_attributes(ON, b""),
    "no status": acct_attributes(None),
    "a name that is not ASCII": acct_attributes(INTERIM, b"s1", "joão".encode()),
    "a name with a NUL": acct_attributes(INTERIM, b"s1", b"a\0b"),
    "a name that looks like octets": acct_attributes(INTERIM, b"s1", b"hex:00"),
    "no session": acct_attributes(INTERIM, b""),
    "two Classes": acct_attributes(INTERIM, b"s1", b"ana", (a.CLASS, b"x"), grant=FAST),
}


@pytest.mark.parametrize("attributes", LEFT.values(), ids=LEFT.keys())
def test_it_is_left_to_the_thorough_reader(attributes: list[Attribute]) -> None:
    assert quick(payload_of(attributes)) == [None]


def test_a_layout_is_not_taken_for_another_of_the_same_length() -> None:
    """The same octets in number, but a name longer by one and a session number shorter by one."""
    one = payload_of(acct_attributes(INTERIM, b"s12", b"ana", *LINE))
    two = payload_of(acct_attributes(INTERIM, b"s1", b"anna", *LINE))
    assert len(one) == len(two)
    assert quick(one, two, one) == [thorough(one), thorough(two), thorough(one)]


@pytest.mark.parametrize("place", range(len(payload_of(READ["with vendor attributes"]))))
def test_a_datagram_that_is_broken_anywhere_is_not_read_by_a_layout_that_was_learned(place: int) -> None:
    sound = payload_of(READ["with vendor attributes"])
    reader = QuickReader()
    reader.read(sound)
    for octet in (0, 1, 2, 3, 6, 26, 44, 255, sound[place] ^ 1, sound[place] ^ 0x80):
        broken = sound[:place] + bytes((octet,)) + sound[place + 1 :]
        found = reader.read(broken)
        assert found is None or found == thorough(broken)


def test_what_is_told_changes_with_whatever_is_told() -> None:
    base = acct_attributes(INTERIM, b"s1", b"ana", *LINE, address="100.64.0.9", grant=FAST)
    prefix = bytes.fromhex("20010db800010000")
    others = [
        [each for each in base if each[0] != a.CALLING_STATION_ID],
        [*base[:-1], (a.NAS_IP_ADDRESS, b"\x0a\0\0\x01")],
        acct_attributes(INTERIM, b"s1", b"ana", *LINE, address="100.64.0.10", grant=FAST),
        acct_attributes(INTERIM, b"s1", b"ana", *LINE, address="100.64.0.9", grant=SLOW),
        acct_attributes(INTERIM, b"s1", b"ana", *LINE, address="100.64.0.9", grant=FAST, subscription=8),
        [*base, (a.FRAMED_IPV6_PREFIX, b"\0\x40" + prefix)],
        [*base, (a.FRAMED_IPV6_PREFIX, b"\0\x3f" + prefix)],
        [*base, (a.DELEGATED_IPV6_PREFIX, b"\0\x40" + prefix)],
    ]
    told = [interim[1] for interim in quick(*map(payload_of, [base, *others])) if isinstance(interim, tuple)]
    assert len(set(told)) == len(others) + 1
    same = payload_of([*base, (a.ACCT_SESSION_TIME, integer(9))], NOW + timedelta(hours=1))
    [interim] = quick(same)
    assert isinstance(interim, tuple)
    assert interim[1] == told[0]


numbers = st.one_of(st.sampled_from([0, 1, 300, 2**32 - 1, 200_000_000]), st.integers(0, 2**32 - 1)).map(integer)
words = st.sampled_from([b"", b"a", b"ana", b"81000001", b"\xff", b"a\0b", b"hex:", "é".encode()])
classes = st.sampled_from(
    [b"", b"x", b"c1.7.zz", b"c1.7.0123456789abcdef.-", b"c1.9.0123456789abcdef.0a000001", b"c1.\0"]
)
instants = st.one_of(st.integers(-100_000, 5).map(lambda seconds: integer(int(NOW.timestamp()) + seconds)), numbers)
addresses = st.sampled_from([bytes(4), b"\xff" * 4, b"\x0a\0\0\x01", bytes(16), ip_address("2001:db8::1").packed])
prefixes = st.builds(lambda bits, octets: bytes((0, bits)) + octets, st.integers(0, 130), st.binary(max_size=17))
VALUES = {
    a.ACCT_STATUS_TYPE: st.sampled_from([integer(3), integer(1), integer(7), b"\3"]),
    a.ACCT_SESSION_ID: words,
    a.USER_NAME: words,
    a.CALLING_STATION_ID: words,
    a.NAS_PORT_ID: words,
    a.CLASS: classes,
    a.EVENT_TIMESTAMP: instants,
    a.NAS_IP_ADDRESS: addresses,
    a.FRAMED_IP_ADDRESS: addresses,
    a.FRAMED_IPV6_ADDRESS: addresses,
    a.FRAMED_IPV6_PREFIX: prefixes,
    a.DELEGATED_IPV6_PREFIX: prefixes,
    a.MESSAGE_AUTHENTICATOR: st.just(bytes(16)),
    a.VENDOR_SPECIFIC: st.one_of(
        st.binary(min_size=1, max_size=8).map(lambda value: vendor_attribute(9, 1, value)[1]), st.binary(max_size=9)
    ),
}
COUNTED = (
    a.ACCT_DELAY_TIME, a.ACCT_SESSION_TIME, a.NAS_PORT, a.ACCT_TERMINATE_CAUSE, a.ACCT_INPUT_OCTETS,
    a.ACCT_INPUT_GIGAWORDS, a.ACCT_OUTPUT_OCTETS, a.ACCT_OUTPUT_GIGAWORDS,
)  # fmt: skip


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    """Records, half of them Interims, some odd; in any order of attributes, with repetitions."""
    first: list[Attribute] = [
        (a.ACCT_STATUS_TYPE, integer(draw(st.sampled_from([3, 3, 1, 2])))),
        (a.ACCT_SESSION_ID, b"s1"),
    ]
    kinds = draw(st.lists(st.sampled_from([*VALUES, *COUNTED]), max_size=12))
    drawn = [(kind, draw(VALUES.get(kind, st.one_of(numbers, numbers, st.just(b"\1"))))) for kind in kinds]
    attributes = draw(st.permutations([*first, *drawn])) if draw(st.booleans()) else [*first, *drawn]
    source = draw(st.sampled_from(["192.0.2.1", "2001:db8::1"]))
    padding = draw(st.sampled_from([b"", b"", b"\0"]))
    body = encode_attributes(attributes)
    datagram = bytes((4, 1)) + (20 + len(body)).to_bytes(2) + bytes(16) + body + padding
    return pack_received(Received(draw(st.integers(0, 2**40)), ip_address(source), NOW, datagram))


@given(st.lists(payloads(), max_size=6))
@example([payload_of(READ["with prefixes"]), payload_of(READ["with an IPv6 address"])])
def test_the_quick_reader_says_what_the_thorough_one_says(drawn: list[bytes]) -> None:
    reader = QuickReader()
    for payload in (*drawn, *drawn):
        found, expected = reader.read(payload), thorough(payload)
        if not isinstance(found, tuple):
            assert found in (None, expected)
            continue
        assert isinstance(expected, tuple)
        assert (found[:1], found[2:]) == (expected[:1], expected[2:])
        assert found[1] == expected[1] or is_nobodys_class(payload)


def is_nobodys_class(payload: bytes) -> bool:
    """A Class that begins like ours but is none: what it tells equals nothing ever told, and that will do."""
    classes = parse(payload[18 + payload[17] :]).every(a.CLASS)
    return any(value.startswith(b"c1.") and read_class(value) is None for value in classes)
