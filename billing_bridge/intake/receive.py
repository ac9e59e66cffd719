"""Events of other billing systems: stored first, then applied, then answered one by one.

Storing and applying are two transactions: what was stored is applied in the end, by the request that brought it or by a
job. A delivery that comes again finds its row and gets the same answer. What matches no subscription is kept, shown and
tried again; nothing is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import CursorResult, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from billing_bridge.intake.events import BadEvent, Event, digest_of, parse_event
from billing_bridge.intake.mirror import REFUSED, UNMATCHED, Mirrored, mirror
from billing_bridge.intake.models import BillingSource, IntakeEvent
from billing_bridge.intake.sources import FEED_FAILING, lock_source, require_enabled
from core.alarms import end_alarm
from core.database import Transaction
from core.errors import CatracaError, InvalidInput, NotAllowed, Unavailable
from core.redaction import redact
from core.rows import get_row

APPLY = "intake.apply"
RECEIVED = "received"
OUTCOMES = (RECEIVED, "applied", "duplicate", "older", "conflict", UNMATCHED, REFUSED)
MOST_EVENTS = 1000
CHUNK = 100
LONGEST_BAD_BODY = 4000
LEFT_TO_THE_REQUEST = timedelta(seconds=30)
KEEP = timedelta(days=180)


def store_events(tx: Transaction, *, source_id: int, events: Sequence[object]) -> list[int]:
    """Write down what came; gives the id of each event's row, in order; what came before has its row already."""
    source = lock_source(tx, source_id)
    require_enabled(source)
    _refuse_pulled(source)
    if not 1 <= len(events) <= MOST_EVENTS:
        raise InvalidInput("events", f"1 to {MOST_EVENTS} events", [])
    rows = _Shelf(tx, source).put([_read(raw) for raw in events])
    source.last_event_at = tx.now
    end_alarm(tx, FEED_FAILING, source.name, note="events come in again")
    tx.session.flush()
    return [row.id for row in rows]


def apply_received(
    tx: Transaction, *, source_id: int, ids: Sequence[int] | None = None, limit: int = CHUNK
) -> Sequence[IntakeEvent]:
    """Apply the next events that wait (of these rows); gives them with their outcomes. None left: an empty list."""
    source = lock_source(tx, source_id)
    query = select(IntakeEvent).where(IntakeEvent.source_id == source_id, IntakeEvent.outcome == RECEIVED)
    if ids is not None:
        query = query.where(IntakeEvent.id.in_(ids))
    rows = tx.session.scalars(query.order_by(IntakeEvent.id).limit(limit)).all()
    for row, result in zip(rows, _mirror_safely(tx, source, rows), strict=True):
        row.outcome, row.detail, row.invoice_id = result.outcome, result.detail, result.invoice_id
        row.tries, row.concluded_at = row.tries + 1, tx.now
        if result.created:
            _wake_unmatched(tx, source_id, row.external_id)
    tx.session.flush()
    return rows


def retry_unmatched(tx: Transaction, *, source_id: int) -> int:
    """Let every unmatched event of a source be tried again, by a job; gives how many there are."""
    source = lock_source(tx, source_id)
    waiting = update(IntakeEvent).where(IntakeEvent.source_id == source.id, IntakeEvent.outcome == UNMATCHED)
    result = tx.session.execute(waiting.values(outcome=RECEIVED))
    count = result.rowcount if isinstance(result, CursorResult) else 0
    if count:
        tx.enqueue(APPLY, str(source_id))
        if tx.actor.source != "system":
            tx.audit("retry", "billing_source", source_id, after={"unmatched": count})
    return count


def apply_left_behind(tx: Transaction) -> None:
    """Ask for a job where events wait that their request should have applied by now: it died, or the database did."""
    late = select(IntakeEvent.source_id).where(
        IntakeEvent.outcome == RECEIVED, IntakeEvent.received_at <= tx.now - LEFT_TO_THE_REQUEST
    )
    for source_id in tx.session.scalars(late.distinct().order_by(IntakeEvent.source_id)).all():
        tx.enqueue(APPLY, str(source_id))


def get_event(tx: Transaction, event_row_id: int) -> IntakeEvent:
    return get_row(tx, IntakeEvent, event_row_id, "intake event")


def events_of(tx: Transaction, ids: Sequence[int]) -> list[IntakeEvent]:
    """The rows with these ids, in this order."""
    found = {row.id: row for row in tx.session.scalars(select(IntakeEvent).where(IntakeEvent.id.in_(ids)))}
    return [found[key] for key in ids]


def count_outcomes(tx: Transaction, source_id: int) -> dict[str, int]:
    """How many events of each outcome are kept."""
    query = select(IntakeEvent.outcome, func.count()).where(IntakeEvent.source_id == source_id)
    counts = {row[0]: row[1] for row in tx.session.execute(query.group_by(IntakeEvent.outcome))}
    return {outcome: counts.get(outcome, 0) for outcome in OUTCOMES}


