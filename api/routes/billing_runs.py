"""Monthly billing: prepare a run, look at its alerts, generate its invoices."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy import func, select
from starlette.requests import Request

from api.fields import Day, Flag, Instant, Key, Name, Note, PathKey
from api.models import Body, Page, View, columns
from api.paging import Pages
from api.requests import read, write
from billing_bridge.monthly import run as monthly_run
from billing_bridge.monthly.models import BillingRun, BillingRunAlert, BillingRunLine
from billing_bridge.monthly.plan import AlertCode
from core.database import Transaction
from core.rows import get_row
from provisioning.facts import ServiceState

router = APIRouter(prefix="/api/v1/billing-runs", tags=["billing-run"])
RunId = Annotated[PathKey, Path(description="The run's id", examples=[4])]
RunStatus = Literal["preparing", "review", "generating", "done", "dismissed"]
LineStatus = Literal["planned", "billed", "skipped"]
Decision = Literal["include", "exclude"]


class BillingRunIn(Body):
    month: Day | None = Field(
        None, description="Any day of the month of service; null: this month", examples=["2026-03-01"]
    )
    billing_method_ids: list[Key] = Field(
        [], max_length=200, description="Only these billing methods; none: all", examples=[[2]]
    )
    cities: list[Name] = Field([], max_length=200, description="Only these cities; none: all", examples=[["Campinas"]])
    plan_ids: list[Key] = Field([], max_length=200, description="Only these plans; none: all", examples=[[5]])
    states: list[ServiceState] = Field(
        [], max_length=20, description="Only in these states; none: all", examples=[["ACTIVE"]]
    )
    pro_rata: Flag = Field(
        True, description="Whether who was not in service the whole month pays for the days only", examples=[True]
    )
    auto: Flag = Field(
        False, description="Whether it generates by itself when there is nothing to review", examples=[False]
    )


class ConfirmAlertsIn(Body):
    codes: list[AlertCode] = Field(
        [], max_length=20, description="Alerts with these codes; none: all of them", examples=[["due-in-past"]]
    )
    note: Note = Field("", description="What was looked at", examples=["checked with the technicians"])


class DecideLinesIn(Body):
    line_ids: list[Key] = Field(min_length=1, max_length=200, description="Lines of this run", examples=[[91, 92]])
    include: Flag = Field(description="Whether they are billed", examples=[False])
    note: Note = Field("", description="Why", examples=["installed free of charge"])


class DismissBillingRunIn(Body):
    note: Note = Field(description="Why", examples=["wrong month"])


class BillingFiltersView(View):
    billing_method_ids: list[int] = Field(description="Only these billing methods", examples=[[2]])
    cities: list[str] = Field(description="Only these cities", examples=[["Campinas"]])
    plan_ids: list[int] = Field(description="Only these plans", examples=[[5]])
    states: list[str] = Field(description="Only in these states", examples=[["ACTIVE"]])


class BillingRunView(View):
    model_config = columns("id", "month", "status", "included", "included_cents", "excluded", "billed", "invoices")

    id: int = Field(description="The run's id", examples=[4])
    month: Day = Field(description="First day of the month of service", examples=["2026-03-01"])
    status: RunStatus = Field(description="preparing, review, generating, done or dismissed", examples=["review"])
    filters: BillingFiltersView = Field(description="Whom it is about")
    pro_rata: bool = Field(description="Whether parts of the month are billed as such", examples=[True])
    auto: bool = Field(description="Whether it generates by itself", examples=[False])
    actor: str = Field(description="Who began it", examples=["ana"])
    created_at: Instant = Field(description="When", examples=["2026-03-02T12:00:00Z"])
    prepared_at: Instant | None = Field(description="When its lines were written", examples=["2026-03-02T12:00:20Z"])
    finished_at: Instant | None = Field(description="When it ended", examples=["2026-03-02T12:30:00Z"])
    candidates: int = Field(description="How many subscriptions it is about", examples=[1040])
    looked_at: int = Field(description="How many of them are prepared", examples=[1040])
    billed_before: int = Field(description="Whose month was billed before", examples=[12])
    included: int = Field(description="Lines that are to be billed", examples=[1000])
    included_cents: int = Field(description="Their sum, in cents", examples=[9990000])
    excluded: int = Field(description="Lines that are left out", examples=[28])
    billed: int = Field(description="Lines that were billed", examples=[0])
    billed_cents: int = Field(description="Their sum, in cents", examples=[0])
    invoices: int = Field(description="Invoices that were issued", examples=[0])
    skipped: int = Field(description="Lines that could not be billed; each says why", examples=[0])
    note: str = Field(description="Why it was dismissed", examples=["wrong month"])


class BillingAlertCount(View):
    model_config = columns("code", "lines", "unreviewed", "warning")

    code: str = Field(description="What it is about", examples=["installed-mid-month"])
    lines: int = Field(description="How many lines have it", examples=[14])
    unreviewed: int = Field(description="How many of those nobody has confirmed", examples=[14])
    warning: bool = Field(description="Whether it is only shown, and holds nothing back", examples=[False])


class BillingAlertView(View):
    code: str = Field(description="What it is about", examples=["installed-mid-month"])
    detail: str = Field(description="In words", examples=["installed on 2026-03-12: 20 of 31 days"])
    warning: bool = Field(description="Whether it is only shown, and holds nothing back", examples=[False])
    confirmed_at: Instant | None = Field(description="When somebody confirmed it", examples=["2026-03-02T12:10:00Z"])
    confirmed_by: str = Field(description="Who", examples=["ana"])


class BillingLineView(View):
    model_config = columns("id", "subscription_id", "description", "amount_cents", "due_on", "decision", "status")

    id: int = Field(description="The line's id", examples=[91])
    subscription_id: int = Field(description="What is billed", examples=[12])
    subscriber_id: int = Field(description="To whom", examples=[7])
    billing_method_id: int = Field(description="By which method", examples=[2])
    own_invoice: bool = Field(description="Whether it shares no invoice with others", examples=[False])
    description: str = Field(
        description="As it stands on the bill", examples=["Fibra 500 Mega, 03/2026 (20 de 31 dias)"]
    )
    amount_cents: int = Field(description="How much, in cents", examples=[6445])
    days: int = Field(description="Days in service in the month", examples=[20])
    due_on: Day = Field(description="Due date", examples=["2026-03-10"])
    decision: Decision = Field(description="include or exclude", examples=["include"])
    decided_by: str = Field(description="Who decided that; empty: the rules", examples=["ana"])
    status: LineStatus = Field(description="planned, billed or skipped", examples=["planned"])
    invoice_id: int | None = Field(description="The invoice that it stands on", examples=[31])
    detail: str = Field(description="Why it was left out or skipped", examples=["installed free of charge"])
    alerts: list[BillingAlertView] = Field(description="What has to be looked at")


class ConfirmedAlertsView(View):
    confirmed: int = Field(description="How many alerts were confirmed by this", examples=[14])


@router.post(
    "",
    operation_id="billing-run.prepare",
    status_code=201,
    summary="Prepare the billing of a month",
    description="Its lines are written in the background; until they are reviewed nobody is billed.",
)
def prepare(request: Request, body: BillingRunIn) -> BillingRunView:
    return write(request, lambda tx: BillingRunView.of(monthly_run.prepare_billing_run(tx, **body.given())))


@router.get("", operation_id="billing-run.list", summary="The runs, newest first")
def list_all(
    pages: Pages,
    month: Annotated[Day | None, Query(description="Only of the month that begins so", examples=["2026-03-01"])] = None,
    status: Annotated[RunStatus | None, Query(description="Only in this status", examples=["review"])] = None,
) -> Page[BillingRunView]:
    wanted = select(BillingRun)
    if month is not None:
        wanted = wanted.where(BillingRun.month == month)
    if status is not None:
        wanted = wanted.where(BillingRun.status == status)
    return pages.of(wanted, BillingRun.id, BillingRunView.of, newest_first=True)


@router.get("/{run_id}", operation_id="billing-run.show", summary="One run")
def show(request: Request, run_id: RunId) -> BillingRunView:
    return read(request, lambda tx: BillingRunView.of(_get(tx, run_id)))


@router.get("/{run_id}/alerts", operation_id="billing-run.alerts", summary="What has to be looked at, counted")
def alerts(request: Request, run_id: RunId) -> Page[BillingAlertCount]:
    def look(tx: Transaction) -> Page[BillingAlertCount]:
        _get(tx, run_id)
        alert = BillingRunAlert
        confirmed = func.count(alert.confirmed_at)
        query = select(alert.code, alert.warning, func.count(alert.id).label("lines"), confirmed.label("confirmed"))
        rows = tx.session.execute(
            query.where(alert.run_id == run_id).group_by(alert.code, alert.warning).order_by(alert.code)
        )
        items = [
            BillingAlertCount(code=row.code, lines=row.lines, unreviewed=row.lines - row.confirmed, warning=row.warning)
            for row in rows
        ]
        return Page(items=items, next=None)

    return read(request, look)


@router.get("/{run_id}/lines", operation_id="billing-run.lines", summary="What it bills, and to whom")
def lines(
    request: Request,
    pages: Pages,
    run_id: RunId,
    code: Annotated[AlertCode | None, Query(description="Only with this alert", examples=["due-in-past"])] = None,
    decision: Annotated[Decision | None, Query(description="Only with this decision", examples=["exclude"])] = None,
    status: Annotated[LineStatus | None, Query(description="Only in this status", examples=["skipped"])] = None,
) -> Page[BillingLineView]:
    read(request, lambda tx: _get(tx, run_id))
    line, wanted = BillingRunLine, select(BillingRunLine).where(BillingRunLine.run_id == run_id)
    if code is not None:
        alerted = select(BillingRunAlert.line_id).where(
            BillingRunAlert.run_id == run_id, BillingRunAlert.code == code.value
        )
        wanted = wanted.where(line.id.in_(alerted))
    if decision is not None:
        wanted = wanted.where(line.decision == decision)
    if status is not None:
        wanted = wanted.where(line.status == status)
    return pages.of(wanted, line.id, BillingLineView.of)


@router.post("/{run_id}/confirm-alerts", operation_id="billing-run.confirm-alerts", summary="The alerts were looked at")
def confirm(request: Request, run_id: RunId, body: ConfirmAlertsIn) -> ConfirmedAlertsView:
    def work(tx: Transaction) -> ConfirmedAlertsView:
        return ConfirmedAlertsView(confirmed=monthly_run.confirm_alerts(tx, run_id=run_id, **body.given()))

    return write(request, work)


@router.post("/{run_id}/decide", operation_id="billing-run.decide", summary="Bill lines, or leave them out")
def decide(request: Request, run_id: RunId, body: DecideLinesIn) -> BillingRunView:
    return write(request, lambda tx: BillingRunView.of(monthly_run.decide_lines(tx, run_id=run_id, **body.given())))


@router.post(
    "/{run_id}/generate",
    operation_id="billing-run.generate",
    summary="Issue the invoices",
    description="Refused while there are alerts that nobody has confirmed; the invoices come in the background.",
)
def generate(request: Request, run_id: RunId) -> BillingRunView:
    return write(request, lambda tx: BillingRunView.of(monthly_run.generate_billing_run(tx, run_id=run_id)))


@router.post("/{run_id}/dismiss", operation_id="billing-run.dismiss", summary="Give a run up before it has billed")
def dismiss(request: Request, run_id: RunId, body: DismissBillingRunIn) -> BillingRunView:
    return write(
        request, lambda tx: BillingRunView.of(monthly_run.dismiss_billing_run(tx, run_id=run_id, note=body.note))
    )


def _get(tx: Transaction, run_id: int) -> BillingRun:
    return get_row(tx, BillingRun, run_id, "billing run")
