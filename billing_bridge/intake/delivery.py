"""One delivery of events: stored in one transaction, applied in chunks, answered with what became of each.

What a request does not get to is left to a job, which also takes over when the request dies.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence

from billing_bridge.intake.events import BadEvent, FieldError, parse_event
from billing_bridge.intake.models import BillingSource
from billing_bridge.intake.receive import APPLY, CHUNK, apply_received, store_events
from billing_bridge.intake.signatures import is_signed
from billing_bridge.intake.sources import secrets_of
from core.actor import Actor
from core.errors import InvalidInput, Unauthorised
from core.job_queue import Job
from core.jobs import handles
from core.outcomes import Applied, Outcome
from core.runtime import Runtime
from core.secrets import Secret

CHUNKS_OF_A_REQUEST = 5
_EXAMPLE = [{"event_id": "evt-981", "invoice": {"id": "F-2026-0031", "version": 1}}]


def deliver(runtime: Runtime, actor: Actor, source_id: int, events: Sequence[object]) -> list[int]:
    """Store and apply; gives the ids of the events' rows, in order. Some may still be `received`: a job goes on."""
    with runtime.database.transaction(actor) as tx:
        ids = store_events(tx, source_id=source_id, events=events)
    for _ in range(CHUNKS_OF_A_REQUEST):
        with runtime.database.transaction(actor) as tx:
            if len(apply_received(tx, source_id=source_id, ids=ids)) < CHUNK:
                return ids
    with runtime.database.transaction(actor) as tx:
        tx.enqueue(APPLY, str(source_id))
    return ids


def authenticate(runtime: Runtime, source_id: int, timestamp: str, signature: str, body: bytes) -> Actor:
    """Who sends a signed delivery. Unauthorised, in the same words, for an unknown source and a wrong signature."""
    with runtime.database.reading() as tx:
        source = tx.session.get(BillingSource, source_id)
        known = source is not None and not source.pulled
        keys = secrets_of(source, tx.now) if source is not None and known else [_nobody()]
        if not is_signed(keys, timestamp, signature, body, tx.now) or source is None:
            raise Unauthorised(
                "send X-Catraca-Timestamp (unix seconds, at most 5 minutes off) and X-Catraca-Signature "
                "(v1=HMAC-SHA256 of timestamp, full stop and body, in hex) of a source that is known"
            )
        return Actor(f"source {source.name}", "webhook")


def events_in(body: bytes) -> list[object]:
    """The events of a delivery: one event, or an object with a list of them."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidInput("body", "must be JSON", {"events": _EXAMPLE}) from None
    if isinstance(content, dict) and isinstance(content.get("events"), list):
        return list(content["events"])
    if isinstance(content, dict) and "event_id" in content:
        return [content]
    raise InvalidInput("events", "one event, or an object with a list of events", _EXAMPLE)


def faults_of(raw: object) -> list[FieldError]:
    """What is wrong with an event, field by field."""
    try:
        parse_event(raw)
    except BadEvent as error:
        return error.errors
    return []


@handles(APPLY)
def apply_the_rest(runtime: Runtime, job: Job) -> Outcome:
    """Applies what waits of the source that is the job's key, chunk by chunk."""
    done = 0
    for _ in range(CHUNKS_OF_A_REQUEST):
        with runtime.database.transaction(Actor(f"source {job.key}", "webhook")) as tx:
            rows = apply_received(tx, source_id=int(job.key))
            done += len(rows)
            if len(rows) < CHUNK:
                return Applied(f"{done} events applied")
    with runtime.database.transaction() as tx:
        tx.enqueue(APPLY, job.key)
    return Applied(f"{done} events applied, more to come")


def _nobody() -> Secret:
    return Secret(secrets.token_hex(32))
