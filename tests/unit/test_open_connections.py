"""Which connections end when a restriction comes to stand on a router: those of whom it is for, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any

import pytest

from provisioning.routeros.cycle.open_connections import batches, connections_of, halves, newly_restricted, removal
from provisioning.routeros.rows import Add, Change, DesiredRow, Menu, Move, ObservedRow, Remove, Step
from tests.factories_desired import PAUSED, SUSPENDED, rules

HOME = "100.64.0.9"


def entry(name: str = SUSPENDED, address: str = HOME, menu: Menu = Menu.ADDRESS_LIST) -> DesiredRow:
    return DesiredRow(menu, f"s42:list:{name}:{address}", {"list": name, "address": address, "disabled": "no"}, 42)


def changed(row: DesiredRow, **fields: str) -> Change:
    return Change(row, "*1", fields, dict.fromkeys(fields, ""))


GONE = ObservedRow(Menu.ADDRESS_LIST, "*1", entry().fields, "s42:list")
QUEUE = DesiredRow(Menu.SIMPLE_QUEUE, "s42:queue", {"name": "x", "target": HOME}, 42)
STEPS: Mapping[str, tuple[Step, set[str]]] = {
    "suspended": (Add(entry()), {f"{HOME}/32"}),
    "paused": (Add(entry(PAUSED)), {f"{HOME}/32"}),
    "a network routed to it": (Add(entry(address="198.51.100.0/28")), {"198.51.100.0/28"}),
    "only warned": (Add(entry("warned")), set()),
    "what the garden allows": (Add(entry("catraca-allowed", "pix.bank.example")), set()),
    "everybody": (Add(entry(address="0.0.0.0/0")), set()),
    "a queue": (Add(QUEUE), set()),
    "an entry that was disabled": (changed(entry(), disabled="no"), {f"{HOME}/32"}),
    "an entry that was in another list": (changed(entry(), list=SUSPENDED), {f"{HOME}/32"}),
    "an entry whose mark was mended": (changed(entry(), comment="catraca:s42"), set()),
    "restored": (Remove(GONE, 42), set()),
    "moved": (Move(entry(), "*1", None), set()),
}


@pytest.mark.parametrize(("step", "expected"), STEPS.values(), ids=STEPS)
def test_who_has_just_been_restricted(step: Step, expected: set[str]) -> None:
    assert newly_restricted([step], rules()) == {IPv4Network(network) for network in expected}


def test_a_list_without_a_name_is_nobodys() -> None:
    nameless = rules(suspended_list="", paused_list="")
    assert newly_restricted([Add(entry(""))], nameless) == frozenset()


NETWORKS = (IPv4Network(f"{HOME}/32"), IPv4Network("198.51.100.16/28"))
SOURCES: Mapping[str, tuple[str, bool]] = {
    "with a port": (f"{HOME}:50000", True),
    "without ports": (HOME, True),
    "first of the network": ("198.51.100.16:1", True),
    "last of the network": ("198.51.100.31", True),
    "before the network": ("198.51.100.15:1", False),
    "behind the network": ("198.51.100.32", False),
    "a neighbour": ("100.64.0.8:50000", False),
    "an address that begins alike": ("100.64.0.90:50000", False),
    "IPv6": ("2001:db8::9", False),
    "IPv6 with a port": ("[2001:db8::9]:50000", False),
    "nothing": ("", False),
}


@pytest.mark.parametrize(("source", "expected"), SOURCES.values(), ids=SOURCES)
def test_whose_connection_it_is(source: str, expected: bool) -> None:
    rows: list[dict[str, Any]] = [{".id": "*1F", "src-address": source}]
    assert connections_of(rows, NETWORKS) == (["*1F"] if expected else [])


def test_a_row_that_cannot_be_named_is_left() -> None:
    assert connections_of([{"src-address": HOME}, {".id": "0", "src-address": HOME}, {".id": "*1"}], NETWORKS) == []
    assert connections_of([{".id": "*1", "src-address": HOME}], ()) == []


def test_they_go_in_batches_and_one_that_is_gone_is_found_by_halving() -> None:
    ids = [f"*{number:X}" for number in range(1, 121)]
    assert [len(batch) for batch in batches(ids)] == [50, 50, 20]
    assert removal(ids[:3]).words == {".id": "*1,*2,*3"}
    assert (halves(ids[:3]), halves(ids[:1])) == ([["*1"], ["*2", "*3"]], [])
