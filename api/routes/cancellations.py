"""Cancelling for good: what it would take away, and doing it."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request

from api.fields import Address, Cents, Flag, Note
from api.models import Body, View
from api.requests import read, write
from api.routes.interventions import SubscriptionId
from api.routes.subscriptions import SubscriptionView
from core.database import Transaction
from core.errors import NeedsConfirmation
from provisioning.cancellation import CancelPreview, cancel, preview_cancel

router = APIRouter(prefix="/api/v1/subscriptions/{subscription_id}", tags=["subscription"])


class CancelIn(Body):
    note: Note = Field("", description="Why", examples=["moved to another city"])
    cancel_open_invoices: Flag = Field(True, description="Whether its open invoices are cancelled too", examples=[True])
    fine_cents: Cents = Field(0, description="The fine to be charged; 0: none", examples=[15000])
    withdrawal_order: Flag = Field(False, description="Whether the equipment is to be fetched", examples=[True])
    withdrawal_note: Note = Field(
        "", description="What whoever fetches it should know", examples=["router and power supply, mornings"]
    )
    confirm: Flag = Field(
        False, description="Has to be true; without it the answer shows what would happen", examples=[True]
    )


class EndingSessionView(View):
    id: int = Field(description="The session's id", examples=[81])
    nas: str = Field(description="The router that it is on", examples=["bras1"])
    user_name: str = Field(description="Its user name", examples=["maria@provedor"])


class CancelPreviewView(View):
    subscription_id: int = Field(description="Which subscription", examples=[12])
    state: str = Field(description="Its state at present", examples=["ACTIVE"])
    login: str | None = Field(description="The login that becomes free", examples=["maria@provedor"])
    sessions: list[EndingSessionView] = Field(description="The live sessions that end")
    fixed_address: Address | None = Field(
        description="The fixed address that goes into quarantine", examples=["100.64.0.10"]
    )
    prefixes: list[str] = Field(description="The prefixes that are taken back", examples=[["2001:db8:700::/56"]])


@router.get(
    "/preview-cancel", operation_id="subscription.preview-cancel", summary="What a cancellation would take away"
)
def preview(request: Request, subscription_id: SubscriptionId) -> CancelPreviewView:
    return read(request, lambda tx: CancelPreviewView.of(preview_cancel(tx, subscription_id)))


@router.post("/cancel", operation_id="subscription.cancel", summary="Cancel for good; answers the protocol number")
def cancel_for_good(request: Request, subscription_id: SubscriptionId, body: CancelIn) -> SubscriptionView:
    def work(tx: Transaction) -> SubscriptionView:
        given = body.given()
        if not given.pop("confirm", False):
            raise _unconfirmed(preview_cancel(tx, subscription_id))
        return SubscriptionView.of(cancel(tx, subscription_id=subscription_id, **given))

    return write(request, work)


def _unconfirmed(would: CancelPreview) -> NeedsConfirmation:
    return NeedsConfirmation(
        f"cancelling subscription {would.subscription_id} cannot be taken back: send `confirm` as true",
        would=asdict(would),
    )
