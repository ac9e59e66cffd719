"""Orders to restrict: the only way into REDUCED and SUSPENDED, written by a guarded run or by a person.

Many orders cost a fixed number of queries, and one refresh. One that cannot be given does not hold up the others: its
outcome says why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import insert, select

from core.among import among
from core.audit import presentable
from core.database import Transaction
from core.errors import CatracaError, InvalidInput, NotAllowed, NotFound
from provisioning.debts import still_justified
from provisioning.facts import Level
from provisioning.models import Debt, RestrictionOrderRow, Subscription
from provisioning.refresh import refresh
from provisioning.subscriptions import lock_subscription
from provisioning.timeline import narrate_each


@dataclass(frozen=True, slots=True)
class RestrictionRequest:
    """One order that is wanted. It lapses below `minimum_open_cents`; `evidence` (JSON) is what it was decided by."""

    subscription_id: int
    level: str
    invoice_ids: Sequence[int]
    minimum_open_cents: int = 0
    rule: str = ""
    run: str = ""
    evidence: Mapping[str, object] = field(default_factory=dict)
    rule_version: int | None = None


@dataclass(frozen=True, slots=True)
class OrderOutcome:
    """What became of a request: the order, `given` now or living from before (a twin), or the `error` instead."""

    request: RestrictionRequest
    order: RestrictionOrderRow | None = None
    given: bool = False
    error: CatracaError | None = None


def order_restriction(
    tx: Transaction,
    *,
    subscription_id: int,
    level: str,
    invoice_ids: Sequence[int],
    minimum_open_cents: int = 0,
    rule: str = "",
    run: str = "",
    evidence: Mapping[str, object] | None = None,
    rule_version: int | None = None,
) -> RestrictionOrderRow:
    """Order a restriction for open invoices. NotAllowed when the debt does not justify it.

    A live order of the same level for the same invoices is returned as it is: ordering twice restricts once.
    """
    lock_subscription(tx, subscription_id)
    wanted = RestrictionRequest(
        subscription_id, level, invoice_ids, minimum_open_cents, rule, run, evidence or {}, rule_version
    )
    [outcome] = order_restrictions(tx, [wanted])
    if outcome.order is None:
        raise outcome.error or NotAllowed(f"subscription {subscription_id} was not restricted")
    return outcome.order


def order_restrictions(tx: Transaction, wanted: Sequence[RestrictionRequest]) -> list[OrderOutcome]:
    """Give many orders at once, at most one a subscription; an outcome for each request, in their order."""
    ids = [request.subscription_id for request in wanted]
    if len(set(ids)) != len(ids):
        raise InvalidInput("wanted", "each subscription once", [12, 13])
    known, owed, live = _locked(tx, ids), _owed(tx, ids), _live(tx, ids)
    outcomes: dict[int, OrderOutcome] = {}
    fresh = []
    for request in wanted:
        key = request.subscription_id
        if error := _refusal(request, known, owed[key]):
            outcomes[key] = OrderOutcome(request, error=error)
        elif twin := _twin(request, live[key]):
            outcomes[key] = OrderOutcome(request, order=twin)
        else:
            fresh.append(request)
    for request, row in zip(fresh, _write(tx, fresh), strict=True):
        outcomes[request.subscription_id] = OrderOutcome(request, order=row, given=True)
    refresh(tx, [request.subscription_id for request in fresh])
    return [outcomes[key] for key in ids]


def live_orders(tx: Transaction, subscription_id: int) -> Sequence[RestrictionOrderRow]:
    query = select(RestrictionOrderRow).where(
        RestrictionOrderRow.subscription_id == subscription_id, RestrictionOrderRow.lapsed_at.is_(None)
    )
    return tx.session.scalars(query.order_by(RestrictionOrderRow.id)).all()


def _locked(tx: Transaction, ids: Collection[int]) -> dict[int, bool]:
    """Whether each of them is cancelled, of those that exist; locked in order of id."""
    query = select(Subscription.id, Subscription.cancelled_at).where(among(tx.session, Subscription.id, ids))
    query = query.order_by(Subscription.id).with_for_update(of=Subscription, key_share=True)
    return {row.id: row.cancelled_at is not None for row in tx.session.execute(query)}


def _owed(tx: Transaction, ids: Collection[int]) -> Mapping[int, dict[int, int]]:
    query = select(Debt.subscription_id, Debt.invoice_id, Debt.open_cents)
    found: dict[int, dict[int, int]] = defaultdict(dict)
    for row in tx.session.execute(query.where(among(tx.session, Debt.subscription_id, ids), Debt.open_cents > 0)):
        found[row.subscription_id][row.invoice_id] = row.open_cents
    return found


def _live(tx: Transaction, ids: Collection[int]) -> Mapping[int, list[RestrictionOrderRow]]:
    query = select(RestrictionOrderRow).where(
        among(tx.session, RestrictionOrderRow.subscription_id, ids), RestrictionOrderRow.lapsed_at.is_(None)
    )
    found: dict[int, list[RestrictionOrderRow]] = defaultdict(list)
    for row in tx.session.scalars(query.order_by(RestrictionOrderRow.id)):
        found[row.subscription_id].append(row)
    return found


def _refusal(request: RestrictionRequest, known: Mapping[int, bool], owed: Mapping[int, int]) -> CatracaError | None:
    key, invoices = request.subscription_id, sorted(set(request.invoice_ids))
    if key not in known:
        return NotFound("subscription", key)
    if request.level not in set(Level):
        return InvalidInput("level", "one of total, partial", "total")
    if known[key]:
        return NotAllowed(f"subscription {key} was cancelled", state="CANCELLED")
    if not still_justified(invoices, request.minimum_open_cents, owed):
        return NotAllowed(f"subscription {key} owes nothing on invoices {invoices}: no order without a debt")
    return None


def _twin(request: RestrictionRequest, live: Sequence[RestrictionOrderRow]) -> RestrictionOrderRow | None:
    invoices = set(request.invoice_ids)
    return next((row for row in live if row.level == request.level and invoices <= set(row.invoice_ids)), None)


def _write(tx: Transaction, fresh: Sequence[RestrictionRequest]) -> Sequence[RestrictionOrderRow]:
    """The orders, what the timelines and the audit trail tell of them; gives the rows in the order of the requests."""
    if not fresh:
        return []
    tx.session.execute(insert(RestrictionOrderRow), [_row(tx, request) for request in fresh])
    live = _live(tx, [request.subscription_id for request in fresh])
    rows = [live[request.subscription_id][-1] for request in fresh]
    told: dict[int, Mapping[str, object]] = {
        row.subscription_id: {"level": row.level, "invoices": row.invoice_ids, "rule": row.rule, "run": row.run}
        for row in rows
    }
    narrate_each(tx, "order.given", told)
    tx.audit_each("order-restriction", "subscription", told)
    return rows


def _row(tx: Transaction, request: RestrictionRequest) -> dict[str, object]:
    return {
        "subscription_id": request.subscription_id,
        "level": str(request.level),
        "since": tx.now,
        "invoice_ids": sorted(set(request.invoice_ids)),
        "minimum_open_cents": request.minimum_open_cents,
        "rule": request.rule,
        "run": request.run,
        "ordered_by": tx.actor.name,
        "evidence": presentable(request.evidence) or {},
        "rule_version": request.rule_version,
    }
