"""A custom speed that is shown before it applies: propose, look, confirm, discard."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request

from api.fields import Instant, Key
from api.models import Body, View
from api.requests import read, write
from api.routes.interventions import NoteIn, SpeedIn, SubscriptionId
from core.database import Transaction
from provisioning.speed import pending
from provisioning.speed.models import PendingSpeed

router = APIRouter(prefix="/api/v1/subscriptions/{subscription_id}", tags=["subscription"])
AT_NEXT_CONNECTION = "nobody is connected: it applies at the next connection"


class ProposalKey(Body):
    proposal_id: Key = Field(description="Which proposal: the one that was looked at", examples=[7])


class EffectView(View):
    state: str = Field(description="The state of the subscription", examples=["ACTIVE"])
    download_bps: int | None = Field(description="Speed towards the subscriber", examples=[600000000])
    upload_bps: int | None = Field(description="Speed from the subscriber", examples=[300000000])
    custom: bool = Field(description="Whether that is a custom speed", examples=[True])
    until: str | None = Field(
        description="When the custom speed ends by itself", examples=["2026-03-09T03:00:00+00:00"]
    )


class SendView(View):
    session_id: int = Field(description="The live session", examples=[81])
    nas: str = Field(description="The router that it is on", examples=["bras1"])
    user_name: str = Field(description="Its user name", examples=["maria@provedor"])
    action: str = Field(description="coa: changed while it runs; disconnect; nothing", examples=["coa"])
    attributes: list[str] = Field(
        description="What a CoA says, in the router's words", examples=[["Mikrotik-Rate-Limit = 300M/600M"]]
    )
    reason: str = Field(description="Why so", examples=["changed while it runs"])


class PendingView(View):
    id: int = Field(description="The proposal's id", examples=[7])
    subscription_id: int = Field(description="Which subscription", examples=[12])
    kind: str = Field(description="override: a custom speed; end: back to the plan", examples=["override"])
    before: EffectView = Field(description="What holds now")
    after: EffectView = Field(description="What will hold")
    sends: list[SendView] = Field(description="What each live session will be told")
    words: str = Field(description="The same in a sentence", examples=["1 live session is told at once"])
    note: str = Field(description="Why", examples=["festival week"])
    proposed_at: Instant = Field(description="When it was proposed", examples=["2026-03-02T12:00:00Z"])
    proposed_by: str = Field(description="By whom", examples=["ana"])
    expires_at: Instant = Field(description="Until when it may be confirmed", examples=["2026-03-03T12:00:00Z"])
    outcome: str = Field(
        description='"" while it waits; then confirmed, discarded, replaced or expired', examples=["confirmed"]
    )


@router.post(
    "/propose-speed",
    operation_id="subscription.propose-speed",
    status_code=201,
    summary="Show what a custom speed would change; it waits for a confirmation",
)
def propose(request: Request, subscription_id: SubscriptionId, body: SpeedIn) -> PendingView:
    def work(tx: Transaction) -> PendingView:
        return _shown(pending.propose_speed(tx, subscription_id=subscription_id, **body.given()))

    return write(request, work)


@router.post(
    "/propose-speed-end",
    operation_id="subscription.propose-speed-end",
    status_code=201,
    summary="Show what going back to the plan's speed would change; it waits for a confirmation",
)
def propose_end(request: Request, subscription_id: SubscriptionId, body: NoteIn) -> PendingView:
    def work(tx: Transaction) -> PendingView:
        return _shown(pending.propose_speed_end(tx, subscription_id=subscription_id, note=body.note))

    return write(request, work)


@router.get("/pending-speed", operation_id="subscription.pending-speed", summary="The change of speed that waits")
def show(request: Request, subscription_id: SubscriptionId) -> PendingView:
    return read(request, lambda tx: _shown(pending.pending_speed(tx, subscription_id)))


@router.post("/confirm-speed", operation_id="subscription.confirm-speed", summary="Carry out what was shown, once")
def confirm(request: Request, subscription_id: SubscriptionId, body: ProposalKey) -> PendingView:
    def work(tx: Transaction) -> PendingView:
        return _shown(pending.confirm_speed(tx, subscription_id=subscription_id, proposal_id=body.proposal_id))

    return write(request, work)


@router.post("/discard-speed", operation_id="subscription.discard-speed", summary="Drop what was proposed")
def discard(request: Request, subscription_id: SubscriptionId, body: ProposalKey) -> PendingView:
    def work(tx: Transaction) -> PendingView:
        return _shown(pending.discard_speed(tx, subscription_id=subscription_id, proposal_id=body.proposal_id))

    return write(request, work)


def _shown(row: PendingSpeed) -> PendingView:
    told = sum(send["action"] != "nothing" for send in row.sends)
    words = f"{told} of {len(row.sends)} live sessions are told at once" if row.sends else AT_NEXT_CONNECTION
    return PendingView.of(row, words=words)
