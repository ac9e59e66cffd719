"""Billing methods with their suspension rules, and which one bills a subscription."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field
from sqlalchemy import select
from starlette.requests import Request

from api.fields import Cents, Day, Flag, Instant, Int, Key, PathKey, Text
from api.models import Body, Change, Page, View, columns
from api.paging import Pages
from api.requests import read, write
from billing_bridge import accounts, methods
from billing_bridge.models import BillingMethod
from core.database import Transaction
from provisioning.debts import open_debts
from provisioning.subscriptions import get_subscription

router = APIRouter(prefix="/api/v1", tags=["billing-method"])
Weekdays = Annotated[list[Int], Field(max_length=7)]
MethodId = Annotated[PathKey, Path(description="The billing method's id", examples=[2])]
SubscriptionId = Annotated[PathKey, Path(description="The subscription's id", examples=[12])]


class MethodIn(Body):
    name: Text = Field(description="The method's name, unique", examples=["Boleto"])
    total_enabled: Flag = Field(True, description="Whether late subscriptions are suspended", examples=[True])
    total_days: Int = Field(30, description="After how many days from the due date", examples=[30])
    partial_enabled: Flag = Field(True, description="Whether late subscriptions are reduced first", examples=[True])
    partial_days: Int = Field(15, description="After how many days from the due date", examples=[15])
    minimum_open_cents: Cents = Field(0, description="Nobody who owes less is restricted", examples=[1000])
    notice_days: Int = Field(0, description="How many days before it the notice is given; 0: none", examples=[15])
    held_weekdays: Weekdays = Field(
        list(methods.LAWFUL_WEEKDAYS),
        description="Days of the week on which no restriction starts: 1 Monday to 7 Sunday",
        examples=[[5, 6, 7]],
    )
    hold_holidays: Flag = Field(True, description="Whether none starts on a holiday", examples=[True])
    hold_holiday_eves: Flag = Field(True, description="Whether none starts on its eve", examples=[True])
    postpaid: Flag = Field(False, description="Whether a month is paid in the month after it", examples=[False])


class MethodChange(Change):
    name: Text = Field(default_factory=str, description="The method's name", examples=["Boleto e Pix"])
    total_enabled: Flag = Field(
        default_factory=bool, description="Whether late subscriptions are suspended", examples=[True]
    )
    total_days: Int = Field(default_factory=int, description="After how many days", examples=[40])
    partial_enabled: Flag = Field(
        default_factory=bool, description="Whether late subscriptions are reduced first", examples=[True]
    )
    partial_days: Int = Field(default_factory=int, description="After how many days", examples=[20])
    minimum_open_cents: Cents = Field(
        default_factory=int, description="Nobody who owes less is restricted", examples=[2000]
    )
    notice_days: Int = Field(
        default_factory=int, description="How many days before it the notice is given; 0: none", examples=[15]
    )
    held_weekdays: Weekdays = Field(
        default_factory=list, description="Days of the week on which no restriction starts", examples=[[5, 6, 7]]
    )
    hold_holidays: Flag = Field(default_factory=bool, description="Whether none starts on a holiday", examples=[True])
    hold_holiday_eves: Flag = Field(default_factory=bool, description="Whether none starts on its eve", examples=[True])
    postpaid: Flag = Field(
        default_factory=bool, description="Whether a month is paid in the month after it", examples=[True]
    )


class Rules(View):
    total_enabled: bool = Field(description="Whether late subscriptions are suspended", examples=[True])
    total_days: int = Field(description="After how many days from the due date", examples=[30])
    partial_enabled: bool = Field(description="Whether late subscriptions are reduced first", examples=[True])
    partial_days: int = Field(description="After how many days from the due date", examples=[15])
    minimum_open_cents: int = Field(description="Nobody who owes less is restricted", examples=[1000])
    notice_days: int = Field(description="How many days before it the notice is given; 0: none", examples=[15])
    held_weekdays: list[int] = Field(
        description="Days of the week on which no restriction starts: 1 Monday to 7 Sunday", examples=[[5, 6, 7]]
    )
    hold_holidays: bool = Field(description="Whether none starts on a holiday", examples=[True])
    hold_holiday_eves: bool = Field(description="Whether none starts on its eve", examples=[True])


class MethodView(Rules):
    model_config = columns(
        "id", "name", "partial_enabled", "partial_days", "total_enabled", "total_days", "minimum_open_cents"
    )

    id: int = Field(description="The method's id", examples=[2])
    name: str = Field(description="The method's name", examples=["Boleto"])
    rule_version: int = Field(description="Which version of its rules holds", examples=[1])
    postpaid: bool = Field(description="Whether a month is paid in the month after it", examples=[False])
    created_at: Instant = Field(description="When it was added", examples=["2026-03-02T12:00:00Z"])


class VersionView(Rules):
    version: int = Field(description="The version's number", examples=[1])
    since: Instant = Field(description="From when it held", examples=["2026-03-02T12:00:00Z"])
    set_by: str = Field(description="Who set it", examples=["ana"])


class AccountIn(Body):
    billing_method_id: Key = Field(description="The method that bills it", examples=[2])
    due_day: Int = Field(description="1 to 28, or 31 for the last day of each month", examples=[10])
    own_invoice: Flag | None = Field(
        None, description="Whether it shares no invoice with the subscriber's other services; null: as it was",
        examples=[False],
    )  # fmt: skip


class AccountView(View):
    subscription_id: int = Field(description="Which subscription", examples=[12])
    billing_method_id: int = Field(description="The method that bills it", examples=[2])
    billing_method_name: str = Field(description="Its name", examples=["Boleto"])
    due_day: int = Field(description="On which day it is due", examples=[10])
    own_invoice: bool = Field(description="Whether it has an invoice of its own each month", examples=[False])
    since: Instant = Field(description="Since when", examples=["2026-03-02T12:00:00Z"])


class DebtView(View):
    invoice_id: int = Field(description="The invoice", examples=[31])
    due_on: Day = Field(description="When it was due", examples=["2026-03-10"])
    open_cents: int = Field(description="What this subscription owes on it", examples=[9990])


@router.post("/billing-methods", operation_id="billing-method.add", status_code=201, summary="Add a billing method")
def add(request: Request, body: MethodIn) -> MethodView:
    return write(request, lambda tx: MethodView.of(methods.add_billing_method(tx, **body.given())))


@router.get("/billing-methods", operation_id="billing-method.list", summary="The billing methods")
def list_all(pages: Pages) -> Page[MethodView]:
    return pages.of(select(BillingMethod), BillingMethod.id, MethodView.of)


@router.get("/billing-methods/{method_id}", operation_id="billing-method.show", summary="One billing method")
def show(request: Request, method_id: MethodId) -> MethodView:
    return read(request, lambda tx: MethodView.of(methods.get_billing_method(tx, method_id)))


@router.patch(
    "/billing-methods/{method_id}",
    operation_id="billing-method.change",
    summary="Change a billing method; a changed rule makes a new version",
)
def change(request: Request, method_id: MethodId, body: MethodChange) -> MethodView:
    def work(tx: Transaction) -> MethodView:
        return MethodView.of(methods.change_billing_method(tx, billing_method_id=method_id, **body.given()))

    return write(request, work)


@router.get(
    "/billing-methods/{method_id}/versions",
    operation_id="billing-method.versions",
    summary="Every version of its rules, oldest first",
)
def versions(request: Request, method_id: MethodId) -> Page[VersionView]:
    def look(tx: Transaction) -> Page[VersionView]:
        methods.get_billing_method(tx, method_id)
        return Page(items=[VersionView.of(row) for row in methods.rule_versions(tx, method_id)], next=None)

    return read(request, look)


@router.post(
    "/subscriptions/{subscription_id}/billing",
    operation_id="subscription.set-billing",
    summary="Bill a subscription by a method, on a day",
)
def set_billing(request: Request, subscription_id: SubscriptionId, body: AccountIn) -> AccountView:
    def work(tx: Transaction) -> AccountView:
        row = accounts.set_billing(tx, subscription_id=subscription_id, **body.given())
        return AccountView.of(row, billing_method_name=row.billing_method.name)

    return write(request, work)


@router.get("/subscriptions/{subscription_id}/billing", operation_id="subscription.billing", summary="How it is billed")
def show_billing(request: Request, subscription_id: SubscriptionId) -> AccountView:
    def look(tx: Transaction) -> AccountView:
        row = accounts.get_billing(tx, subscription_id)
        return AccountView.of(row, billing_method_name=row.billing_method.name)

    return read(request, look)


@router.get(
    "/subscriptions/{subscription_id}/debts", operation_id="subscription.debts", summary="What it owes, oldest first"
)
def show_debts(request: Request, subscription_id: SubscriptionId) -> Page[DebtView]:
    def look(tx: Transaction) -> Page[DebtView]:
        get_subscription(tx, subscription_id)
        return Page(items=[DebtView.of(row) for row in open_debts(tx, subscription_id)], next=None)

    return read(request, look)
