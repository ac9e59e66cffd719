"""Events of other billing systems: the two ways in, what became of them, trying again."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Response
from pydantic import Field
from sqlalchemy import select
from starlette.requests import Request

from api.fields import Instant, Key, PathKey
from api.models import Body, Page, View, columns
from api.paging import Pages
from api.requests import context_of, read, runtime_of, write
from billing_bridge.intake import delivery as intake_delivery
from billing_bridge.intake import receive as intake
from billing_bridge.intake.models import IntakeEvent
from core.database import Transaction

router = APIRouter(prefix="/api/v1/intake", tags=["intake"])
SourceId = Annotated[PathKey, Path(description="The billing source's id", examples=[3])]
Outcome = Literal["received", "applied", "duplicate", "older", "conflict", "unmatched", "refused"]
_OUTCOME = (
    "received (a job will apply it), applied, duplicate, older, conflict (another content under the same version: the "
    "one that is better for the subscriber holds), unmatched (kept and tried again) or refused"
)
_EVENT = {
    "event_id": "evt-981",
    "invoice": {
        "id": "F-2026-0031",
        "version": 3,
        "subscription": {"login": "maria@provedor"},
        "due_on": "2026-03-10",
        "amount_cents": 9990,
        "open_cents": 9990,
        "status": "open",
    },
}
_EVENTS = "The events, 1 to 1,000 that fit into a body of 1 MiB; each is the whole state of one invoice at a version"


class BulkIn(Body):
    events: list[dict[str, Any]] = Field(min_length=1, max_length=1000, description=_EVENTS, examples=[[_EVENT]])


class RetryIn(Body):
    billing_source_id: Key = Field(description="Whose unmatched events are tried again", examples=[3])


class FaultView(View):
    field: str = Field(description="Which field of the event", examples=["invoice.due_on"])
    rule: str = Field(description="Which rule it breaks", examples=["must be a date, YYYY-MM-DD"])
    example: Any = Field(description="A value that would pass", examples=["2026-03-10"])


class EventAnswerView(View):
    id: int = Field(description="Under which id it is kept", examples=[981])
    event_id: str = Field(description="The sender's name for it", examples=["evt-981"])
    outcome: str = Field(description=_OUTCOME, examples=["applied"])
    detail: str = Field(description="In words", examples=["open_cents 9990 → 0"])
    errors: list[FaultView] = Field(description="Of a refused one: every field that breaks a rule")


class DeliveryView(View):
    counts: dict[str, int] = Field(description="How many of each outcome", examples=[{"applied": 1}])
    events: list[EventAnswerView] = Field(description="What became of each, in the order of the delivery")


class EventView(View):
    model_config = columns("id", "received_at", "event_id", "external_id", "version", "outcome", "detail")

    id: int = Field(description="Under which id it is kept", examples=[981])
    source_id: int = Field(description="The billing source's id", examples=[3])
    event_id: str = Field(description="The sender's name for it", examples=["evt-981"])
    received_at: Instant = Field(description="When it came in", examples=["2026-03-05T18:00:00Z"])
    external_id: str = Field(description="The invoice's id at the source", examples=["F-2026-0031"])
    version: int | None = Field(description="The version that it tells of", examples=[3])
    outcome: str = Field(description=_OUTCOME, examples=["applied"])
    detail: str = Field(description="In words", examples=["open_cents 9990 → 0"])
    invoice_id: int | None = Field(description="The invoice that mirrors it here", examples=[31])
    tries: int = Field(description="How often it was tried", examples=[1])
    concluded_at: Instant | None = Field(description="When it was last tried", examples=["2026-03-05T18:00:00Z"])
    body: dict[str, Any] = Field(description="The event, without secrets", examples=[_EVENT])


class RetryView(View):
    billing_source_id: int = Field(description="The source's id", examples=[3])
    retried: int = Field(description="How many are tried again, by a job", examples=[3])


@router.post(
    "/{source_id}/events",
    operation_id="intake.receive",
    summary="Take a signed delivery: one event, or an object with `events`",
    openapi_extra={"security": []},
    description=(
        "Needs no token: `X-Catraca-Timestamp` holds unix seconds, at most 5 minutes off, and `X-Catraca-Signature` "
        "holds `v1=` and the hex HMAC-SHA256, with the source's secret, of the timestamp, a full stop and the body as "
        "sent. 200: every event has its outcome; 202: a job applies the rest. Sending again is safe."
    ),
)
def receive(
    request: Request,
    response: Response,
    source_id: SourceId,
    x_catraca_timestamp: Annotated[str, Header(description="Unix seconds", examples=["1772712000"])] = "",
    x_catraca_signature: Annotated[str, Header(description="v1=hex of the HMAC", examples=["v1=5f…"])] = "",
) -> DeliveryView:
    runtime, body = runtime_of(request), context_of(request).body
    actor = intake_delivery.authenticate(runtime, source_id, x_catraca_timestamp, x_catraca_signature, body)
    events = intake_delivery.events_in(body)
    ids = intake_delivery.deliver(runtime, actor, source_id, events)
    return read(request, lambda tx: _answer(tx, ids, events, response))


@router.post("/{source_id}/bulk", operation_id="intake.bulk", summary="Take events from a caller with a token")
def bulk(request: Request, response: Response, source_id: SourceId, body: BulkIn) -> DeliveryView:
    ids = intake_delivery.deliver(runtime_of(request), context_of(request).actor, source_id, body.events)
    return write(request, lambda tx: _answer(tx, ids, body.events, response))


@router.get("/events", operation_id="intake.events", summary="The events that came in, newest first")
def events(
    pages: Pages,
    source_id: Annotated[PathKey | None, Query(description="Only of this source", examples=[3])] = None,
    outcome: Annotated[Outcome | None, Query(description="Only with this outcome", examples=["unmatched"])] = None,
    external_id: Annotated[
        str | None, Query(max_length=80, description="Only of this invoice of the source", examples=["F-2026-0031"])
    ] = None,
) -> Page[EventView]:
    query = select(IntakeEvent)
    if source_id is not None:
        query = query.where(IntakeEvent.source_id == source_id)
    if outcome is not None:
        query = query.where(IntakeEvent.outcome == outcome)
    if external_id is not None:
        query = query.where(IntakeEvent.external_id == external_id)
    return pages.of(query, IntakeEvent.id, EventView.of, newest_first=True)


@router.get("/events/{event_id}", operation_id="intake.show", summary="One event")
def show(
    request: Request, event_id: Annotated[PathKey, Path(description="The id that we gave it", examples=[981])]
) -> EventView:
    return read(request, lambda tx: EventView.of(intake.get_event(tx, event_id)))


@router.post("/retry", operation_id="intake.retry", summary="Try the unmatched events of a source again")
def retry(request: Request, body: RetryIn) -> RetryView:
    def work(tx: Transaction) -> RetryView:
        retried = intake.retry_unmatched(tx, source_id=body.billing_source_id)
        return RetryView(billing_source_id=body.billing_source_id, retried=retried)

    return write(request, work)


def _answer(tx: Transaction, ids: list[int], raw: list[Any], response: Response) -> DeliveryView:
    rows = intake.events_of(tx, ids)
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.outcome] = counts.get(row.outcome, 0) + 1
    response.status_code = 202 if intake.RECEIVED in counts else 200
    return DeliveryView(
        counts=counts,
        events=[EventAnswerView.of(row, errors=_faults(row, event)) for row, event in zip(rows, raw, strict=True)],
    )


def _faults(row: IntakeEvent, event: Any) -> list[FaultView]:
    if row.outcome != "refused":
        return []
    return [FaultView.of(fault) for fault in intake_delivery.faults_of(event)]
