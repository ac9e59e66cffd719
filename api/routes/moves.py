"""Moving services: to another subscription (migration), to another subscriber (transfer); what a service costs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import Field
from starlette.requests import Request

from api.fields import Cents, Flag, Instant, Key, Note, PathKey
from api.models import Body, Page, View, columns
from api.paging import Pages
from api.requests import read, write
from api.routes.subscribers import SubscriberIn
from api.routes.subscriptions import SubscriptionView
from core.database import Transaction
from provisioning import subscriptions
from provisioning.moves import migration
from provisioning.moves.transfer import transfer as hand_on
from provisioning.subscriber_history import SubscriberEntry, subscriber_entries
from provisioning.subscribers import get_subscriber

router = APIRouter(prefix="/api/v1", tags=["subscription"])
SubscriptionId = Annotated[PathKey, Path(description="The subscription's id", examples=[12])]
SubscriberId = Annotated[PathKey, Path(description="The subscriber's id", examples=[7])]


class MigrationIn(Body):
    plan_id: Key = Field(description="The plan of the new subscription", examples=[4])
    immediate: Flag = Field(
        False,
        description="Now; otherwise the new one waits (PENDING_MIGRATION) until it is activated",
        examples=[False],
    )
    change_price: Flag = Field(
        True, description="It costs what its plan costs; otherwise what the old one costs", examples=[True]
    )
    note: Note = Field("", description="Why, for both timelines", examples=["from radio to fibre"])


class AbandonIn(Body):
    note: Note = Field("", description="Why", examples=["no fibre in this street yet"])


class PriceIn(Body):
    price_cents: Cents | None = Field(description="Cents a month; null: what its plan costs", examples=[8990])
    note: Note = Field("", description="Why, for the timeline", examples=["agreed when the contract was renewed"])


class TransferIn(Body):
    subscriber_id: Key | None = Field(
        None, description="The subscriber who gets it; null: the one in new_subscriber", examples=[8]
    )
    new_subscriber: SubscriberIn | None = Field(
        None,
        description="Somebody who is registered by it; null: subscriber_id says who gets it",
        examples=[{"name": "João Souza", "document": "111.444.777-35"}],
    )
    debts: Literal["move", "stay"] = Field(
        "move",
        description="move: open invoices about this service alone go to the new owner; stay: the old one keeps them",
        examples=["move"],
    )
    note: Note = Field("", description="Why, for the timeline and both histories", examples=["the house was sold"])


class TransferView(View):
    subscription_id: int = Field(description="The service, under its old id", examples=[12])
    subscriber_id: int = Field(description="Whose it is now", examples=[8])
    protocol: str = Field(description="The protocol number that records it", examples=["2026030200000012"])
    moving_invoices: list[int] = Field(description="Open invoices that go to the new owner", examples=[[31]])
    staying_invoices: list[int] = Field(
        description="Open invoices that the old owner keeps: shared ones, or all of them", examples=[[32]]
    )


class SubscriberEntryView(View):
    model_config = columns("id", "at", "event", "actor", "note")

    id: int = Field(description="The entry's id", examples=[5])
    at: Instant = Field(description="When", examples=["2026-03-02T12:00:00Z"])
    event: str = Field(description="What happened", examples=["subscription.received"])
    actor: str = Field(description="Who", examples=["ana"])
    source: str = Field(description="From where", examples=["api"])
    details: dict[str, Any] = Field(
        description="With which values", examples=[{"subscription": 12, "from": 7, "to": 8}]
    )
    note: str = Field(description="Why", examples=["the house was sold"])


@router.post(
    "/subscriptions/{subscription_id}/migrate",
    operation_id="subscription.migrate",
    status_code=201,
    summary="Migrate to another service: now, or when the new one is activated; answers the new subscription",
)
def migrate(request: Request, subscription_id: SubscriptionId, body: MigrationIn) -> SubscriptionView:
    def work(tx: Transaction) -> SubscriptionView:
        return SubscriptionView.of(migration.start_migration(tx, subscription_id=subscription_id, **body.given()))

    return write(request, work)


@router.post(
    "/subscriptions/{subscription_id}/abandon-migration",
    operation_id="subscription.abandon-migration",
    summary="Give up a migration that waits; the subscription is the waiting one",
)
def abandon_migration(request: Request, subscription_id: SubscriptionId, body: AbandonIn) -> SubscriptionView:
    def work(tx: Transaction) -> SubscriptionView:
        return SubscriptionView.of(migration.abandon_migration(tx, subscription_id=subscription_id, note=body.note))

    return write(request, work)


@router.post(
    "/subscriptions/{subscription_id}/transfer",
    operation_id="subscription.transfer",
    summary="Hand the service on to another subscriber, who is there or is registered by it",
)
def transfer(request: Request, subscription_id: SubscriptionId, body: TransferIn) -> TransferView:
    def work(tx: Transaction) -> TransferView:
        done = hand_on(tx, subscription_id=subscription_id, **body.given())
        return TransferView(
            subscription_id=subscription_id,
            subscriber_id=done.subscription.subscriber_id,
            protocol=done.protocol,
            moving_invoices=list(done.moving),
            staying_invoices=list(done.staying),
        )

    return write(request, work)


@router.post(
    "/subscriptions/{subscription_id}/price",
    operation_id="subscription.change-price",
    summary="Give the subscription a price of its own, or its plan's again",
)
def change_price(request: Request, subscription_id: SubscriptionId, body: PriceIn) -> SubscriptionView:
    def work(tx: Transaction) -> SubscriptionView:
        return SubscriptionView.of(subscriptions.change_price(tx, subscription_id=subscription_id, **body.given()))

    return write(request, work)


@router.get(
    "/subscribers/{subscriber_id}/history",
    operation_id="subscriber.history",
    tags=["subscriber"],
    summary="What happened to the subscriber: services that came, went or migrated, oldest first",
)
def show_history(request: Request, pages: Pages, subscriber_id: SubscriberId) -> Page[SubscriberEntryView]:
    def look(tx: Transaction) -> Page[SubscriberEntryView]:
        get_subscriber(tx, subscriber_id)
        rows: list[SubscriberEntry] = list(
            subscriber_entries(tx, subscriber_id, after=pages.place or 0, limit=pages.limit + 1)
        )
        return pages.made([(row.id, row) for row in rows], SubscriberEntryView.of)

    return read(request, look)
