"""A full comparison with a billing system that we ask.

First the whole listing is fetched and laid aside, page by page; only then, when it is to be believed, anything changes.
An empty listing, or one with less than half of what the last one had, changes nothing and raises an alarm. What differs
from the mirrors goes the same way as any event, under the instant of the fetch as its version. Mirrors that are open
and no longer listed are asked for once more, by their due date, and then closed.

Every step is committed by itself, so a comparison that was cut off goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, cast

from sqlalchemy import select

from billing_bridge.gateways.feed import FEEDS, Feed
from billing_bridge.gateways.listing import FeedError, Listed, Page
from billing_bridge.intake.events import Snapshot, parse_snapshot
from billing_bridge.intake.feed_health import note_failure, note_success, raise_unbelievable
from billing_bridge.intake.matching import link_services
from billing_bridge.intake.mirror import close_missing, foresee, mirror, mirrored_invoices
from billing_bridge.intake.models import BillingSource, IntakeRun, IntakeSnapshot
from billing_bridge.intake.pulled import note_pulled
from billing_bridge.intake.receive import retry_unmatched
from billing_bridge.intake.runs import (
    APPLY,
    CLOSE,
    DONE,
    FAILED,
    FETCH,
    HELD,
    RUNNING,
    finish,
    get_run,
    lock_run,
    open_mirrors,
    start_run,
)
from billing_bridge.intake.sources import get_source, lock_source
from billing_bridge.models import Invoice
from core.actor import Actor, Source
from core.database import Transaction
from core.runtime import Runtime

CHUNK = 100
CHUNK_OF_MISSING = 25
MOST_DIFFERENCES = 500


def reconcile(
    runtime: Runtime, source_id: int, actor: Actor, *, dry_run: bool = False, accept_smaller: bool = False
) -> IntakeRun:
    """A whole comparison, here and now."""
    with runtime.database.transaction(actor) as tx:
        run = start_run(tx, source_id=source_id, dry_run=dry_run, accept_smaller=accept_smaller)
    with connected(runtime, run.id) as feed:
        while advance(runtime, run.id, feed):
            pass
    with runtime.database.reading() as tx:
        return get_run(tx, run.id)


@contextmanager
def connected(runtime: Runtime, run_id: int) -> Iterator[Feed]:
    """A connection to the run's source, for as many steps as its caller takes."""
    with runtime.database.reading() as tx:
        source = get_source(tx, get_run(tx, run_id).source_id)
    feed = FEEDS[source.kind].connect(source)
    try:
        yield feed
    finally:
        feed.close()


def advance(runtime: Runtime, run_id: int, feed: Feed) -> bool:
    """One more step of a run; says whether there is another. What the source does wrong ends the run as failed."""
    with runtime.database.reading() as tx:
        run = get_run(tx, run_id)
    if run.status != RUNNING:
        return False
    actor = Actor(run.actor, cast("Source", run.actor_source))
    try:
        return {FETCH: _fetch, APPLY: _apply, CLOSE: _close}[run.phase](runtime, actor, run, feed)
    except FeedError as error:
        with runtime.database.transaction(actor) as tx:
            _fail(tx, run, str(error))
        return False


def _fetch(runtime: Runtime, actor: Actor, run: IntakeRun, feed: Feed) -> bool:
    page = feed.fetch(run.plan[run.step], run.page)
    with runtime.database.transaction(actor) as tx:
        source, locked = lock_source(tx, run.source_id), lock_run(tx, run.id)
        if (locked.status, locked.phase, locked.step, locked.page) != (RUNNING, FETCH, run.step, run.page):
            return locked.status == RUNNING
        _lay_aside(tx, locked, page)
        if not locked.dry_run and page.services:
            link_services(tx, source, [(item.external_id, item.login, item.document) for item in page.services])
        locked.step, locked.page = (locked.step, locked.page + 1) if page.more else (locked.step + 1, 0)
        return locked.step < len(locked.plan) or _believe(tx, source, locked)


def _apply(runtime: Runtime, actor: Actor, run: IntakeRun, _feed: Feed) -> bool:
    with runtime.database.transaction(actor) as tx:
        source, run = lock_source(tx, run.source_id), lock_run(tx, run.id)
        if (run.status, run.phase) != (RUNNING, APPLY):
            return run.status == RUNNING
        query = select(IntakeSnapshot).where(IntakeSnapshot.run_id == run.id, IntakeSnapshot.id > run.cursor)
        rows = tx.session.scalars(query.order_by(IntakeSnapshot.id).limit(CHUNK)).all()
        _apply_rows(tx, source, run, rows)
        run.cursor = rows[-1].id if rows else run.cursor
        if len(rows) < CHUNK:
            run.phase, run.cursor = CLOSE, 0
    return True


def _close(runtime: Runtime, actor: Actor, run: IntakeRun, feed: Feed) -> bool:
    with runtime.database.reading() as tx:
        missing = _missing(tx, run)
    still_listed = _ask_again(feed, {invoice.due_on for invoice in missing})
    with runtime.database.transaction(actor) as tx:
        source, locked = lock_source(tx, run.source_id), lock_run(tx, run.id)
        if (locked.status, locked.phase, locked.cursor) != (RUNNING, CLOSE, run.cursor):
            return locked.status == RUNNING
        gone = [invoice for invoice in missing if invoice.external_id not in still_listed]
        if locked.dry_run:
            locked.closed += len(gone)
            _tell(locked, [f"{invoice.external_id}: would be closed, it is no longer listed" for invoice in gone])
        elif gone:
            locked.closed += len(close_missing(tx, source, [invoice.id for invoice in gone], _version(tx)))
        locked.cursor, locked.moved_at = (missing[-1].id if missing else locked.cursor), tx.now
        if len(missing) == CHUNK_OF_MISSING:
            return True
        _conclude(tx, source, locked)
    return False