def purge_events(tx: Transaction) -> None:
    """Forget what was applied or told nothing new half a year ago; what a person may have to look at stays."""
    settled = ("applied", "duplicate", "older", REFUSED)
    old = IntakeEvent.outcome.in_(settled) & (IntakeEvent.received_at < tx.now - KEEP)
    tx.session.execute(delete(IntakeEvent).where(old))


def refused_body(raw: object) -> dict[str, Any]:
    """What can be shown of an event that we could not read: secrets hidden, not too much of it."""
    shown = redact(raw)
    body: dict[str, Any] = shown if isinstance(shown, dict) else {"event": shown}
    return body if len(str(body)) <= LONGEST_BAD_BODY else {"event": f"{str(body)[:LONGEST_BAD_BODY]}…"}


class _Read:
    """An event before it has a row: its name, its fingerprint, and the event or what is wrong with it."""

    def __init__(self, name: str, digest: str, event: Event | None, body: dict[str, Any], detail: str = "") -> None:
        self.name, self.digest, self.event, self.body, self.detail = name, digest, event, body, detail

    @property
    def twin_name(self) -> str:
        """The name of a delivery that has another content than the one that took the name first."""
        return f"{self.name}#{self.digest[:16]}"


def _read(raw: object) -> _Read:
    try:
        event = parse_event(raw)
    except BadEvent as error:
        body = refused_body(raw)
        digest = digest_of(body)
        named = raw.get("event_id") if isinstance(raw, dict) else None
        fit = isinstance(named, str) and 1 <= len(named.strip()) <= 120 and named.isprintable()
        return _Read(str(named).strip() if fit else f"bad-{digest[:16]}", digest, None, body, str(error))
    invoice = event.invoice
    return _Read(event.event_id, digest_of({**invoice.content, "version": invoice.version}), event, event.body)


class _Shelf:
    """The rows of one source, looked up by name once for a whole delivery."""

    def __init__(self, tx: Transaction, source: BillingSource) -> None:
        self._tx, self._source = tx, source
        self._rows: dict[str, IntakeEvent] = {}

    def put(self, events: Sequence[_Read]) -> list[IntakeEvent]:
        names = {name for event in events for name in (event.name, event.twin_name)}
        query = select(IntakeEvent).where(IntakeEvent.source_id == self._source.id, IntakeEvent.event_id.in_(names))
        self._rows = {row.event_id: row for row in self._tx.session.scalars(query)}
        rows = [self._put(event) for event in events]
        self._tx.session.flush()
        return rows

    def _put(self, event: _Read) -> IntakeEvent:
        row = self._rows.get(event.name)
        if row is None:
            return self._new(event.name, event)
        if row.digest == event.digest:
            if row.outcome == UNMATCHED:
                row.outcome = RECEIVED  # it is sent again: perhaps its subscription is there by now
            return row
        if row.outcome == REFUSED:
            return self._fill(row, event)  # mended at the source, and sent under its old name
        return self._rows.get(event.twin_name) or self._new(event.twin_name, event)

    def _new(self, name: str, event: _Read) -> IntakeEvent:
        row = IntakeEvent(source_id=self._source.id, event_id=name, tries=0)
        self._tx.session.add(row)
        self._rows[name] = row
        return self._fill(row, event)

    def _fill(self, row: IntakeEvent, event: _Read) -> IntakeEvent:
        invoice = event.event.invoice if event.event else None
        row.received_at, row.digest, row.body, row.detail = self._tx.now, event.digest, event.body, event.detail
        row.external_id, row.version = (invoice.external_id, invoice.version) if invoice else ("", None)
        row.outcome = RECEIVED if invoice else REFUSED
        row.concluded_at = None if invoice else self._tx.now
        return row


def _mirror_safely(tx: Transaction, source: BillingSource, rows: Sequence[IntakeEvent]) -> list[Mirrored]:
    """All at once; where one of them makes the batch fail, one by one, and that one is refused."""
    snapshots = [parse_event(row.body).invoice for row in rows]
    try:
        with tx.session.begin_nested():
            return mirror(tx, source, snapshots)
    except Unavailable:
        raise
    except (CatracaError, IntegrityError) as error:
        if len(rows) == 1:
            return [Mirrored(REFUSED, f"cannot be applied: {error}")]
    return [result for row in rows for result in _mirror_safely(tx, source, [row])]


def _wake_unmatched(tx: Transaction, source_id: int, external_id: str) -> None:
    """An invoice that has a mirror now needs no subscription to be named: what was unmatched of it can be applied."""
    mine = (IntakeEvent.source_id == source_id) & (IntakeEvent.external_id == external_id)
    waiting = update(IntakeEvent).where(mine, IntakeEvent.outcome == UNMATCHED).values(outcome=RECEIVED)
    result = tx.session.execute(waiting)
    if isinstance(result, CursorResult) and result.rowcount:
        tx.enqueue(APPLY, str(source_id))


def _refuse_pulled(source: BillingSource) -> None:
    if source.pulled:
        raise NotAllowed(
            f"{source.name} is asked, and counts versions by the instant of asking: it takes no events",
            billing_source_id=source.id,
        )
