"""Issuing the invoices of a reviewed run, chunk by chunk: each chunk is one transaction, and a crash leaves whole ones.

The subscriptions are locked, then it is read whose month is billed by now: of two runs, or two workers on one run, the
second finds what the first has done. The key of `monthly_bill` stands behind that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select

from billing_bridge.calendar.days import company_today
from billing_bridge.debt_feed import publish_new
from billing_bridge.locks import lock_subscriptions
from billing_bridge.models import Charge, Invoice
from billing_bridge.monthly.facts import billed_ids
from billing_bridge.monthly.models import BillingRun, BillingRunLine, MonthlyBill
from billing_bridge.monthly.plan import AlertCode, month_after
from billing_bridge.monthly.run import BILLED, CONTINUE, DONE, INCLUDE, PLANNED, SKIPPED
from core.among import among
from core.database import Transaction
from provisioning.debts import debtors_of
from provisioning.models import Subscription
from provisioning.timeline import narrate_each

CHUNK = 200
"""Subscribers whose lines are billed in one transaction."""
LEAVING = frozenset({AlertCode.CANCELLED.value, AlertCode.CANCELLED_IN_MONTH.value})


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a subscription now, and when it was cancelled."""

    subscriber_id: int
    cancelled_at: datetime | None


def generate_chunk(tx: Transaction, run: BillingRun, chunk: int = CHUNK) -> None:
    """Bill the next subscribers of a run that is generating, and is locked; asks for a job where more may be left."""
    lines = _next_lines(tx, run, chunk)
    if lines:
        _bill(tx, run, lines)
        tx.enqueue(CONTINUE, str(run.id))
    else:
        _finish(tx, run)
    tx.session.flush()


def _next_lines(tx: Transaction, run: BillingRun, chunk: int) -> Sequence[BillingRunLine]:
    """All lines of the next `chunk` subscribers: what shares an invoice is never in two chunks."""
    line = BillingRunLine
    mine = (line.run_id == run.id, line.status == PLANNED, line.decision == INCLUDE)
    owners = select(line.subscriber_id).where(*mine).group_by(line.subscriber_id).order_by(line.subscriber_id)
    wanted = tx.session.scalars(owners.limit(chunk)).all()
    query = select(line).where(*mine, among(tx.session, line.subscriber_id, wanted))
    return tx.session.scalars(query.order_by(line.subscriber_id, line.id)).all() if wanted else []


def _bill(tx: Transaction, run: BillingRun, lines: Sequence[BillingRunLine]) -> None:
    ids = sorted(line.subscription_id for line in lines)
    lock_subscriptions(tx, {*ids, *debtors_of(tx, ids).values()})
    holders, billed = _holders(tx, ids), billed_ids(tx, ids, run.month)
    good: list[BillingRunLine] = []
    for line in lines:
        if reason := _reason_to_skip(tx, run, line, holders[line.subscription_id], billed):
            line.status, line.detail = SKIPPED, reason
            run.skipped += 1
        else:
            good.append(line)
    _issue(tx, run, list(_groups(good, holders)))


def _holders(tx: Transaction, ids: Sequence[int]) -> dict[int, Holder]:
    query = select(Subscription.id, Subscription.subscriber_id, Subscription.cancelled_at)
    rows = tx.session.execute(query.where(among(tx.session, Subscription.id, ids)))
    return {row.id: Holder(row.subscriber_id, row.cancelled_at) for row in rows}


def _reason_to_skip(tx: Transaction, run: BillingRun, line: BillingRunLine, holder: Holder, billed: set[int]) -> str:
    if line.subscription_id in billed:
        return f"{run.month:%m/%Y} was billed by another run"
    if holder.cancelled_at is None or LEAVING.intersection(alert.code for alert in line.alerts):
        return ""
    day = company_today(holder.cancelled_at, tx.settings.timezone)
    return f"it was cancelled on {day:%Y-%m-%d}, after the run had begun" if day < month_after(run.month) else ""


def _groups(
    lines: Iterable[BillingRunLine], holders: dict[int, Holder]
) -> Iterable[tuple[int, date, list[BillingRunLine]]]:
    """(subscriber, due date, lines) of each invoice: one for a subscriber, method and due date, unless own ones."""
    groups: dict[tuple[int, int, date, int], list[BillingRunLine]] = {}
    for line in lines:
        own = line.id if line.own_invoice else 0
        key = (holders[line.subscription_id].subscriber_id, line.billing_method_id, line.due_on, own)
        groups.setdefault(key, []).append(line)
    return [(key[0], key[2], group) for key, group in groups.items()]


def _issue(tx: Transaction, run: BillingRun, groups: Sequence[tuple[int, date, list[BillingRunLine]]]) -> None:
    made = [(_invoice(tx, run, owner, due_on, lines), lines) for owner, due_on, lines in groups]
    tx.session.add_all(invoice for invoice, _ in made)
    tx.session.flush()
    for invoice, lines in made:
        for line in lines:
            line.status, line.invoice_id = BILLED, invoice.id
            tx.session.add(
                MonthlyBill(
                    subscription_id=line.subscription_id,
                    month=run.month,
                    amount_cents=line.amount_cents,
                    invoice_id=invoice.id,
                    run_id=run.id,
                )
            )
            run.billed += 1
            run.billed_cents += line.amount_cents
        tx.audit("issue", "invoice", invoice.id, after=_told(run, invoice))
    run.invoices += len(made)
    publish_new(tx, [invoice for invoice, _ in made])
    narrate_each(tx, "invoice.issued", _news(invoice for invoice, _ in made))


def _invoice(tx: Transaction, run: BillingRun, owner: int, due_on: date, lines: Sequence[BillingRunLine]) -> Invoice:
    charges = [
        Charge(
            subscription_id=line.subscription_id,
            description=line.description,
            amount_cents=line.amount_cents,
            discount_cents=0,
            discount_days=0,
            reference=run.month,
            created_at=tx.now,
        )
        for line in lines
    ]
    return Invoice(
        subscriber_id=owner,
        due_on=due_on,
        amount_cents=sum(line.amount_cents for line in lines),
        paid_cents=0,
        discount_cents=0,
        issued_at=tx.now,
        charges=charges,
    )


def _told(run: BillingRun, invoice: Invoice) -> dict[str, object]:
    charges = [charge.id for charge in invoice.charges]
    return {"due_on": invoice.due_on, "amount_cents": invoice.amount_cents, "charges": charges, "billing_run": run.id}


def _news(invoices: Iterable[Invoice]) -> dict[int, dict[str, object]]:
    """What each subscription's timeline says; a run bills it once."""
    return {
        charge.subscription_id: {
            "due_on": invoice.due_on,
            "amount_cents": invoice.amount_cents,
            "invoice": invoice.id,
        }
        for invoice in invoices
        for charge in invoice.charges
    }


def _finish(tx: Transaction, run: BillingRun) -> None:
    run.status, run.finished_at = DONE, tx.now
    after = {"invoices": run.invoices, "billed": run.billed, "billed_cents": run.billed_cents, "skipped": run.skipped}
    tx.audit("finish", "billing_run", run.id, after=after)
