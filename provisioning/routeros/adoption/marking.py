"""Putting our mark on the rows that an adoption took over: only their comments are written.

Rows are compared with the report before they are written; one that changed or went since is left alone and listed. What
was written is read back, and only then counts. A crash at any point goes on with what is left: a row that bears its
mark already is done.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import cast

from sqlalchemy import select, update

from core.actor import Actor, Source
from core.among import among
from core.database import Transaction
from core.errors import NotAllowed, Unavailable
from core.job_queue import Job
from core.jobs import handles
from core.outcomes import Applied, Outcome, Retry
from core.redaction import redact_text
from core.runtime import Runtime
from core.secrets import Secret
from provisioning.routeros.adoption.importing import need_maintenance
from provisioning.routeros.adoption.marks import Mark, changed_since
from provisioning.routeros.adoption.models import (
    CHANGED,
    GONE,
    MARKED,
    MARKING,
    OPEN,
    REFUSED,
    TAKEN,
    UNTOUCHED,
    Adoption,
    AdoptionRow,
)
from provisioning.routeros.adoption.prospect import Prospect, prospect_of
from provisioning.routeros.adoption.reading import UNREAD, Reading, read_router, talking_to
from provisioning.routeros.adoption.report import get_adoption, lock_adoption
from provisioning.routeros.connection import Command, Connection, Trapped
from provisioning.routeros.routers import ask_anew, get_router
from provisioning.routeros.rows import SENSITIVE, Menu, ObservedRow
from provisioning.timeline import narrate_each

MARK = "adoption.mark"
BATCH = 200
TURN_SECONDS = 45.0
"""How long one run may write; what is left comes with the next."""
_IGNORED = UNREAD | SENSITIVE
_LATER = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one row (`AdoptionRow.mark`); `detail`: the field that changed, or the router's words."""

    row_id: int
    mark: str
    key: str = ""
    detail: str = ""


def start_marking(tx: Transaction, *, adoption_id: int, at_once: bool = False) -> Adoption:
    """Mark the rows of all imported candidates, in the background; those that were left out before are tried again.

    NotAllowed while the router is not in maintenance, unless `at_once`: what is marked is held from then on.
    """
    adoption = lock_adoption(tx, adoption_id)
    need_maintenance(tx, adoption, at_once)
    if adoption.status != OPEN:
        raise NotAllowed(
            f"adoption {adoption_id} is {adoption.status}: wait until that is over", status=adoption.status
        )
    again = (AdoptionRow.adoption_id == adoption_id, AdoptionRow.mark.not_in((UNTOUCHED, MARKED)))
    statement = update(AdoptionRow).where(*again).values(mark=UNTOUCHED, key="", detail="")
    tx.session.execute(statement, execution_options={"synchronize_session": False})
    adoption.status, adoption.trouble = MARKING, ""
    adoption.actor, adoption.source = tx.actor.name, tx.actor.source
    tx.audit("mark", "adoption", adoption_id)
    tx.enqueue(MARK, str(adoption_id))
    return adoption


@handles(MARK, apart=True)
def continue_marking(runtime: Runtime, job: Job) -> Outcome:
    """Mark what is left of the adoption that is the job's key, for one turn."""
    adoption_id = int(job.key)
    with runtime.database.reading() as tx:
        adoption = get_adoption(tx, adoption_id)
        if adoption.status != MARKING:
            return Applied(f"adoption {adoption_id} is {adoption.status}")
        starter = Actor(adoption.actor, cast("Source", adoption.source))
        prospect = prospect_of(tx, adoption_id)
    try:
        with talking_to(runtime.database, adoption.router_id) as connection:
            results, over = mark_rows(connection, prospect, monotonic() + TURN_SECONDS)
    except Unavailable as error:
        return _later(runtime, adoption_id, error)
    with runtime.database.transaction(starter) as tx:
        return _record(tx, adoption_id, prospect, results, over)


