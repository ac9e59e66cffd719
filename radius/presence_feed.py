"""Writes who is connected into the feed of the RADIUS hosts; see `radius.presence`.

Whoever opens, closes or moves sessions says of which subscriptions, in the same transaction. The entries are made at
its very end, under the lock that puts all changes of the feed in order: so of two transactions that touch one
subscription the later sees what the earlier did, and a session that is over can never stay behind as a live one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import select

from core.among import among
from core.database import Transaction
from core.jobs import every
from core.logs import get_logger
from core.runtime import Runtime
from radius import replica
from radius.accounting import octets_of
from radius.line import Line
from radius.mac_address import read_mac
from radius.models import ReplicaEntry, Session
from radius.presence import PREFIX, pack_presence, presence_key

_PENDING = "radius.presence"
_CHUNK = 2_000
_AFTER = bytes((PREFIX[0] + 1,))
log = get_logger("radius.presence_feed")


def publish_presence(tx: Transaction, subscription_ids: Iterable[int]) -> None:
    """Make every host know the open sessions of these subscriptions, as they are when this transaction commits.

    Ids that name no subscription do no harm. What has not changed costs no host anything.
    """
    pending: set[int] = tx.session.info.setdefault(_PENDING, set())
    pending.update(subscription_ids)
    if pending:
        replica.put_last(tx, _PENDING, _entries)


def _entries(tx: Transaction) -> dict[bytes, bytes | None]:
    ids = sorted(tx.session.info.pop(_PENDING, ()))
    return {
        key: value for start in range(0, len(ids), _CHUNK) for key, value in _wanted(tx, ids[start : start + _CHUNK])
    }


def _wanted(tx: Transaction, ids: Sequence[int]) -> list[tuple[bytes, bytes | None]]:
    """What should stand under the key of each of these subscriptions; None: nothing."""
    lines = _lines(tx, ids)
    return [(presence_key(each), pack_presence(lines[each]) if each in lines else None) for each in ids]


def _lines(tx: Transaction, ids: Sequence[int]) -> Mapping[int, list[Line]]:
    """The lines of all open sessions, oldest first, by one query."""
    found: dict[int, list[Line]] = defaultdict(list)
    statement = (
        select(
            Session.subscription_id,
            Session.nas_id,
            Session.calling_station_id,
            Session.nas_port_id,
            Session.user_name,
        )
        .where(among(tx.session, Session.subscription_id, ids), Session.stopped_at.is_(None))
        .order_by(Session.id)
    )
    for row in tx.session.execute(statement):
        caller = _caller(row.calling_station_id, row.user_name)
        found[row.subscription_id].append(Line(row.nas_id, caller, octets_of(row.nas_port_id)))
    return found


def _caller(calling_station_id: str, user_name: str) -> bytes:
    """As `radius.line.line_of` has it: who is named by a MAC address and tells no caller calls from there."""
    if calling_station_id:
        return octets_of(calling_station_id)
    name = octets_of(user_name)
    return name if read_mac(name) else b""


@every(3600, "mend-presence")
def mend_presence(runtime: Runtime) -> None:
    """Compare all entries with the sessions, and put right what differs: after an upgrade, or a change by hand."""
    ids = _all_ids(runtime)
    mended = 0
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        with runtime.database.reading() as tx:
            differing = _differing(tx, chunk)
        if differing:
            with runtime.database.transaction() as tx:
                publish_presence(tx, differing)
        mended += len(differing)
    if mended:
        log.warning("presence entries did not agree with the sessions", mended=mended)


def _all_ids(runtime: Runtime) -> list[int]:
    """Every subscription with an open session or with an entry."""
    is_open = select(Session.subscription_id).where(Session.stopped_at.is_(None), Session.subscription_id.is_not(None))
    kept = select(ReplicaEntry.key).where(
        ReplicaEntry.key >= PREFIX, ReplicaEntry.key < _AFTER, ReplicaEntry.value.is_not(None)
    )
    with runtime.database.reading() as tx:
        ids = {each for each in tx.session.scalars(is_open.distinct()) if each is not None}
        return sorted(ids | {int.from_bytes(key[len(PREFIX) :]) for key in tx.session.scalars(kept)})


def _differing(tx: Transaction, ids: Sequence[int]) -> list[int]:
    keys = [presence_key(each) for each in ids]
    stored = select(ReplicaEntry.key, ReplicaEntry.value).where(
        ReplicaEntry.key >= keys[0], ReplicaEntry.key <= keys[-1], ReplicaEntry.value.is_not(None)
    )
    have = {row.key: row.value for row in tx.session.execute(stored)}
    wanted = _wanted(tx, ids)
    return [each for each, (key, value) in zip(ids, wanted, strict=True) if have.get(key) != value]
