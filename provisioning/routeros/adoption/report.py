"""Taking over what a router already has: the report, and what is decided about each candidate.

Nothing here talks to a router. The order is `read_router` → `store_report` → decisions → `adoption_import` →
`adoption_marking`; only the last writes to the router, and only comments.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast

from sqlalchemy import ColumnElement, func, select, update

from core.among import among
from core.database import Transaction
from core.errors import Conflict, NotAllowed, NotFound
from core.rows import get_row, lock_row
from core.secrets import Secret
from provisioning import checks
from provisioning.routeros.adoption.facts import Candidate
from provisioning.routeros.adoption.known import load_known
from provisioning.routeros.adoption.match import match
from provisioning.routeros.adoption.models import CLOSED, OPEN, Adoption, AdoptionCandidate, AdoptionRow
from provisioning.routeros.adoption.reading import Reading
from provisioning.routeros.routers import get_router
from provisioning.routeros.rows import SENSITIVE, ObservedRow


def refuse_second(tx: Transaction, router: int | str) -> int:
    """The router's id. Conflict while another adoption of it is not closed."""
    row = get_router(tx, router)
    there = select(Adoption.id).where(Adoption.router_id == row.id, Adoption.status != CLOSED)
    if (other := tx.session.scalar(there)) is not None:
        raise Conflict(f"adoption {other} of router {row.name} is not closed yet: close it first", adoption_id=other)
    return row.id


def store_report(tx: Transaction, *, router: int | str, reading: Reading, restricting: Sequence[str] = ()) -> Adoption:
    """Compare what was read with what is known, and keep it. Conflict while another adoption of the router is open.

    `restricting`: lists in which the router's people put whoever is suspended, beside the product's own.
    """
    router_id = refuse_second(tx, router)
    lists = [checks.required_text(name, "restricting", 64, "bloqueados") for name in restricting]
    report = match(reading.rows, load_known(tx, router_id, lists))
    adoption = Adoption(
        router_id=router_id, status=OPEN, version=reading.version, identity=reading.identity, restricting=lists,
        counts=report.counts(), left_rows=len(report.left), unread=dict(reading.unread), actor=tx.actor.name,
        source=tx.actor.source, started_at=tx.now,
    )  # fmt: skip
    tx.session.add(adoption)
    tx.session.flush()
    stored = [_candidate(adoption.id, candidate) for candidate in report.candidates]
    tx.session.add_all(stored)
    tx.session.flush()
    for row, candidate in zip(stored, report.candidates, strict=True):
        tx.session.add_all([_row(adoption.id, observed, row.id) for observed in candidate.group.rows])
    tx.session.add_all([_row(adoption.id, left.row, why=left.why.stored) for left in report.left])
    after = {"router_id": router_id, "rows": len(reading.rows), **adoption.counts}
    tx.audit("start", "adoption", adoption.id, after=after)
    tx.session.flush()
    return adoption


def close_adoption(tx: Transaction, *, adoption_id: int, note: str = "") -> Adoption:
    """Be done with it: the passwords that were read are forgotten, what is imported and marked stays so."""
    adoption = lock_adoption(tx, adoption_id)
    adoption.status, adoption.closed_at = CLOSED, tx.now
    mine = AdoptionCandidate.adoption_id == adoption_id
    tx.session.execute(
        update(AdoptionCandidate).where(mine).values(password=None), execution_options={"synchronize_session": False}
    )
    text = checks.optional_text(note, "note", 2000, "everything is imported and marked")
    tx.audit("close", "adoption", adoption_id, after=progress_of(tx, adoption_id), note=text)
    return adoption


def get_adoption(tx: Transaction, adoption_id: int) -> Adoption:
    return get_row(tx, Adoption, adoption_id, "adoption")


def lock_adoption(tx: Transaction, adoption_id: int) -> Adoption:
    """The adoption, for a change. NotAllowed once it is closed."""
    adoption = lock_row(tx, Adoption, adoption_id, "adoption")
    if adoption.status == CLOSED:
        raise NotAllowed(f"adoption {adoption_id} is closed", status=CLOSED)
    return adoption


def get_candidate(tx: Transaction, adoption_id: int, candidate_id: int) -> AdoptionCandidate:
    candidate = tx.session.get(AdoptionCandidate, candidate_id)
    if candidate is None or candidate.adoption_id != adoption_id:
        raise NotFound(f"candidate of adoption {adoption_id}:", candidate_id)
    return candidate


