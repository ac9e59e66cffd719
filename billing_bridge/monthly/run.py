"""The monthly run: prepared chunk by chunk, reviewed by a person, then generated (`monthly_generate`).

Nothing is billed before every alert that is more than a warning was confirmed, or its line decided by hand. A run that
is dismissed has billed nobody. Runs may overlap: whose month was billed by one is left out by the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import func, select, update

from billing_bridge import checks
from billing_bridge.calendar.days import company_today
from billing_bridge.methods import get_billing_method
from billing_bridge.monthly.facts import billed_ids, candidate_ids, count_candidates, load_services
from billing_bridge.monthly.models import BillingRun, BillingRunAlert, BillingRunLine
from billing_bridge.monthly.plan import AlertCode, PlannedBill, plan_bill
from core.database import Transaction
from core.errors import InvalidInput, NeedsApproval, NotAllowed, NotFound
from core.rows import lock_row
from provisioning.checks import optional_text, required_text
from provisioning.facts import ServiceState

CHUNK = 500
CONTINUE = "billing-run.continue"
PREPARING, REVIEW, GENERATING, DONE, DISMISSED = "preparing", "review", "generating", "done", "dismissed"
PLANNED, BILLED, SKIPPED = "planned", "billed", "skipped"
INCLUDE, EXCLUDE = "include", "exclude"


def prepare_billing_run(
    tx: Transaction,
    *,
    month: date | None = None,
    billing_method_ids: Sequence[int] = (),
    cities: Sequence[str] = (),
    plan_ids: Sequence[int] = (),
    states: Sequence[str] = (),
    pro_rata: bool = True,
    auto: bool = False,
) -> BillingRun:
    """Begin a run over a month of service (any of its days; unset: the present one); jobs write its lines.

    An empty filter takes all. `pro_rata` bills who was not in service the whole month for the days only. `auto`
    generates without a person when nothing is there to be reviewed.
    """
    first = checks.due_date(month or company_today(tx.now, tx.settings.timezone), "month").replace(day=1)
    for method_id in billing_method_ids:
        get_billing_method(tx, method_id)
    _check_states(states)
    filters: dict[str, list[object]] = {
        "billing_method_ids": [*sorted(set(billing_method_ids))],
        "cities": [*sorted(set(cities))],
        "plan_ids": [*sorted(set(plan_ids))],
        "states": [*sorted(set(states))],
    }
    run = BillingRun(
        month=first,
        filters=filters,
        pro_rata=pro_rata,
        auto=auto,
        status=PREPARING,
        actor=tx.actor.name,
        source=tx.actor.source,
        created_at=tx.now,
        candidates=count_candidates(tx, first, filters),
    )
    tx.session.add(run)
    tx.session.flush()
    tx.audit("prepare", "billing_run", run.id, after={"month": first, "filters": filters, "pro_rata": pro_rata})
    tx.enqueue(CONTINUE, str(run.id))
    return run


def prepare_chunk(tx: Transaction, run: BillingRun, chunk: int = CHUNK) -> None:
    """Write the next lines of a run that is being prepared; after the last of them it is for review."""
    ids = candidate_ids(tx, run, chunk)
    billed, today = billed_ids(tx, ids, run.month), company_today(tx.now, tx.settings.timezone)
    for subscription, account, service in load_services(tx, [key for key in ids if key not in billed], run.month):
        bill = plan_bill(service, run.month, today, pro_rata=run.pro_rata)
        line = BillingRunLine(
            run_id=run.id,
            subscription_id=subscription.id,
            subscriber_id=subscription.subscriber_id,
            billing_method_id=account.billing_method_id,
            own_invoice=account.own_invoice,
            description=bill.description,
            amount_cents=bill.amount_cents,
            days=bill.days,
            due_on=bill.due_on,
            decision=INCLUDE if bill.included else EXCLUDE,
            alerts=_alerts(run, bill),
        )
        tx.session.add(line)
        _count(run, line, +1)
    run.looked_at += len(ids)
    run.billed_before += len(billed)
    run.cursor = ids[-1] if ids else run.cursor
    tx.session.flush()
    if len(ids) == chunk:
        tx.enqueue(CONTINUE, str(run.id))
    else:
        _finish_preparing(tx, run)


def decide_lines(tx: Transaction, *, run_id: int, line_ids: Sequence[int], include: bool, note: str = "") -> BillingRun:
    """Take lines into the run or leave them out, whatever their alerts say; that counts as having looked at those."""
    run = _in_review(tx, run_id)
    wanted = checks.several(line_ids, "line_ids")
    text = optional_text(note, "note", 2000, "installed free of charge")
    for line in _lines(tx, run, wanted):
        if include and not line.amount_cents:
            raise NotAllowed(f"line {line.id} is over nothing and cannot be billed", line_id=line.id)
        _count(run, line, -1)
        line.decision, line.decided_by, line.detail = INCLUDE if include else EXCLUDE, tx.actor.name, text
        _count(run, line, +1)
    _confirm(tx, run, BillingRunAlert.line_id.in_(wanted))
    tx.audit("decide", "billing_run", run.id, after={"lines": wanted, "include": include}, note=text)
    tx.session.flush()
    return run


def confirm_alerts(tx: Transaction, *, run_id: int, codes: Sequence[str] = (), note: str = "") -> int:
    """A person has looked at the alerts with these codes (none: at all of them); gives how many were not yet."""
    run = _in_review(tx, run_id)
    if unknown := sorted(set(codes) - set(AlertCode)):
        raise InvalidInput("codes", f"of {', '.join(AlertCode)}, and not {unknown[0]}", [AlertCode.DUE_IN_PAST.value])
    text = optional_text(note, "note", 2000, "checked with the technicians")
    confirmed = _confirm(tx, run, BillingRunAlert.code.in_([*codes] or [code.value for code in AlertCode]))
    tx.audit("confirm-alerts", "billing_run", run.id, after={"codes": list(codes), "alerts": confirmed}, note=text)
    return confirmed


def generate_billing_run(tx: Transaction, *, run_id: int) -> BillingRun:
    """Let jobs issue the invoices. NeedsApproval while alerts are left that nobody has confirmed."""
    run = _in_review(tx, run_id)
    if left := unreviewed(tx, run.id):
        count = sum(left.values())
        raise NeedsApproval(
            f"{count} alerts of this run were not reviewed: look at them, then confirm or exclude",
            unreviewed=count,
            codes=left,
        )
    _begin_generating(tx, run)
    return run


def dismiss_billing_run(tx: Transaction, *, run_id: int, note: str) -> BillingRun:
    """Give a run up before it has billed anybody."""
    text = required_text(note, "note", 2000, "wrong month")
    run = lock_billing_run(tx, run_id)
    if run.status not in (PREPARING, REVIEW):
        raise NotAllowed(f"billing run {run_id} is {run.status}: it cannot be dismissed", status_now=run.status)
    run.status, run.finished_at, run.note = DISMISSED, tx.now, text
    tx.audit("dismiss", "billing_run", run.id, note=text)
    tx.session.flush()
    return run


def unreviewed(tx: Transaction, run_id: int) -> dict[str, int]:
    """How many alerts hold the run back, by code."""
    query = (
        select(BillingRunAlert.code, func.count(BillingRunAlert.id))
        .where(BillingRunAlert.run_id == run_id, BillingRunAlert.confirmed_at.is_(None))
        .where(BillingRunAlert.warning.is_(False))
        .group_by(BillingRunAlert.code)
        .order_by(BillingRunAlert.code)
    )
    return {row[0]: row[1] for row in tx.session.execute(query)}


def lock_billing_run(tx: Transaction, run_id: int) -> BillingRun:
    """The run, locked and read again."""
    return lock_row(tx, BillingRun, run_id, "billing run")


def _check_states(states: Sequence[str]) -> None:
    if set(states) - set(ServiceState):
        raise InvalidInput("states", f"of {', '.join(ServiceState)}", [ServiceState.ACTIVE.value])


def _alerts(run: BillingRun, bill: PlannedBill) -> list[BillingRunAlert]:
    return [
        BillingRunAlert(run_id=run.id, code=alert.code.value, detail=alert.detail, warning=alert.warning)
        for alert in bill.alerts
    ]


def _count(run: BillingRun, line: BillingRunLine, by: int) -> None:
    if line.decision == INCLUDE:
        run.included += by
        run.included_cents += by * line.amount_cents
    else:
        run.excluded += by


def _finish_preparing(tx: Transaction, run: BillingRun) -> None:
    run.status, run.prepared_at = REVIEW, tx.now
    after = {"included": run.included, "included_cents": run.included_cents, "excluded": run.excluded}
    tx.audit("prepared", "billing_run", run.id, after=after)
    if run.auto and not unreviewed(tx, run.id):
        _begin_generating(tx, run)
    tx.session.flush()


def _begin_generating(tx: Transaction, run: BillingRun) -> None:
    run.status = GENERATING
    tx.audit("generate", "billing_run", run.id, after={"lines": run.included, "cents": run.included_cents})
    tx.enqueue(CONTINUE, str(run.id))
    tx.session.flush()


def _in_review(tx: Transaction, run_id: int) -> BillingRun:
    run = lock_billing_run(tx, run_id)
    if run.status != REVIEW:
        raise NotAllowed(f"billing run {run_id} is {run.status}, not in review", status_now=run.status)
    return run


def _lines(tx: Transaction, run: BillingRun, ids: Sequence[int]) -> Sequence[BillingRunLine]:
    query = select(BillingRunLine).where(BillingRunLine.run_id == run.id, BillingRunLine.id.in_(ids))
    lines = tx.session.scalars(query.order_by(BillingRunLine.id)).all()
    if missing := sorted(set(ids) - {line.id for line in lines}):
        raise NotFound(f"line of billing run {run.id}", missing[0])
    return lines


def _confirm(tx: Transaction, run: BillingRun, condition: object) -> int:
    alerts = update(BillingRunAlert).where(BillingRunAlert.run_id == run.id, BillingRunAlert.confirmed_at.is_(None))
    done = tx.session.execute(
        alerts.where(condition).values(confirmed_at=tx.now, confirmed_by=tx.actor.name),  # type: ignore[arg-type]
        execution_options={"synchronize_session": "fetch"},
    )
    return int(done.rowcount)  # type: ignore[attr-defined]
