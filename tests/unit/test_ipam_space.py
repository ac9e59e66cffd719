"""The arithmetic of address space, against the standard library and against counting one by one."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipam.space import (
    AddressState,
    Block,
    Layout,
    Network,
    Utilisation,
    first_gap,
    first_outside,
    hosts_of,
    whole_of,
)

SMALL = st.builds(
    lambda number, length: IPv4Network((number >> (32 - length) << (32 - length), length)),
    st.integers(0x0A000000, 0x0AFFFFFF),
    st.integers(23, 32),
)


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """A small network, with or without a gateway, with blocks reserved that do not meet each other."""
    network = draw(SMALL)
    whole = whole_of(network)
    hosts = hosts_of(network)
    gateway = draw(st.none() | st.integers(hosts.first, hosts.last))
    cuts = sorted(draw(st.sets(st.integers(whole.first, whole.last), max_size=6)))
    pairs = zip(cuts[::2], cuts[1::2], strict=False)
    return Layout(network, gateway, tuple(Block(first, last) for first, last in pairs))


@pytest.mark.parametrize(
    ("network", "first", "last"),
    [
        pytest.param(IPv4Network("10.0.0.0/24"), "10.0.0.1", "10.0.0.254", id="a-network-and-a-broadcast"),
        pytest.param(IPv4Network("10.0.0.4/30"), "10.0.0.5", "10.0.0.6", id="the-smallest-with-both"),
        pytest.param(IPv4Network("10.0.0.4/31"), "10.0.0.4", "10.0.0.5", id="point-to-point-rfc-3021"),
        pytest.param(IPv4Network("10.0.0.4/32"), "10.0.0.4", "10.0.0.4", id="one-host"),
        pytest.param(
            IPv6Network("2001:db8::/64"), "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", id="no-v6-broadcast"
        ),
        pytest.param(IPv6Network("2001:db8::/127"), "2001:db8::", "2001:db8::1", id="point-to-point-rfc-6164"),
    ],
)
def test_hosts(network: Network, first: str, last: str) -> None:
    kind = type(network.network_address)
    assert hosts_of(network) == Block(int(kind(first)), int(kind(last)))


@given(SMALL)
def test_hosts_are_those_of_the_standard_library(network: IPv4Network) -> None:
    hosts = hosts_of(network)
    assert [IPv4Address(number) for number in range(hosts.first, hosts.last + 1)] == list(network.hosts())


LAYOUT = Layout(
    IPv4Network("10.0.0.0/28"),
    int(IPv4Address("10.0.0.1")),
    (Block(int(IPv4Address("10.0.0.4")), int(IPv4Address("10.0.0.6"))),),
)


@pytest.mark.parametrize(
    ("last_octet", "rule"),
    [
        pytest.param(0, AddressState.NETWORK, id="network"),
        pytest.param(1, AddressState.GATEWAY, id="gateway"),
        pytest.param(2, None, id="host-behind-the-gateway"),
        pytest.param(3, None, id="host-before-the-range"),
        pytest.param(4, AddressState.RESERVED, id="range-first"),
        pytest.param(6, AddressState.RESERVED, id="range-last"),
        pytest.param(7, None, id="host-behind-the-range"),
        pytest.param(14, None, id="last-host"),
        pytest.param(15, AddressState.BROADCAST, id="broadcast"),
    ],
)
def test_rule_on(last_octet: int, rule: AddressState | None) -> None:
    assert LAYOUT.rule_on(int(IPv4Address("10.0.0.0")) + last_octet) == rule


@given(layouts())
def test_counts_equal_counting(layout: Layout) -> None:
    rules = [layout.rule_on(number) for number in range(layout.whole.first, layout.whole.last + 1)]
    assert layout.usable == sum(rule in (None, AddressState.RESERVED) for rule in rules)
    assert layout.reserved_count == rules.count(AddressState.RESERVED)


@given(layouts(), st.data())
def test_first_outside_is_the_first_that_no_rule_forbids(layout: Layout, data: st.DataObject) -> None:
    hosts = layout.hosts
    start = data.draw(st.integers(hosts.first, hosts.last + 1))
    allowed = [number for number in range(start, hosts.last + 1) if layout.rule_on(number) is None]
    assert first_outside(start, hosts.last, layout.barred) == (allowed[0] if allowed else None)


@given(st.integers(0, 50), st.sets(st.integers(0, 100)))
def test_first_gap_is_the_first_not_taken(start: int, numbers: set[int]) -> None:
    taken = sorted(number for number in numbers if number >= start)
    assert first_gap(start, taken) == next(number for number in range(start, 200) if number not in numbers)


@given(
    st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted),
    st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted),
)
def test_blocks_are_sets_of_numbers(one: list[int], other: list[int]) -> None:
    ours, theirs = Block(*one), Block(*other)
    common = set(range(one[0], one[1] + 1)) & set(range(other[0], other[1] + 1))
    assert ours.overlaps(theirs) == theirs.overlaps(ours) == bool(common)
    assert ours.within(theirs) == (Block(min(common), max(common)) if common else None)
    assert ours.size == sum(number in ours for number in range(40))


@pytest.mark.parametrize(
    ("counts", "free", "percent"),
    [
        pytest.param((6, 0, 0, 0), 6, 0.0, id="empty"),
        pytest.param((6, 1, 1, 1), 3, 50.0, id="half"),
        pytest.param((6, 4, 1, 1), 0, 100.0, id="full"),
        pytest.param((3, 1, 0, 0), 2, 33.3, id="one-decimal"),
        pytest.param((65534, 65533, 0, 0), 1, 99.9, id="one-left-is-not-full"),
        pytest.param((0, 0, 0, 0), 0, 100.0, id="nothing-to-give"),
    ],
)
def test_utilisation(counts: tuple[int, int, int, int], free: int, percent: float) -> None:
    use = Utilisation(*counts)
    assert (use.free, use.percent) == (free, percent)
