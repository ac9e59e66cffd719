"""Rows that a router makes itself because of others: counters of fasttrack, and the addresses behind listed names.

They are dynamic: they go with what they are there for, and nobody changes or moves them.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable

from lab.routeros.state import RouterState
from lab.routeros.table import Row, Table

_ADDRESS = re.compile(rb"[0-9./-]+|.*:.*")
_FILTER = "/ip/firewall/filter"
_WORDS = b"special dummy rule to show fasttrack counters"
_CHAINS = {_FILTER: b"forward", "/ip/firewall/mangle": b"prerouting"}
_LISTS = {"/ip/firewall/address-list": "198.51.100.{}", "/ipv6/firewall/address-list": "2001:db8:5353::{:x}/128"}


def is_counter_rule(row: Row) -> bool:
    return row.dynamic and row.fields.get("comment") == _WORDS


def keep_own_rows(state: RouterState, table: Table, touched: Iterable[Row]) -> None:
    """After rows of a menu were added, changed or removed."""
    if table.spec.path == _FILTER:
        _keep_counter_rules(state, table)
    elif table.spec.path in _LISTS:
        for row in touched:
            _keep_resolved(state, table, row)


def resolve_again(state: RouterState) -> None:
    """After a start: the addresses behind all listed names."""
    state.resolved.clear()
    _keep_counter_rules(state, state.tables[_FILTER])
    for path in _LISTS.keys() & state.tables.keys():
        keep_own_rows(state, state.tables[path], list(state.tables[path].rows.values()))


def _keep_counter_rules(state: RouterState, table: Table) -> None:
    wanted = any(
        table.rows[number].fields.get("disabled") != b"true"
        for number in table.where("action", b"fasttrack-connection")
    )
    for path, chain in _CHAINS.items():
        _keep_counter_rule(state, state.tables[path], chain, wanted)


def _keep_counter_rule(state: RouterState, table: Table, chain: bytes, wanted: bool) -> None:
    present = [table.rows[number] for number in table.where("comment", _WORDS) if table.rows[number].dynamic]
    if present and not wanted:
        state.remove(table, present[0])
    elif wanted and not present:
        fields = {"chain": chain, "action": b"passthrough", "dynamic": b"true", "comment": _WORDS}
        state.add(table, fields, next(iter(table.rows), None))


def _keep_resolved(state: RouterState, table: Table, row: Row) -> None:
    """A static entry with a name has a dynamic one with its address beside it."""
    place = (table.spec.path, row.number)
    old = state.resolved.pop(place, None)
    if old is not None and old.number in table.rows:
        state.remove(table, old)
    live = row.number in table.rows and not row.dynamic and row.fields.get("disabled") != b"true"
    if live and not _ADDRESS.fullmatch(row.fields["address"]):
        name = row.fields["address"]
        address = _LISTS[table.spec.path].format(zlib.crc32(name) % 250 + 1).encode()
        fields = {"list": row.fields["list"], "address": address, "comment": name}
        made = {**fields, "creation-time": state.stamp(), "dynamic": b"true"}
        state.resolved[place] = state.add(table, made)
