"""What marking the adopted rows would do, and what the next plan would change of them then. Nothing is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from sqlalchemy import select

from core.database import Transaction
from core.secrets import Secret
from provisioning.routeros.adoption.grouping import READ
from provisioning.routeros.adoption.marks import Mark, Unmarked, marks_for
from provisioning.routeros.adoption.models import IMPORTED, UNTOUCHED, Adoption, AdoptionCandidate, AdoptionRow
from provisioning.routeros.adoption.report import get_adoption
from provisioning.routeros.connection import RouterVersion
from provisioning.routeros.desired.state import desired, menus_of
from provisioning.routeros.menus import observed_row
from provisioning.routeros.plan.smallest import plan
from provisioning.routeros.routers import get_router
from provisioning.routeros.rows import SENSITIVE, Add, Change, Desired, Menu, Observed, ObservedRow
from provisioning.routeros.services.loading import load_served, rules_of

HIDDEN = "•••"


@dataclass(frozen=True, slots=True)
class Prospect:
    """What marking would do to the rows of imported candidates, by their ids in `adoption_row`.

    `marks`: the rows to mark; `unmarked`: those that stay as they are; `subscriptions`: whose each is; `passwords`: of
    the secrets, as the report saw them; `demanded`: what the facts demand of the router for these subscriptions.
    """

    marks: Mapping[int, Mark]
    unmarked: Mapping[int, Unmarked]
    subscriptions: Mapping[int, int]
    passwords: Mapping[int, Secret] = field(repr=False)
    demanded: Desired = field(repr=False)


@dataclass(frozen=True, slots=True)
class Announced:
    """What the next plan would do once all is marked: field → (now, then) by row; new rows by menu."""

    changes: Mapping[int, Mapping[str, tuple[str, str]]]
    adds: Mapping[str, int]
    problems: tuple[str, ...]


def prospect_of(tx: Transaction, adoption_id: int) -> Prospect:
    """By the facts as they are; rows that are marked already are left out."""
    adoption = get_adoption(tx, adoption_id)
    found = _adopted(tx, adoption, UNTOUCHED)
    demanded = _demanded(tx, adoption, {key for _, key, _ in found})
    of_each: dict[int, list[AdoptionRow]] = defaultdict(list)
    for row, key, _ in found:
        of_each[key].append(row)
    wanted = defaultdict(list)
    for demand in demanded.rows:
        wanted[demand.subscription_id].append(demand)
    marks: dict[int, Mark] = {}
    unmarked: dict[int, Unmarked] = {}
    for key, rows in of_each.items():
        ids = {(row.menu, row.row_id): row.id for row in rows}
        good, bad = marks_for(map(observed_of, rows), wanted[key])
        marks.update({ids[one.row.menu.value, one.row.id]: one for one in good})
        unmarked.update({ids[one.row.menu.value, one.row.id]: one for one in bad})
    passwords = {row.id: secret for row, _, secret in found if row.menu == Menu.PPP_SECRET and secret is not None}
    return Prospect(marks, unmarked, {row.id: key for row, key, _ in found}, passwords, demanded)


def announced(tx: Transaction, adoption_id: int, prospect: Prospect) -> Announced:
    """What the next plan would do of itself, if the router is as the report saw it and all of `prospect` is marked."""
    adoption = get_adoption(tx, adoption_id)
    router = get_router(tx, adoption.router_id)
    ids = frozenset(prospect.subscriptions.values())
    rows = {
        row.id: row for row in tx.session.scalars(select(AdoptionRow).where(AdoptionRow.adoption_id == adoption_id))
    }
    keys = {row_id: mark.key for row_id, mark in prospect.marks.items()}
    version = version_of(adoption.version)
    seen = [_seen(row, keys.get(row.id), prospect.passwords.get(row.id), version) for row in rows.values()]
    menus = frozenset(Menu(row.menu) for row in rows.values()) | _read_menus(adoption)
    observed = Observed(tuple(seen), menus & menus_of(rules_of(router, tx.settings)), ids)
    made = plan(prospect.demanded, observed, removal_cap=0)
    by_key = {key: row_id for row_id, key in keys.items()}
    changes: dict[int, Mapping[str, tuple[str, str]]] = {}
    adds: dict[str, int] = defaultdict(int)
    for step in made.steps:
        if isinstance(step, Change) and step.row.key in by_key:
            changes[by_key[step.row.key]] = dict(_masked(step))
        elif isinstance(step, Add):
            adds[step.row.menu.value] += 1
    return Announced(changes, dict(adds), tuple(problem.words for problem in made.problems))


def observed_of(row: AdoptionRow) -> ObservedRow:
    """The row as the report saw it, without its password."""
    return ObservedRow(Menu(row.menu), row.row_id, row.fields, None, row.position)


def version_of(text: str) -> RouterVersion:
    """From what the report keeps of the router's release: `7.20.4`."""
    parts = [int(part) for part in text.split(".") if part.isdecimal()]
    padded = [*parts, 0, 0, 0]
    return RouterVersion(*padded[:3])


def _seen(row: AdoptionRow, key: str | None, password: Secret | None, version: RouterVersion) -> ObservedRow:
    raw = {".id": row.row_id, **row.fields}
    if password is not None:
        raw["password"] = password.reveal()
    plain = observed_row(Menu(row.menu), raw, row.position, version)
    return ObservedRow(plain.menu, plain.id, plain.fields, key or plain.key, plain.position)


def _masked(step: Change) -> Iterable[tuple[str, tuple[str, str]]]:
    for name, value in step.fields.items():
        yield name, (HIDDEN, HIDDEN) if name in SENSITIVE else (step.was.get(name, ""), value)


def _read_menus(adoption: Adoption) -> frozenset[Menu]:
    """The menus that the report read, those without rows too."""
    return frozenset(menu for menu in READ if menu.value not in adoption.unread)


def _adopted(tx: Transaction, adoption: Adoption, mark: str) -> list[tuple[AdoptionRow, int, Secret | None]]:
    query = select(AdoptionRow, AdoptionCandidate.subscription_id, AdoptionCandidate.password)
    query = query.join(AdoptionCandidate, AdoptionCandidate.id == AdoptionRow.candidate_id)
    query = query.where(
        AdoptionRow.adoption_id == adoption.id, AdoptionRow.mark == mark, AdoptionCandidate.status == IMPORTED
    )
    found = tx.session.execute(query.order_by(AdoptionRow.id))
    return [(row, cast("int", key), secret) for row, key, secret in found]


def _demanded(tx: Transaction, adoption: Adoption, ids: Iterable[int]) -> Desired:
    router = get_router(tx, adoption.router_id)
    return desired(load_served(tx, router, sorted(ids)), rules_of(router, tx.settings))