def candidates_of(
    tx: Transaction, adoption_id: int, *, after: int = 0, limit: int = 100, **filters: str | None
) -> Sequence[AdoptionCandidate]:
    """By id, from behind `after`; `filters`: columns and what they have to be (verdict, decision, status, access)."""
    get_adoption(tx, adoption_id)
    conditions: list[ColumnElement[bool]] = [
        getattr(AdoptionCandidate, name) == value for name, value in filters.items() if value is not None
    ]
    mine = (AdoptionCandidate.adoption_id == adoption_id, AdoptionCandidate.id > after)
    query = select(AdoptionCandidate).where(*mine, *conditions)
    return tx.session.scalars(query.order_by(AdoptionCandidate.id).limit(limit)).all()


def rows_of(
    tx: Transaction, adoption_id: int, *, only: str | None = None, after: int = 0, limit: int = 100
) -> Sequence[AdoptionRow]:
    """By id, from behind `after`. `only`: left (of no candidate), or a word of what became of marking it."""
    get_adoption(tx, adoption_id)
    query = select(AdoptionRow).where(AdoptionRow.adoption_id == adoption_id, AdoptionRow.id > after)
    if only == "left":
        query = query.where(AdoptionRow.candidate_id.is_(None))
    elif only is not None:
        query = query.where(AdoptionRow.mark == only)
    return tx.session.scalars(query.order_by(AdoptionRow.id).limit(limit)).all()


def rows_of_candidate(tx: Transaction, candidate_id: int) -> Sequence[AdoptionRow]:
    query = select(AdoptionRow).where(AdoptionRow.candidate_id == candidate_id)
    return tx.session.scalars(query.order_by(AdoptionRow.id)).all()


def comments_of(tx: Transaction, candidate_ids: Sequence[int]) -> dict[int, str]:
    """The first comment that stands at each candidate's rows."""
    query = select(AdoptionRow.candidate_id, AdoptionRow.fields)
    query = query.where(among(tx.session, AdoptionRow.candidate_id, candidate_ids)).order_by(AdoptionRow.id.desc())
    found = tx.session.execute(query)
    return {cast("int", key): fields["comment"] for key, fields in found if fields.get("comment")}


def progress_of(tx: Transaction, adoption_id: int) -> dict[str, int]:
    """How far it is: candidates decided, imported and failed, rows marked and not to be marked."""
    found: Counter[str] = Counter()
    mine = AdoptionCandidate.adoption_id == adoption_id
    by_status = select(AdoptionCandidate.status, func.count()).where(mine).group_by(AdoptionCandidate.status)
    found.update({status: count for status, count in tx.session.execute(by_status) if status != "waiting"})
    decided = select(func.count()).select_from(AdoptionCandidate).where(mine, AdoptionCandidate.decision != "")
    found["decided"] = tx.session.scalar(decided) or 0
    of_rows = select(AdoptionRow.mark, func.count()).where(
        AdoptionRow.adoption_id == adoption_id, AdoptionRow.mark != ""
    )
    found.update(dict(tx.session.execute(of_rows.group_by(AdoptionRow.mark)).all()))
    names = ("decided", "imported", "failed", "marked", "changed", "gone", "taken", "refused")
    return {name: found[name] for name in names}


def _candidate(adoption_id: int, found: Candidate) -> AdoptionCandidate:
    group = found.group
    return AdoptionCandidate(
        adoption_id=adoption_id, verdict=found.verdict.value, name=group.name[:255], access=group.access.value,
        login=group.login[:255], password=Secret(group.password) if group.password else None, mac=group.mac,
        address=group.address, pool=group.pool[:128], profile=group.profile[:255], dhcp_server=group.dhcp_server[:64],
        rate=list(group.rate) if group.rate else None, suspended=found.suspended, found_id=found.subscription_id,
        plan_id=found.plan_id, subscriber_id=found.subscriber_id, guess_document=found.guess_document,
        guess_name=found.guess_name, differs={name: list(pair) for name, pair in found.differs.items()},
        remarks=[remark.stored for remark in found.remarks], wanted={},
    )  # fmt: skip


def _row(
    adoption_id: int, row: ObservedRow, candidate_id: int | None = None, why: Mapping[str, str] | None = None
) -> AdoptionRow:
    fields = {name: value for name, value in row.fields.items() if name not in SENSITIVE}
    return AdoptionRow(
        adoption_id=adoption_id, candidate_id=candidate_id, menu=row.menu.value, row_id=row.id,
        position=row.position, name=row.name[:255], fields=fields, why=dict(why) if why else None,
    )  # fmt: skip
