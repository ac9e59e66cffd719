"""Writing down how each subscription stands on a router: only what has changed, in bulk, and never waiting for a lock.

A record says which rows the facts demand, which were last seen and which were last proven, since when the two differ
and why. While a router does not answer nothing is written for each of its subscriptions: that they wait follows from
`RouterService.touched_at` and `RouterStatus.trouble`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, Table, and_, bindparam, delete, insert, null, select, update

from core.among import among
from core.database import Transaction
from provisioning.routeros.cycle.records import OWN, Record, Standing, next_record, same
from provisioning.routeros.models import RouterConvergence, RouterService

_QUIET = {"synchronize_session": False}


def records_of(tx: Transaction, router_id: int, ids: Collection[int] | None = None) -> dict[int, Record]:
    """The records of these subscriptions, or of all."""
    row = RouterConvergence
    query = select(
        row.subscription_id,
        row.desired_fingerprint,
        row.observed_fingerprint,
        row.proven_fingerprint,
        row.differs_since,
        row.why,
        row.observed_at,
    ).where(row.router_id == router_id)
    if ids is not None:
        query = query.where(among(tx.session, row.subscription_id, sorted(ids)))
    return {found[0]: Record(*found[1:]) for found in tx.session.execute(query)}


def record(tx: Transaction, router_id: int, standings: Mapping[int, Standing], *, whole: bool) -> list[int]:
    """Write the records that change; gives the subscriptions that are proven now and were not before.

    `whole`: records of whoever is not in `standings` go.
    """
    old = records_of(tx, router_id, None if whole else standings.keys())
    fresh = {key: next_record(old.get(key), standings[key], tx.now) for key in sorted(standings)}
    changed = {key: item for key, item in fresh.items() if not same(old.get(key), item)}
    _insert(tx, router_id, {key: item for key, item in changed.items() if key not in old})
    _update(tx, router_id, {key: item for key, item in changed.items() if key in old})
    if whole:
        _forget(tx, router_id, sorted(set(old) - set(standings)))
    return [key for key, item in changed.items() if key != OWN and not item.why]


def settle(
    tx: Transaction, router_id: int, touched: Mapping[int, datetime], settled: Iterable[int], again: Iterable[int]
) -> list[int]:
    """Note that these services are seen to, unless their facts changed since `touched` was read; gives whose were.

    `again`: those that have to be looked at once more, whether or not their facts had changed. A service that somebody
    else is changing is left alone: no lock is waited for, so no two can wait for each other.
    """
    settled = sorted(set(settled) & touched.keys())
    if not settled and not again:
        return []
    wanted = among(tx.session, RouterService.subscription_id, sorted({*settled, *again}))
    now = dict(tx.session.execute(_locked(router_id, wanted)).all())
    cleared = [key for key in settled if key in now and now[key] == touched[key]]
    _set_touched(tx, router_id, cleared, None)
    _set_touched(tx, router_id, [key for key in again if key in now and now[key] is None], tx.now)
    return cleared


def forget_services(tx: Transaction, router_id: int, gone: Collection[int]) -> None:
    """Services that were removed and whose rows are proven gone: nothing is left to say of them."""
    if not gone:
        return
    mine = and_(RouterService.router_id == router_id, RouterService.removed_at.is_not(None))
    removed = tx.session.scalars(_locked(router_id, mine).with_only_columns(RouterService.subscription_id))
    ids = sorted(set(removed) & set(gone))
    theirs = and_(mine, among(tx.session, RouterService.subscription_id, ids))
    tx.session.execute(delete(RouterService).where(theirs), execution_options=_QUIET)
    _forget(tx, router_id, ids)


def _locked(router_id: int, wanted: ColumnElement[bool]) -> Any:
    found = select(RouterService.subscription_id, RouterService.touched_at)
    return (
        found.where(RouterService.router_id == router_id, wanted)
        .order_by(RouterService.subscription_id)
        .with_for_update(skip_locked=True)
    )


def _set_touched(tx: Transaction, router_id: int, ids: Collection[int], at: datetime | None) -> None:
    if ids:
        these = and_(RouterService.router_id == router_id, among(tx.session, RouterService.subscription_id, ids))
        value = null() if at is None else at
        tx.session.execute(update(RouterService).where(these).values(touched_at=value), execution_options=_QUIET)


def _values(item: Record) -> dict[str, Any]:
    return {
        "desired_fingerprint": item.desired,
        "observed_fingerprint": item.observed,
        "proven_fingerprint": item.proven,
        "differs_since": item.differs_since,
        "why": item.why,
        "observed_at": item.observed_at,
    }


def _insert(tx: Transaction, router_id: int, items: Mapping[int, Record]) -> None:
    rows = [{"router_id": router_id, "subscription_id": key, **_values(item)} for key, item in items.items()]
    if rows:
        tx.session.execute(insert(RouterConvergence), rows)


def _update(tx: Transaction, router_id: int, items: Mapping[int, Record]) -> None:
    table = cast("Table", RouterConvergence.__table__)
    one = and_(table.c.router_id == router_id, table.c.subscription_id == bindparam("of_subscription"))
    rows = [{"of_subscription": key, **_values(item)} for key, item in items.items()]
    if rows:
        values: dict[str, Any] = {name: bindparam(name) for name in _values(Record())}
        tx.session.connection().execute(update(table).where(one).values(values), rows)


def _forget(tx: Transaction, router_id: int, ids: Collection[int]) -> None:
    if ids:
        those = among(tx.session, RouterConvergence.subscription_id, ids)
        gone = delete(RouterConvergence).where(RouterConvergence.router_id == router_id, those)
        tx.session.execute(gone, execution_options=_QUIET)
