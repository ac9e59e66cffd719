"""What operators do to a subscription's service: trust unblock, custom speed, fixed address, restriction."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import Field
from starlette.requests import Request

from api.fields import Address, Cents, Flag, Instant, Key, Note, PathKey, Rate, Text
from api.models import Body, View
from api.requests import write
from api.routes.subscriptions import SubscriptionView
from core.database import Transaction
from provisioning import addresses
from provisioning.orders import order_restriction
from provisioning.speed import commands as speed
from provisioning.subscriptions import get_subscription
from provisioning.trust import unblock as trust

router = APIRouter(prefix="/api/v1/subscriptions/{subscription_id}", tags=["subscription"])
SubscriptionId = Annotated[PathKey, Path(description="The subscription's id", examples=[12])]


class TrustIn(Body):
    until: Instant = Field(description="When the trust ends", examples=["2026-03-05T18:00:00-03:00"])
    note: Note = Field(description="On which promise", examples=["will pay on Friday, talked to Maria"])
    beyond_rules: Flag = Field(
        False, description="Grant what the rules refuse; needs the permission trust.beyond-rules", examples=[False]
    )


class SpeedIn(Body):
    download_bps: Rate = Field(description="Speed towards the subscriber", examples=["600M"])
    upload_bps: Rate = Field(description="Speed from the subscriber", examples=["300M"])
    until: Instant | None = Field(
        None,
        description="When the plan's speed comes back; null: when it is ended",
        examples=["2026-03-09T00:00:00-03:00"],
    )
    note: Note = Field("", description="Why", examples=["festival week"])


class NoteIn(Body):
    note: Note = Field("", description="Why", examples=["asked by telephone"])


class AddressIn(Body):
    subnet_id: Key = Field(description="The subnet that it is to be of", examples=[4])
    address: Address | None = Field(
        None, description="Which one; null: the lowest that is free", examples=["100.64.0.10"]
    )


class OrderIn(Body):
    level: Literal["total", "partial"] = Field(description="total: SUSPENDED; partial: REDUCED", examples=["total"])
    invoice_ids: list[Key] = Field(
        min_length=1, max_length=200, description="The open invoices that justify it", examples=[[31]]
    )
    minimum_open_cents: Cents = Field(
        0, description="It ends by itself when less than this is open on them", examples=[1000]
    )
    rule: Text = Field("", max_length=120, description="By which rule", examples=["ordered by the manager"])


class Outcome(View):
    id: int = Field(description="The record's id", examples=[5])
    subscription_id: int = Field(description="Which subscription", examples=[12])
    state: str = Field(description="The state that the subscription now has", examples=["ACTIVE"])
    since: Instant = Field(description="From when", examples=["2026-03-02T12:00:00Z"])


class TrustView(Outcome):
    until: Instant = Field(description="When the trust ends", examples=["2026-03-05T21:00:00Z"])
    note: str = Field(description="On which promise", examples=["will pay on Friday, talked to Maria"])
    granted_by: str = Field(description="Who granted it", examples=["ana"])
    rule_version: int = Field(description="The version of the rules that it was granted under", examples=[1])
    protocol: str = Field(description="The number that the subscriber is told", examples=["2026030200000001"])
    channel: str = Field(description="operator, or self-service", examples=["operator"])
    beyond_rules: bool = Field(description="Whether the rules refused it", examples=[False])


class SpeedView(Outcome):
    until: Instant | None = Field(description="When the plan's speed comes back", examples=["2026-03-09T03:00:00Z"])
    download_bps: int = Field(description="Speed towards the subscriber", examples=[600000000])
    upload_bps: int = Field(description="Speed from the subscriber", examples=[300000000])
    note: str = Field(description="Why", examples=["festival week"])


class OrderView(Outcome):
    level: str = Field(description="total or partial", examples=["total"])
    invoice_ids: list[int] = Field(description="The invoices that justify it", examples=[[31]])
    minimum_open_cents: int = Field(description="It ends when less than this is open", examples=[1000])
    rule: str = Field(description="By which rule", examples=["ordered by the manager"])
    ordered_by: str = Field(description="Who ordered it", examples=["ana"])


class FixedAddressView(View):
    subscription_id: int = Field(description="Whose it is", examples=[12])
    address: Address = Field(description="The address", examples=["100.64.0.10"])
    prefix_length: int = Field(description="Of its subnet", examples=[24])
    gateway: Address | None = Field(description="The subnet's router", examples=["100.64.0.1"])
    subnet_id: int = Field(description="The subnet", examples=[4])
    subnet_name: str = Field(description="Its name", examples=["Residencial"])
    since: Instant = Field(description="Since when", examples=["2026-03-02T12:00:00Z"])


class ReleasedView(View):
    subscription_id: int = Field(description="Whose it was", examples=[12])
    address: Address = Field(description="The address, which rests in quarantine now", examples=["100.64.0.10"])


@router.post(
    "/trust-unblock", operation_id="subscription.trust-unblock", status_code=201, summary="Service on a promise"
)
def trust_unblock(request: Request, subscription_id: SubscriptionId, body: TrustIn) -> TrustView:
    def work(tx: Transaction) -> TrustView:
        row = trust.grant_trust_unblock(tx, subscription_id=subscription_id, **body.given())
        return TrustView.of(row, state=_state(tx, subscription_id))

    return write(request, work)


@router.post("/end-trust-unblock", operation_id="subscription.end-trust-unblock", summary="End a trust unblock now")
def end_trust_unblock(request: Request, subscription_id: SubscriptionId, body: NoteIn) -> SubscriptionView:
    def work(tx: Transaction) -> SubscriptionView:
        row = trust.end_trust_unblock(tx, subscription_id=subscription_id, note=body.note)
        return SubscriptionView.of(row)

    return write(request, work)


@router.post("/speed", operation_id="subscription.override-speed", status_code=201, summary="A custom speed")
def override_speed(request: Request, subscription_id: SubscriptionId, body: SpeedIn) -> SpeedView:
    def work(tx: Transaction) -> SpeedView:
        row = speed.override_speed(tx, subscription_id=subscription_id, **body.given())
        return SpeedView.of(row, state=_state(tx, subscription_id))

    return write(request, work)


@router.post("/end-speed", operation_id="subscription.end-speed-override", summary="Back to the plan's speed now")
def end_speed_override(request: Request, subscription_id: SubscriptionId, body: NoteIn) -> SubscriptionView:
    def work(tx: Transaction) -> SubscriptionView:
        row = speed.end_speed_override(tx, subscription_id=subscription_id, note=body.note)
        return SubscriptionView.of(row)

    return write(request, work)


@router.post("/address", operation_id="subscription.assign-address", status_code=201, summary="Give a fixed address")
def assign_address(request: Request, subscription_id: SubscriptionId, body: AddressIn) -> FixedAddressView:
    def work(tx: Transaction) -> FixedAddressView:
        return FixedAddressView.of(addresses.assign_address(tx, subscription_id=subscription_id, **body.given()))

    return write(request, work)


@router.post("/release-address", operation_id="subscription.release-address", summary="Take the fixed address back")
def release_address(request: Request, subscription_id: SubscriptionId, body: NoteIn) -> ReleasedView:
    def work(tx: Transaction) -> ReleasedView:
        address = addresses.release_address(tx, subscription_id=subscription_id, note=body.note)
        return ReleasedView(subscription_id=subscription_id, address=address)

    return write(request, work)


@router.post(
    "/restrict",
    operation_id="subscription.order-restriction",
    status_code=201,
    summary="Order a restriction for open invoices; it ends by itself with the debt",
)
def restrict(request: Request, subscription_id: SubscriptionId, body: OrderIn) -> OrderView:
    def work(tx: Transaction) -> OrderView:
        row = order_restriction(tx, subscription_id=subscription_id, **body.given())
        return OrderView.of(row, state=_state(tx, subscription_id))

    return write(request, work)


def _state(tx: Transaction, subscription_id: int) -> str:
    return get_subscription(tx, subscription_id).state
