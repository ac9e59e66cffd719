"""The two halves of a run, a chunk at a time: deciding lines, and ordering what they say.

Deciding locks nobody. Ordering locks its subscriptions and decides each anew: who has paid, was cancelled or may not be
restricted today is skipped. Nobody is ordered without a line, and none above the level of the line.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import cast

from sqlalchemy import Table, bindparam, insert, select, update

from billing_bridge.calendar.days import company_today
from billing_bridge.dunning.candidates import candidate_ids, new_orders
from billing_bridge.dunning.models import DunningRunLine
from billing_bridge.dunning.rules import WantedOrder
from billing_bridge.dunning.runs import levels_of
from billing_bridge.locks import lock_subscriptions
from billing_bridge.models import DunningRun
from core.among import among
from core.database import Transaction
from provisioning.facts import Level
from provisioning.orders import OrderOutcome, RestrictionRequest, order_restrictions

PLANNED, ORDERED, SKIPPED, LEFT_OUT = "planned", "ordered", "skipped", "dismissed"
PLAN_CHUNK = 500
_TABLE = cast("Table", DunningRunLine.__table__)
_GONE = "paid, changed or held by the calendar since it was planned"


def plan_chunk(tx: Transaction, run: DunningRun, chunk: int = PLAN_CHUNK) -> bool:
    """Decide about the next subscriptions and write their lines; whether there may be more."""
    levels = levels_of(run)
    ids = candidate_ids(tx, run.day, levels=levels, after=run.cursor, limit=chunk)
    wanted = new_orders(tx, ids, run.day, levels=levels)
    if wanted:
        tx.session.execute(insert(DunningRunLine), [_line(run, order) for order in wanted])
    total = sum(order.level is Level.TOTAL for order in wanted)
    run.planned_total += total
    run.planned_partial += len(wanted) - total
    run.looked_at += len(ids)
    run.cursor = ids[-1] if ids else run.cursor
    tx.session.flush()
    return len(ids) == chunk


def order_chunk(tx: Transaction, run: DunningRun, chunk: int) -> bool:
    """Order the next lines that are planned; whether there are more."""
    lines = _next_lines(tx, run, chunk)
    lock_subscriptions(tx, [line.subscription_id for line in lines])  # who pays meanwhile waits, and then ends it
    wanted = {order.subscription_id: order for order in _decided_anew(tx, lines)}
    requests = [_request(run, order) for order in wanted.values()]
    outcomes = {outcome.request.subscription_id: outcome for outcome in order_restrictions(tx, requests)}
    told = [_told(line.subscription_id, outcomes.get(line.subscription_id)) for line in lines]
    _write_down(tx, run, told)
    ordered = [wanted[key].level for key, status, _ in told if status == ORDERED]
    run.ordered_total += ordered.count(Level.TOTAL)
    run.ordered_partial += ordered.count(Level.PARTIAL)
    run.skipped += len(told) - len(ordered)
    run.cursor = lines[-1].subscription_id if lines else run.cursor
    tx.session.flush()
    return run.ordered + run.skipped + run.dismissed < run.planned


def lines_of(
    tx: Transaction, run_id: int, *, status: str | None = None, after: int = 0, limit: int = 100
) -> Sequence[DunningRunLine]:
    """In order of subscription, from behind `after`."""
    query = select(DunningRunLine).where(DunningRunLine.run_id == run_id, DunningRunLine.subscription_id > after)
    if status is not None:
        query = query.where(DunningRunLine.status == status)
    return tx.session.scalars(query.order_by(DunningRunLine.subscription_id).limit(limit)).all()


def keep_only(tx: Transaction, run: DunningRun, chosen: Collection[int] | None) -> None:
    """Dismiss the planned lines of everybody else; None: of nobody, empty: of all."""
    if chosen is None:
        return
    others = update(DunningRunLine).where(DunningRunLine.run_id == run.id, DunningRunLine.status == PLANNED)
    if chosen:
        others = others.where(~among(tx.session, DunningRunLine.subscription_id, chosen))
    tx.session.execute(others.values(status=LEFT_OUT), execution_options={"synchronize_session": False})
    run.dismissed = run.planned - run.ordered - run.skipped - len(set(chosen))


def strangers(tx: Transaction, run: DunningRun, chosen: Collection[int]) -> list[int]:
    """Which of these have no planned line in the run."""
    query = select(DunningRunLine.subscription_id).where(
        DunningRunLine.run_id == run.id,
        DunningRunLine.status == PLANNED,
        among(tx.session, DunningRunLine.subscription_id, chosen),
    )
    return sorted(set(chosen) - set(tx.session.scalars(query)))


def _line(run: DunningRun, order: WantedOrder) -> dict[str, object]:
    return {
        "run_id": run.id,
        "subscription_id": order.subscription_id,
        "level": order.level.value,
        "invoice_ids": list(order.invoice_ids),
        "open_cents": order.open_cents,
        "days_late": order.days_late,
        "rule_version": order.rule_version,
        "why": order.why,
        "status": PLANNED,
        "detail": "",
    }


def _next_lines(tx: Transaction, run: DunningRun, chunk: int) -> Sequence[DunningRunLine]:
    lines = lines_of(tx, run.id, status=PLANNED, after=run.cursor, limit=chunk)
    for line in lines:
        tx.session.expunge(line)  # they are written by one statement, and memory does not grow with the run
    return lines


def _decided_anew(tx: Transaction, lines: Sequence[DunningRunLine]) -> list[WantedOrder]:
    today = company_today(tx.now, tx.settings.timezone)
    wanted: list[WantedOrder] = []
    for level in Level:
        ids = [line.subscription_id for line in lines if line.level == level]
        wanted += new_orders(tx, ids, today, levels=frozenset({level})) if ids else []
    return sorted(wanted, key=lambda order: order.subscription_id)


def _request(run: DunningRun, order: WantedOrder) -> RestrictionRequest:
    return RestrictionRequest(
        subscription_id=order.subscription_id,
        level=order.level.value,
        invoice_ids=order.invoice_ids,
        minimum_open_cents=order.minimum_open_cents,
        rule=order.rule,
        run=run.name,
        evidence=order.evidence,
        rule_version=order.rule_version,
    )


def _told(subscription_id: int, outcome: OrderOutcome | None) -> tuple[int, str, str]:
    """(subscription, status, detail) of a line whose turn has come."""
    if outcome is None:
        return subscription_id, SKIPPED, _GONE
    if outcome.given:
        return subscription_id, ORDERED, ""
    return subscription_id, SKIPPED, outcome.error.detail if outcome.error else "under such an order already"


def _write_down(tx: Transaction, run: DunningRun, told: Sequence[tuple[int, str, str]]) -> None:
    if told:
        line = (_TABLE.c.run_id == run.id, _TABLE.c.subscription_id == bindparam("the_id"))
        statement = update(_TABLE).where(*line).values(status=bindparam("new_status"), detail=bindparam("new_detail"))
        rows = [{"the_id": key, "new_status": status, "new_detail": detail} for key, status, detail in told]
        tx.session.connection().execute(statement, rows)
