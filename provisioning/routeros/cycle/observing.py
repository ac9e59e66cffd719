"""Reading a router: all that is ours of it, or only the rows of a few subscriptions; many menus in one round trip."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from provisioning.routeros.connection import Connection, Read, ReadRefused
from provisioning.routeros.cycle.facts import Facts
from provisioning.routeros.desired.state import RouterRules, menus_of
from provisioning.routeros.queries import address_queries, queries, rows_found, whole_reads
from provisioning.routeros.rows import Desired, Menu, Observed, ObservedRow

_NOT_OF_FEW = frozenset({Menu.FILTER, Menu.NAT})
"""Menus that hold nothing of a single subscription."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read, and the menus that the router refused to show, with its words."""

    observed: Observed
    refused: Mapping[Menu, str] = field(default_factory=dict)


def observe(connection: Connection, wanted: Desired, rules: RouterRules) -> Observed:
    """All that a plan for this looks at; a menu that is refused is missing. RouterError."""
    return _read_menus(connection, wanted, menus_of(rules)).observed


def read_router(connection: Connection, facts: Facts) -> Reading:
    """All of the router, or what the facts are about. RouterError."""
    if facts.only is None:
        return _read_menus(connection, facts.desired, menus_of(facts.rules))
    return read_few(connection, facts)


def read_again(connection: Connection, facts: Facts, before: Reading, menus: Collection[Menu]) -> Reading:
    """The reading after something was done in these menus: the rest is as it was."""
    if facts.only is not None:
        return read_few(connection, facts)
    looked_at = set(menus)
    if looked_at & {Menu.PPP_ACTIVE, Menu.PPP_PROFILE, Menu.PPP_SECRET}:
        looked_at |= {Menu.PPP_ACTIVE, Menu.SIMPLE_QUEUE, Menu.ADDRESS_LIST}  # what the router makes by itself
    fresh = _read_menus(connection, facts.desired, looked_at & (before.observed.menus | before.refused.keys()))
    kept = tuple(row for row in before.observed.rows if row.menu not in looked_at)
    refused = {menu: words for menu, words in before.refused.items() if menu not in looked_at}
    everything = Observed((*kept, *fresh.observed.rows), before.observed.menus - looked_at | fresh.observed.menus)
    return Reading(everything, {**refused, **fresh.refused})


def read_few(connection: Connection, facts: Facts) -> Reading:
    """The rows of the subscriptions that the facts are about, and what is in their way. RouterError.

    One round trip, and another for the address lists where they have live sessions.
    """
    menus = menus_of(facts.rules) - _NOT_OF_FEW
    asked = queries(facts.desired, menus, connection.version)
    first = _ask(connection, asked)
    more = address_queries(first.rows, connection.version) if Menu.ADDRESS_LIST in menus else []
    second = _ask(connection, more) if more else first
    rows = {(row.menu, row.id): row for row in (*first.rows, *second.rows)}
    refused = {**first.refused, **second.refused}
    return Reading(Observed(tuple(rows.values()), menus - refused.keys(), facts.only), refused)


def _read_menus(connection: Connection, wanted: Desired, menus: Collection[Menu]) -> Reading:
    found = _ask(connection, whole_reads(wanted, menus, connection.version))
    return Reading(Observed(found.rows, frozenset(menus) - found.refused.keys()), found.refused)


def _ask(connection: Connection, asked: Sequence[Read]) -> _Found:
    found, refused = [], {}
    for read, answer in zip(asked, connection.read_many(asked), strict=True):
        if isinstance(answer, ReadRefused):
            refused[Menu(read.path)] = str(answer)
        else:
            found.append((read, answer))
    return _Found(rows_found(found, connection.version), refused)


@dataclass(frozen=True, slots=True)
class _Found:
    rows: tuple[ObservedRow, ...]
    refused: Mapping[Menu, str]