def mark_rows(connection: Connection, prospect: Prospect, deadline: float) -> tuple[list[Result], bool]:
    """Compare, write comments, read them back. Gives what became of rows, and whether all were seen to in time."""
    menus = tuple(sorted({mark.row.menu for mark in prospect.marks.values()}))
    results, wanted = _compared(read_router(connection, menus), prospect)
    refused: dict[int, str] = {}
    places, written = list(wanted), 0
    while written < len(places) and monotonic() < deadline:
        batch = places[written : written + BATCH]
        answers = connection.write([_command(wanted[row_id]) for row_id in batch])
        traps = zip(batch, answers, strict=True)
        refused |= {row_id: answer.message for row_id, answer in traps if isinstance(answer, Trapped)}
        written += len(batch)
    after = _by_place(read_router(connection, menus)) if written else {}
    results.extend(_read_back(key, wanted[key], after, refused.get(key, "")) for key in places[:written])
    return results, written >= len(places)


def _compared(reading: Reading, prospect: Prospect) -> tuple[list[Result], dict[int, Mark]]:
    """What needs no write, and what may be written."""
    there = _by_place(reading)
    taken = {row.key for row in reading.rows if row.key is not None}
    results: list[Result] = []
    wanted: dict[int, Mark] = {}
    for row_id, mark in prospect.marks.items():
        now = there.get((mark.row.menu, mark.row.id))
        if now is None:
            results.append(Result(row_id, GONE))
        elif now.fields.get("comment") == mark.comment:
            results.append(Result(row_id, MARKED, mark.key))
        elif field := _change(mark.row.fields, now.fields, prospect.passwords.get(row_id)):
            results.append(Result(row_id, CHANGED, detail=field))
        elif mark.key in taken:
            results.append(Result(row_id, TAKEN, mark.key))
        else:
            wanted[row_id] = mark
    return results, wanted


def _change(stored: Mapping[str, str], now: Mapping[str, str], password: Secret | None) -> str:
    """The first field that is not as the report saw it, "" for none."""
    if field := changed_since(stored, now, _IGNORED):
        return field
    shown = now.get("password", "")
    return "password" if password is not None and shown and Secret(shown) != password else ""


def _command(mark: Mark) -> Command:
    """The only command that adoption ever sends: the comment of one row."""
    return Command(f"{mark.row.menu.value}/set", {".id": mark.row.id, "comment": mark.comment})


def _read_back(row_id: int, mark: Mark, after: Mapping[tuple[Menu, str], ObservedRow], refusal: str) -> Result:
    now = after.get((mark.row.menu, mark.row.id))
    if now is None:
        return Result(row_id, GONE)
    if now.fields.get("comment") == mark.comment:
        return Result(row_id, MARKED, mark.key)
    return Result(row_id, REFUSED, mark.key, redact_text(refusal or "the comment is not there"))


def _by_place(reading: Reading) -> dict[tuple[Menu, str], ObservedRow]:
    return {(row.menu, row.id): row for row in reading.rows}


def _record(tx: Transaction, adoption_id: int, prospect: Prospect, results: Sequence[Result], over: bool) -> Outcome:
    adoption = lock_adoption(tx, adoption_id)
    by_id = {result.row_id: result for result in results}
    for row in tx.session.scalars(select(AdoptionRow).where(among(tx.session, AdoptionRow.id, sorted(by_id)))):
        result = by_id[row.id]
        row.mark, row.key, row.detail = result.mark, result.key, result.detail
    _tell(tx, adoption, prospect, results)
    marked = sum(result.mark == MARKED for result in results)
    if over:
        adoption.status, adoption.trouble = OPEN, ""
        tx.audit("finish-marking", "adoption", adoption_id, after={"marked": marked, "left": len(results) - marked})
        ask_anew(tx, get_router(tx, adoption.router_id, lock=True))
    else:
        tx.enqueue(MARK, str(adoption_id))
    return Applied(f"{marked} rows marked, {len(results) - marked} left as they are")


def _tell(tx: Transaction, adoption: Adoption, prospect: Prospect, results: Sequence[Result]) -> None:
    rows: dict[int, int] = defaultdict(int)
    for result in results:
        if result.mark == MARKED:
            rows[prospect.subscriptions[result.row_id]] += 1
    name = get_router(tx, adoption.router_id).name
    narrate_each(tx, "router.adopted", {key: {"router": name, "rows": count} for key, count in sorted(rows.items())})


def _later(runtime: Runtime, adoption_id: int, error: Unavailable) -> Outcome:
    with runtime.database.transaction() as tx:
        lock_adoption(tx, adoption_id).trouble = redact_text(error.detail)
    return Retry(_LATER, error.detail)