def _lay_aside(tx: Transaction, run: IntakeRun, page: Page) -> None:
    """Keep what was listed; an invoice that comes again (in another window) is kept as it came last."""
    listed = {item.external_id: item for item in page.invoices}
    query = select(IntakeSnapshot).where(IntakeSnapshot.run_id == run.id, IntakeSnapshot.external_id.in_(listed))
    rows = {row.external_id: row for row in tx.session.scalars(query)}
    for key, item in listed.items():
        row = rows.get(key)
        if row is None:
            row = IntakeSnapshot(run_id=run.id, external_id=key)
            tx.session.add(row)
            run.seen += 1
        row.body, row.trouble = _body(item, _version(tx)), item.trouble
    run.moved_at = tx.now
    tx.session.flush()


def _believe(tx: Transaction, source: BillingSource, run: IntakeRun) -> bool:
    """Go on to the changes, or hold the run; says whether it goes on."""
    shrunk = run.seen * 2 < (source.last_full_count or 0)
    if (run.seen == 0 or shrunk) and not run.accept_smaller:
        words = f"{source.name} lists {run.seen} invoices, after {source.last_full_count or 0} the last time"
        finish(tx, run, HELD, f"{words}: nothing was changed")
        if not run.dry_run:
            raise_unbelievable(tx, source, words)
        return False
    run.phase, run.cursor = APPLY, 0
    return True


def _apply_rows(tx: Transaction, source: BillingSource, run: IntakeRun, rows: Sequence[IntakeSnapshot]) -> None:
    run.moved_at = tx.now
    run.refused += sum(1 for row in rows if row.trouble)
    if not run.dry_run:
        note_pulled(tx, source, [(row.external_id, None, "refused", row.trouble) for row in rows if row.trouble])
    held = mirrored_invoices(tx, source.id, [row.external_id for row in rows])
    snapshots = [parse_snapshot(row.body) for row in rows if not row.trouble]
    fresh = [
        item
        for item in snapshots
        if item.external_id not in held or held[item.external_id].external_digest != item.digest
    ]
    run.unchanged += len(snapshots) - len(fresh)
    _apply_fresh(tx, source, run, fresh)


def _apply_fresh(tx: Transaction, source: BillingSource, run: IntakeRun, fresh: Sequence[Snapshot]) -> None:
    results = (foresee if run.dry_run else mirror)(tx, source, fresh)
    for snapshot, result in zip(fresh, results, strict=True):
        run.created += result.created
        run.changed += bool(result.changes)
        run.unmatched += result.outcome == "unmatched"
        run.conflicts += result.outcome == "conflict"
        if run.dry_run:
            _tell(run, [f"{snapshot.external_id}: {result.detail or result.outcome}"])
    if not run.dry_run:
        told = zip(fresh, results, strict=True)
        note_pulled(tx, source, [(item.external_id, item, result.outcome, result.detail) for item, result in told])


def _missing(tx: Transaction, run: IntakeRun) -> Sequence[Invoice]:
    """The next mirrors that are open, ought to be listed, and are not."""
    listed = select(IntakeSnapshot.external_id).where(IntakeSnapshot.run_id == run.id)
    query = select(Invoice).where(*open_mirrors(run.source_id), Invoice.external_id.not_in(listed))
    first, last = _due_window(run)
    query = query.where(Invoice.due_on >= first, Invoice.due_on <= last, Invoice.id > run.cursor)
    return tx.session.scalars(query.order_by(Invoice.id).limit(CHUNK_OF_MISSING)).all()


def _due_window(run: IntakeRun) -> tuple[date, date]:
    """The due dates that the run's plan covers."""
    days = [
        date.fromisoformat(step[end]) for step in run.plan if step["ask"] == _by_due(run) for end in ("first", "last")
    ]
    return min(days), max(days)


def _by_due(run: IntakeRun) -> str:
    """The first question with dates is by due date, in every adapter."""
    return next(str(step["ask"]) for step in run.plan if "first" in step)


def _ask_again(feed: Feed, days: set[date]) -> set[str]:
    """The ids of everything that the source lists as due on these days: a page may have moved while we read."""
    found: set[str] = set()
    for day in sorted(days):
        step, page, more = feed.due_on(day), 0, True
        while more:
            answer = feed.fetch(step, page)
            found |= {item.external_id for item in answer.invoices}
            page, more = page + 1, answer.more
    return found


def _conclude(tx: Transaction, source: BillingSource, run: IntakeRun) -> None:
    finish(tx, run, DONE, "")
    if not run.dry_run:
        note_success(tx, source, run.seen)
        retry_unmatched(tx, source_id=source.id)


def _fail(tx: Transaction, run: IntakeRun, why: str) -> None:
    source, locked = lock_source(tx, run.source_id), lock_run(tx, run.id)
    if locked.status != RUNNING:
        return
    finish(tx, locked, FAILED, why)
    if not locked.dry_run:
        note_failure(tx, source, why)


def _tell(run: IntakeRun, lines: Sequence[str]) -> None:
    run.differences = [*run.differences, *lines][:MOST_DIFFERENCES]


def _body(item: Listed, version: int) -> dict[str, Any]:
    if item.snapshot is None:
        return {}
    return {**item.snapshot.content, "version": version}


def _version(tx: Transaction) -> int:
    """The instant in microseconds: what a source that counts no versions is versioned by."""
    return int(tx.now.timestamp() * 1_000_000)
