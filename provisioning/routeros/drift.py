"""Drift: rows of ours that somebody changed at the router, though no fact did.

What is desired is what was last proven, and yet something else is there: then it was a hand, not our delay. Services
whose facts have changed since are never taken for drift. What is found is listed before anything is repaired, so that
no crash makes it unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update

from core.among import among
from core.database import Transaction
from provisioning.routeros.connection import Connection, ReadRefused
from provisioning.routeros.cycle.apply_report import owner_of
from provisioning.routeros.cycle.records import OWN, Record
from provisioning.routeros.models import RouterDrift
from provisioning.routeros.router_log import FIELDS, Entry, entries_of, who_changed
from provisioning.routeros.rows import SENSITIVE, Add, Change, EndSession, Menu, Move, Plan, Remove, Step

HIDDEN = "•••"
_NAMES = ("name", "address", "dst-address", "target", "mac-address", "chain")


@dataclass(frozen=True, slots=True)
class Found:
    """One row that somebody changed; `details`: field → [ours, theirs]."""

    subscription_id: int | None
    menu: Menu
    key: str
    name: str
    kind: str
    details: Mapping[str, list[str]]


def drifted(
    records: Mapping[int, Record], desired: Mapping[int, str], observed: Mapping[int, str], touched: Collection[int]
) -> frozenset[int]:
    """The subscriptions (0: the router's own rows) whose rows somebody changed."""
    return frozenset(
        key
        for key, record in records.items()
        if key not in touched
        and record.proven == desired.get(key, "")
        and observed.get(key, "") != desired.get(key, "")
        and (record.proven or record.observed_at)
    )


def found_in(plan: Plan, whose: Collection[int]) -> list[Found]:
    """The rows of these subscriptions that the plan would mend."""
    mine = [step for step in plan.steps if (owner_of(step) or OWN) in whose]
    return [found for step in mine if (found := _found(step)) is not None]


def _found(step: Step) -> Found | None:
    match step:
        case Add(row=row):
            return Found(row.subscription_id, row.menu, row.key, _name(row.fields, row.key), "removed", {})
        case Change(row=row, fields=fields, was=was):
            shown = {name: _pair(name, fields[name], was.get(name, "")) for name in fields}
            return Found(row.subscription_id, row.menu, row.key, _name(row.fields, row.key), "changed", shown)
        case Move(row=row):
            return Found(row.subscription_id, row.menu, row.key, _name(row.fields, row.key), "changed", {"place": []})
        case Remove(row=row) if row.menu is Menu.PPP_PROFILE:
            return None  # a turn for a few leaves a profile behind that nobody uses any more
        case Remove(row=row, subscription_id=subscription_id):
            return Found(subscription_id, row.menu, row.key or row.id, row.name, "added", {})
        case EndSession():
            return None


def _pair(name: str, ours: str, theirs: str) -> list[str]:
    return [HIDDEN, HIDDEN] if name in SENSITIVE else [ours, theirs]


def _name(fields: Mapping[str, str], key: str) -> str:
    return next((fields[name] for name in _NAMES if fields.get(name)), key)[:255]


def read_log(connection: Connection, our_login: str) -> list[Entry]:
    """What the router's log tells of changes, newest first; nothing where it may not be read."""
    try:
        return entries_of(connection.read("/log", FIELDS), our_login)
    except ReadRefused:
        return []


def list_drift(tx: Transaction, router_id: int, found: Sequence[Found], entries: Sequence[Entry]) -> None:
    """Open a row for each that is not open yet."""
    rows = RouterDrift
    listed = select(rows.menu, rows.key, rows.kind).where(rows.router_id == router_id, rows.status == "open")
    known = {tuple(row) for row in tx.session.execute(listed)}
    fresh = [item for item in found if (item.menu.value, item.key, item.kind) not in known]
    made = [_row(tx, router_id, item, who_changed(entries, item.menu, item.kind, item.name)) for item in fresh]
    if made:
        tx.session.execute(insert(RouterDrift), made)


def _row(tx: Transaction, router_id: int, item: Found, who: str) -> dict[str, Any]:
    return {
        "router_id": router_id,
        "subscription_id": item.subscription_id,
        "menu": item.menu.value,
        "key": item.key,
        "name": item.name,
        "kind": item.kind,
        "details": dict(item.details),
        "found_at": tx.now,
        "who": who,
        "status": "open",
        "ended_at": None,
    }


def end_drift(tx: Transaction, router_id: int, in_step: Callable[[int], bool], status: str) -> int:
    """Close the open rows of whoever is in step again; gives how many. `status`: repaired or gone."""
    rows = RouterDrift
    opened = tx.session.execute(
        select(rows.id, rows.subscription_id).where(rows.router_id == router_id, rows.status == "open")
    )
    over = [key for key, subscription_id in opened if in_step(subscription_id or OWN)]
    if over:
        ended = update(rows).where(among(tx.session, rows.id, over)).values(status=status, ended_at=tx.now)
        tx.session.execute(ended, execution_options={"synchronize_session": False})
    return len(over)
