"""Where a subscription may be used: sessions at once, MAC address, NAS and port."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Path
from pydantic import Field
from starlette.requests import Request

from api.fields import Int, Key, Note, PathKey, Text
from api.models import Body, View
from api.requests import read, write
from core.database import Transaction
from provisioning import admission
from provisioning.models import Subscription
from provisioning.subscriptions import get_subscription
from radius.models import Nas
from radius.presence import MOST_SESSIONS

router = APIRouter(prefix="/api/v1/subscriptions/{subscription_id}", tags=["subscription"])
SubscriptionId = Annotated[PathKey, Path(description="The subscription's id", examples=[12])]
_MODE = "off: any MAC address; learn: that of the first session; pinned: this one"


class SessionLimitIn(Body):
    limit: Int = Field(ge=0, le=MOST_SESSIONS, description="How many sessions at once; 0: any number", examples=[2])
    note: Note = Field("", description="Why", examples=["has two houses"])


class NasRestrictionIn(Body):
    nas_id: Key | None = Field(None, description="Only at this NAS; null: at any", examples=[1])
    nas_port: Text = Field(
        "",
        max_length=admission.LONGEST_PORT,
        description="And only at this port of it; empty: at any",
        examples=["ether2"],
    )
    note: Note = Field("", description="Why", examples=["kiosk at the square"])


class MacBindingIn(Body):
    mode: Literal["off", "learn", "pinned"] = Field(description=_MODE, examples=["pinned"])
    mac: Text | None = Field(
        None, description="Which one to pin; null: the one that it has", examples=["02:00:5e:10:00:01"]
    )
    note: Note = Field("", description="Why", examples=["password was shared"])


class MacResetIn(Body):
    note: Note = Field("", description="Why", examples=["router was replaced"])


class AdmissionView(View):
    subscription_id: int = Field(description="Which subscription", examples=[12])
    session_limit: int = Field(description="How many sessions at once; 0: any number", examples=[1])
    mac_binding: str = Field(description=_MODE, examples=["learn"])
    bound_mac: str | None = Field(description="The address that it is bound to", examples=["02:00:5e:10:00:01"])
    allowed_nas_id: int | None = Field(description="Only at this NAS; null: at any", examples=[1])
    allowed_nas_name: str = Field(description="Its name", examples=["pop-centro"])
    allowed_nas_port: str = Field(description="And only at this port of it; empty: at any", examples=["ether2"])

    @classmethod
    def of_subscription(cls, tx: Transaction, row: Subscription) -> Self:
        nas = None if row.allowed_nas_id is None else tx.session.get(Nas, row.allowed_nas_id)
        return cls.of(row, subscription_id=row.id, allowed_nas_name="" if nas is None else nas.name)


@router.get("/admission", operation_id="subscription.admission", summary="From where it may be used, and how often")
def show(request: Request, subscription_id: SubscriptionId) -> AdmissionView:
    return read(request, lambda tx: AdmissionView.of_subscription(tx, get_subscription(tx, subscription_id)))


@router.put(
    "/admission/session-limit",
    operation_id="subscription.limit-sessions",
    summary="Limit how many sessions it has at once",
)
def limit_sessions(request: Request, subscription_id: SubscriptionId, body: SessionLimitIn) -> AdmissionView:
    return _change(request, admission.limit_sessions, subscription_id, body.given())


@router.put(
    "/admission/nas",
    operation_id="subscription.restrict-to-nas",
    summary="Let it be used at one NAS, or one port, only",
)
def restrict_to_nas(request: Request, subscription_id: SubscriptionId, body: NasRestrictionIn) -> AdmissionView:
    return _change(request, admission.restrict_to_nas, subscription_id, {"nas_id": None, **body.given()})


@router.post(
    "/admission/mac", operation_id="subscription.bind-mac", summary="Bind it to one MAC address: learn, pin or let go"
)
def bind_mac(request: Request, subscription_id: SubscriptionId, body: MacBindingIn) -> AdmissionView:
    return _change(request, admission.bind_mac, subscription_id, body.given())


@router.post(
    "/admission/mac/reset",
    operation_id="subscription.reset-mac",
    summary="Forget its MAC address and learn the next one",
)
def reset_mac(request: Request, subscription_id: SubscriptionId, body: MacResetIn) -> AdmissionView:
    return _change(request, admission.reset_mac, subscription_id, body.given())


def _change(
    request: Request, command: Callable[..., Subscription], subscription_id: int, given: Mapping[str, Any]
) -> AdmissionView:
    def work(tx: Transaction) -> AdmissionView:
        return AdmissionView.of_subscription(tx, command(tx, subscription_id=subscription_id, **given))

    return write(request, work)
