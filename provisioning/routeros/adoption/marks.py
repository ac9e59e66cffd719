"""Which mark each adopted row is to bear, and whether it is still the row that the report saw. Pure.

The keys are those of the rows that the facts demand (`desired`): what is marked by them is changed by the next plan,
not added again. A row for which nothing is demanded stays as it is, without a mark.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from provisioning.routeros.adoption.facts import Remark
from provisioning.routeros.adoption.grouping import host, plain_mac
from provisioning.routeros.mark import comment_of
from provisioning.routeros.rows import DesiredRow, Menu, ObservedRow

ONE_EACH = (Menu.PPP_SECRET, Menu.SIMPLE_QUEUE, Menu.DHCP_LEASE, Menu.IP_BINDING)
"""Menus in which a subscription has one row; the address lists have one for each list and address."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A row, the key that it is to bear, and its whole comment then: the mark, and behind it what stood there."""

    row: ObservedRow
    key: str
    comment: str


@dataclass(frozen=True, slots=True)
class Unmarked:
    """A row that gets no mark, and why."""

    row: ObservedRow
    why: Remark


def marks_for(rows: Iterable[ObservedRow], demanded: Sequence[DesiredRow]) -> tuple[list[Mark], list[Unmarked]]:
    """The marks of one subscription's rows, by the rows that the facts demand for it on this router."""
    left = list(rows)
    marks: list[Mark] = []
    for wanted in demanded:
        fitting = [row for row in left if _fits(row, wanted)]
        if not fitting:
            continue
        best = max(fitting, key=lambda row: _likeness(row, wanted))  # of equals the first
        left.remove(best)
        marks.append(Mark(best, wanted.key, comment_of(wanted.key, best.fields.get("comment", ""))))
    return marks, [Unmarked(row, _why(row)) for row in left]


def changed_since(before: Mapping[str, str], now: Mapping[str, str], ignored: frozenset[str]) -> str:
    """The first field that is not as it was; "" when all are. What is absent and what is empty are the same."""
    names = sorted((before.keys() | now.keys()) - ignored)
    return next((name for name in names if before.get(name, "") != now.get(name, "")), "")


def _fits(row: ObservedRow, wanted: DesiredRow) -> bool:
    if row.menu is not wanted.menu:
        return False
    if row.menu is Menu.ADDRESS_LIST:
        same_list = row.fields.get("list") == wanted.fields["list"]
        return same_list and host(row.fields.get("address", "")) == host(wanted.fields["address"])
    return row.menu in ONE_EACH


def _likeness(row: ObservedRow, wanted: DesiredRow) -> int:
    """How much of what tells rows apart is the same."""
    mine, theirs = row.fields, wanted.fields
    return sum(
        (
            bool(theirs.get("name")) and mine.get("name") == theirs.get("name"),
            bool(theirs.get("address")) and host(mine.get("address", "")) == host(theirs["address"]),
            bool(theirs.get("target")) and host(mine.get("target", "")) == host(theirs["target"]),
            bool(theirs.get("mac-address"))
            and plain_mac(mine.get("mac-address", "")) == plain_mac(theirs["mac-address"]),
        )
    )


def _why(row: ObservedRow) -> Remark:
    return Remark("unmarked_queue" if row.menu is Menu.SIMPLE_QUEUE else "unmarked")
