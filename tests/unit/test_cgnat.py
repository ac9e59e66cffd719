"""Deterministic port blocks: both ways, for rules of any shape."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipam.cgnat import LAYOUTS, Mapping, PortBlock
from ipam.cgnat_routeros import commands
from ipam.space import Block

INSIDE, OUTSIDE = int(IPv4Address("100.64.0.0")), int(IPv4Address("203.0.113.0"))


def mapping(inside: int, outside: int, block_size: int, layout: str = "sequential", **ports: int) -> Mapping:
    """So many inside and outside addresses."""
    span = Block(ports.get("first", 1024), ports.get("last", 65_535))
    there = Block(OUTSIDE, OUTSIDE + outside - 1)
    return Mapping(Block(INSIDE, INSIDE + inside - 1), there, span, block_size, layout)  # type: ignore[arg-type]


@st.composite
def mappings(draw: st.DrawFn) -> Mapping:
    """Valid rules of any size that can be enumerated."""
    first = draw(st.integers(1, 65_000))
    last = draw(st.integers(first, 65_535))
    size = draw(st.integers(1, last - first + 1))
    outside = draw(st.integers(1, 40))
    most = (last - first + 1) // size * outside
    inside = draw(st.integers(1, min(most, 400)))
    return mapping(inside, outside, size, draw(st.sampled_from(LAYOUTS)), first=first, last=last)


@given(mappings())
def test_no_port_is_two_inside_addresses(rule: Mapping) -> None:
    assert rule.problem is None
    blocks = [rule.block_of(IPv4Address(number)) for number in range(rule.inside.first, rule.inside.last + 1)]
    taken: set[tuple[IPv4Address, int]] = set()
    for block in blocks:
        assert block is not None
        assert int(block.outside) in rule.outside
        assert rule.ports.first <= block.first_port <= block.last_port <= rule.ports.last
        assert block.last_port - block.first_port + 1 == rule.block_size
        assert (block.first_port - rule.ports.first) % rule.block_size == 0
        taken.add((block.outside, block.first_port))
    assert len(taken) == rule.inside.size


@given(mappings(), st.data())
def test_every_port_of_a_block_leads_back(rule: Mapping, data: st.DataObject) -> None:
    inside = IPv4Address(data.draw(st.integers(rule.inside.first, rule.inside.last)))
    block = rule.block_of(inside)
    assert block is not None
    port = data.draw(st.integers(block.first_port, block.last_port))
    assert rule.inside_of(block.outside, port) == inside


@given(mappings(), st.data())
def test_a_port_that_leads_inside_is_in_that_address_s_block(rule: Mapping, data: st.DataObject) -> None:
    outside = IPv4Address(data.draw(st.integers(rule.outside.first - 1, rule.outside.last + 1)))
    port = data.draw(st.integers(0, 65_535))
    inside = rule.inside_of(outside, port)
    if inside is None:
        return
    block = rule.block_of(inside)
    assert block is not None
    assert block.outside == outside
    assert block.first_port <= port <= block.last_port


PLACES = {
    "the first": ("sequential", 0, "203.0.113.0", 1024, 2031),
    "its neighbour": ("sequential", 1, "203.0.113.0", 2032, 3039),
    "the last of an outside address": ("sequential", 63, "203.0.113.0", 64_528, 65_535),
    "the first of the next": ("sequential", 64, "203.0.113.1", 1024, 2031),
    "netmap: the first": ("netmap", 0, "203.0.113.0", 1024, 2031),
    "netmap: its neighbour": ("netmap", 1, "203.0.113.1", 1024, 2031),
    "netmap: the last outside address": ("netmap", 31, "203.0.113.31", 1024, 2031),
    "netmap: the second block": ("netmap", 32, "203.0.113.0", 2032, 3039),
}


@pytest.mark.parametrize(("layout", "number", "outside", "first", "last"), PLACES.values(), ids=PLACES.keys())
def test_a_place_by_hand(layout: str, number: int, outside: str, first: int, last: int) -> None:
    rule = mapping(2048, 32, 1008, layout)
    assert rule.block_of(IPv4Address(INSIDE + number)) == PortBlock(IPv4Address(outside), first, last)


OUT_OF_PLACE = {
    "below the ports": ("203.0.113.0", 1023),
    "above the last block": ("203.0.113.0", 65_100),
    "a block that nobody has": ("203.0.113.1", 65_000),
    "below the outside range": ("203.0.112.255", 2000),
    "above the outside range": ("203.0.113.2", 2000),
}


@pytest.mark.parametrize(("outside", "port"), OUT_OF_PLACE.values(), ids=OUT_OF_PLACE.keys())
def test_whose_is_nobody_s(outside: str, port: int) -> None:
    rule = mapping(63, 2, 2000)  # 32 blocks each, 511 ports over; the second address has one block over
    assert rule.blocks == 32
    assert rule.inside_of(IPv4Address(outside), port) is None


def test_an_address_outside_of_the_rule_has_no_block() -> None:
    assert mapping(4, 1, 1000).block_of(IPv4Address(INSIDE + 4)) is None
    assert mapping(4, 1, 1000).block_of(IPv4Address(INSIDE - 1)) is None


PROBLEMS = {
    "fits exactly": (2048, 32, 1008, None),
    "one too many": (2049, 32, 1008, "32 outside addresses × 64 blocks of 1008 ports (64512 ports ÷ 1008) serve 2048"),
    "no block fits": (1, 1, 64_513, "a block of 64513 ports does not fit into the 64512 ports"),
}


@pytest.mark.parametrize(("inside", "outside", "size", "words"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_a_rule_that_is_too_small_says_the_arithmetic(inside: int, outside: int, size: int, words: str | None) -> None:
    problem = mapping(inside, outside, size).problem
    assert (problem is None) if words is None else (problem is not None and words in problem)


@given(mappings())
def test_routeros_does_what_the_rule_says(rule: Mapping) -> None:
    """The commands, carried out: netmap keeps the host bits, src-nat has one address."""
    said: dict[IPv4Address, PortBlock] = {}
    for line in list(commands(rule, "pop 1"))[1:]:
        words = dict(word.split("=", 1) for word in line.split(" comment=")[0].split()[1:])
        if words.get("protocol") == "tcp":
            low, high = (int(port) for port in words["to-ports"].split("-"))
            first, _, last = words["src-address"].partition("-")
            for number in range(int(IPv4Address(first)), int(IPv4Address(last or first)) + 1):
                there = IPv4Network(words["to-addresses"])
                kept = number & int(there.hostmask) if words["action"] == "netmap" else 0
                said[IPv4Address(number)] = PortBlock(IPv4Address(int(there.network_address) + kept), low, high)
    inside = [IPv4Address(number) for number in range(rule.inside.first, rule.inside.last + 1)]
    assert said == {address: rule.block_of(address) for address in inside}


def test_a_netmap_rule_is_three_commands_a_block() -> None:
    lines = list(commands(mapping(64, 32, 1008, "netmap"), 'pop "1"; /quit'))
    assert lines[0] == "/ip firewall nat"
    assert lines[1] == (
        "add chain=srcnat action=netmap protocol=tcp src-address=100.64.0.0-100.64.0.31"
        ' to-addresses=203.0.113.0/27 to-ports=1024-2031 comment="cgnat pop _1__ /quit"'
    )
    assert len(lines) == 1 + 2 * 3
