"""Subscriptions: a subscriber's services, their credentials, why they are in their state, what happened to them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy import select
from starlette.requests import Request

from api.fields import Address, Flag, Instant, Key, Note, Password, PathKey, Text
from api.models import Body, Change, Page, View, columns
from api.paging import Pages
from api.requests import read, write
from core.database import Transaction
from ipam.lookup import fixed_address_of
from provisioning import subscriptions, timeline
from provisioning.explain import evaluation as explanation
from provisioning.explain.words import choose_language
from provisioning.facts import ServiceState
from provisioning.models import Subscription, TimelineEntry
from provisioning.prices import price_of

router = APIRouter(prefix="/api/v1/subscriptions", tags=["subscription"])
SubscriptionId = Annotated[PathKey, Path(description="The subscription's id", examples=[12])]
Language = Annotated[
    Literal["en", "pt-BR"] | None,
    Query(description="In which language; absent: by Accept-Language, else English", examples=["pt-BR"]),
]
At = Annotated[Instant | None, Query(description="The instant; absent: now", examples=["2026-03-02T12:00:00Z"])]


class SubscriptionIn(Body):
    subscriber_id: Key = Field(description="Whose it is", examples=[7])
    plan_id: Key = Field(description="What was bought", examples=[3])
    login: Text = Field("", description="PPPoE or hotspot login; empty: by MAC address", examples=["maria@provedor"])
    password: Password | None = Field(None, description="The login's password; never shown", examples=["s3nha-longa"])
    mac: Text = Field("", description="MAC address, for IPoE", examples=["02:00:5e:10:00:01"])


class CredentialsChange(Change):
    login: Text | None = Field(None, description='The login; "" removes it', examples=["maria.silva@provedor"])
    password: Password | None = Field(None, description="The password; never shown", examples=["s3nha-nova"])
    mac: Text | None = Field(None, description='The MAC address; "" removes it', examples=["02:00:5e:10:00:02"])


class PlanSwitch(Body):
    plan_id: Key = Field(description="The plan to move to", examples=[4])
    change_price: Flag = Field(
        True, description="It costs what that plan costs; otherwise it keeps what it costs now", examples=[True]
    )
    note: Note = Field("", description="Why, for the timeline", examples=["asked for more speed"])


class SubscriptionView(View):
    model_config = columns("id", "subscriber_name", "plan_name", "login", "mac", "state", "state_since")

    id: int = Field(description="The subscription's id", examples=[12])
    subscriber_id: int = Field(description="Whose it is", examples=[7])
    subscriber_name: str = Field(description="Their name", examples=["Maria da Silva"])
    plan_id: int = Field(description="What was bought", examples=[3])
    plan_name: str = Field(description="The plan's name", examples=["Fibra 500 Mega"])
    monthly_cents: int = Field(description="What it costs a month, in cents", examples=[9990])
    price_cents: int | None = Field(description="Its own price, where it is not the plan's", examples=[8990])
    login: str | None = Field(description="Its login", examples=["maria@provedor"])
    mac: str | None = Field(description="Its MAC address", examples=["02:00:5e:10:00:01"])
    state: str = Field(description=f"One of {', '.join(ServiceState)}", examples=["ACTIVE"])
    state_since: Instant = Field(description="Since when", examples=["2026-03-02T12:00:00Z"])
    next_change_at: Instant | None = Field(
        description="When its service changes by itself", examples=["2026-03-12T12:00:00Z"]
    )
    opened_at: Instant = Field(description="When it was opened", examples=["2026-03-01T12:00:00Z"])
    installed_at: Instant | None = Field(description="When it was installed", examples=["2026-03-02T12:00:00Z"])
    cancelled_at: Instant | None = Field(description="When it was cancelled", examples=["2027-03-02T12:00:00Z"])
    protocol: str = Field(description="Protocol number of the cancellation", examples=["2027030200000012"])
    migrates_from_id: int | None = Field(
        description="The subscription that it takes, or took, the place of", examples=[11]
    )

    @classmethod
    def of(cls, row: object, **extra: object) -> Self:
        if isinstance(row, Subscription):
            names = {"subscriber_name": row.subscriber.name, "plan_name": row.plan.name}
            extra = {**names, "monthly_cents": price_of(row), **extra}
        return super().of(row, **extra)


class SubscriptionReport(SubscriptionView):
    fixed_address: Address | None = Field(description="Its fixed address", examples=["100.64.0.10"])
    session_limit: int = Field(description="How many sessions it may have at once; 0: any number", examples=[1])
    mac_binding: str = Field(description="Whether it is bound to a MAC address: off, learn, pinned", examples=["learn"])
    bound_mac: str | None = Field(description="To which one", examples=["02:00:5e:10:00:01"])


class StepView(View):
    rule: str = Field(description="The rule, in the order in which rules are tried", examples=["trust unblock"])
    decided: bool = Field(description="Whether this one decided", examples=[True])
    finding: str = Field(description="What was found", examples=["live: from 02/03 09:00"])


class ExplanationView(View):
    subscription_id: int = Field(description="Which subscription", examples=[12])
    at: Instant = Field(description="For which instant", examples=["2026-03-02T12:00:00Z"])
    state: str = Field(description="The state that follows", examples=["ACTIVE"])
    sentence: str = Field(
        description="In a sentence",
        examples=["SUSPENDED since 03/10 06:00: invoice 31 was due on 18/09, 15 days ago, R$ 99,90 open; rule v3."],
    )
    speed: str = Field(description="The speed that follows", examples=["500M down, 250M up (plan)"])
    next_change_at: Instant | None = Field(description="When it changes by itself", examples=["2026-03-12T12:00:00Z"])
    steps: list[StepView] = Field(description="Every rule, what it found, and which one decided")


class TimelineView(View):
    model_config = columns("id", "at", "event", "state_before", "state_after", "actor", "note")

    id: int = Field(description="The entry's id", examples=[88])
    at: Instant = Field(description="When", examples=["2026-03-02T12:00:00Z"])
    event: str = Field(description="What happened", examples=["trust.granted"])
    actor: str = Field(description="Who", examples=["ana"])
    source: str = Field(description="From where", examples=["api"])
    state_before: str = Field(description="The state before, where it changed", examples=["SUSPENDED"])
    state_after: str = Field(description="The state after, where it changed", examples=["ACTIVE"])
    details: dict[str, Any] = Field(description="With which values", examples=[{"until": "2026-03-05T12:00:00+00:00"}])
    note: str = Field(description="Why", examples=["will pay on Friday"])


@router.post("", operation_id="subscription.open", status_code=201, summary="Open a subscription (PENDING_INSTALL)")
def open_subscription(request: Request, body: SubscriptionIn) -> SubscriptionView:
    return write(request, lambda tx: SubscriptionView.of(subscriptions.open_subscription(tx, **body.given())))


@router.get("", operation_id="subscription.list", summary="The subscriptions")
def list_subscriptions(
    pages: Pages,
    state: Annotated[ServiceState | None, Query(description="Only in this state", examples=["SUSPENDED"])] = None,
    login: Annotated[
        str | None, Query(max_length=128, description="Only with this login", examples=["maria@provedor"])
    ] = None,
    mac: Annotated[
        str | None, Query(max_length=32, description="Only with this MAC address", examples=["02:00:5e:10:00:01"])
    ] = None,
    plan_id: Annotated[PathKey | None, Query(description="Only of this plan", examples=[3])] = None,
    subscriber_id: Annotated[PathKey | None, Query(description="Only of this subscriber", examples=[7])] = None,
) -> Page[SubscriptionView]:
    wanted = select(Subscription)
    for column, value in (
        (Subscription.state, state.value if state else None),
        (Subscription.login, login),
        (Subscription.mac, subscriptions.normal_mac(mac) if mac else None),
        (Subscription.plan_id, plan_id),
        (Subscription.subscriber_id, subscriber_id),
    ):
        if value is not None:
            wanted = wanted.where(column == value)
    return pages.of(wanted, Subscription.id, SubscriptionView.of)


@router.get("/{subscription_id}", operation_id="subscription.show", summary="One subscription")
def show(request: Request, subscription_id: SubscriptionId) -> SubscriptionReport:
    def look(tx: Transaction) -> SubscriptionReport:
        row = subscriptions.get_subscription(tx, subscription_id)
        return SubscriptionReport.of(row, fixed_address=fixed_address_of(tx, subscription_id))

    return read(request, look)


@router.post("/{subscription_id}/activate", operation_id="subscription.activate", summary="The installation is done")
def activate(request: Request, subscription_id: SubscriptionId) -> SubscriptionView:
    return write(request, lambda tx: SubscriptionView.of(subscriptions.activate(tx, subscription_id=subscription_id)))


@router.post("/{subscription_id}/plan", operation_id="subscription.switch-plan", summary="Move to another plan now")
def switch_plan(request: Request, subscription_id: SubscriptionId, body: PlanSwitch) -> SubscriptionView:
    def work(tx: Transaction) -> SubscriptionView:
        return SubscriptionView.of(subscriptions.switch_plan(tx, subscription_id=subscription_id, **body.given()))

    return write(request, work)


@router.patch(
    "/{subscription_id}/credentials",
    operation_id="subscription.change-credentials",
    summary="Change login, password or MAC address",
)
def change_credentials(request: Request, subscription_id: SubscriptionId, body: CredentialsChange) -> SubscriptionView:
    def work(tx: Transaction) -> SubscriptionView:
        row = subscriptions.change_credentials(tx, subscription_id=subscription_id, **body.given())
        return SubscriptionView.of(row)

    return write(request, work)


@router.get(
    "/{subscription_id}/explain", operation_id="subscription.explain", summary="Why it is in its state, at any instant"
)
def explain(request: Request, subscription_id: SubscriptionId, at: At = None, lang: Language = None) -> ExplanationView:
    language = choose_language(lang, request.headers.get("accept-language"))

    def look(tx: Transaction) -> ExplanationView:
        return ExplanationView.of(explanation.explain(tx, subscription_id, at or tx.now, language))

    return read(request, look)


@router.get("/{subscription_id}/timeline", operation_id="subscription.timeline", summary="What happened, oldest first")
def show_timeline(request: Request, pages: Pages, subscription_id: SubscriptionId) -> Page[TimelineView]:
    def look(tx: Transaction) -> Page[TimelineView]:
        subscriptions.get_subscription(tx, subscription_id)
        rows: list[TimelineEntry] = list(
            timeline.entries(tx, subscription_id, after=pages.place or 0, limit=pages.limit + 1)
        )
        return pages.made([(row.id, row) for row in rows], TimelineView.of)

    return read(request, look)
