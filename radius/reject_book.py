"""The last rejects in the database, and when each NAS was seen to sign.

A row stands for all rejects of one kind (login, reason, NAS, caller). Whoever tries names at random would still fill a
table, so there are bounds: of logins that nobody has, so many new rows an hour; of one subscription, so many callers,
beyond which they stand in one row without a caller. What has a row already is always counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, or_, select, text
from sqlalchemy.engine import CursorResult

from core.database import Transaction
from core.jobs import every
from core.logs import get_logger
from core.runtime import Runtime
from radius.accounting import text_of
from radius.models import AccessReject, Nas
from radius.reject_events import Folded, Kind, Seen

STRANGERS_AN_HOUR = 1_000
CALLERS_AN_HOUR = 20
"""Bounds on new rows: of logins that nobody has; of one subscription."""
KEPT = timedelta(days=30)
_HOUR = timedelta(hours=1)
_CHECK_PAUSE = timedelta(seconds=10)
_CHUNK = 500
_TIE = 10
"""Bits of an id that tell rows of one microsecond apart in a page's place."""
_EPOCH = datetime.fromtimestamp(0, UTC)
_COLUMNS = {
    "key": "bytea", "subscription_id": "bigint", "login": "text", "reason": "text", "detail": "text",
    "nas_id": "bigint", "calling_station_id": "text", "first_at": "timestamptz", "last_at": "timestamptz",
    "times": "bigint",
}  # fmt: skip
_NAMES = ", ".join(_COLUMNS)
_ON_CONFLICT = (
    "ON CONFLICT (key) DO UPDATE SET times = access_reject.times + excluded.times, detail = excluded.detail, "
    "subscription_id = COALESCE(excluded.subscription_id, access_reject.subscription_id), "
    "first_at = {least}(access_reject.first_at, excluded.first_at), "
    "last_at = {most}(access_reject.last_at, excluded.last_at)"
)
log = get_logger("radius.rejects")


@dataclass
class Bounds:
    """How much of each bound is used up in this hour. A transaction that fails has used up nothing: give it a copy."""

    since: datetime = _EPOCH
    strangers: int = 0
    callers: Counter[int] = field(default_factory=Counter)
    checked: dict[int, datetime] = field(default_factory=dict)

    def copy(self) -> Bounds:
        return Bounds(self.since, self.strangers, self.callers.copy(), self.checked.copy())

    def begin(self, tx: Transaction) -> None:
        """A new hour begins: what others have used of it counts too."""
        if not self.since <= tx.now < self.since + _HOUR:
            self.since = tx.now
            recent = select(func.count()).where(
                AccessReject.last_at > tx.now - _HOUR,
                AccessReject.first_at > tx.now - _HOUR,
                AccessReject.subscription_id.is_(None),
            )
            self.strangers = tx.session.scalar(recent) or 0
            self.callers.clear()

    def may_check(self, subscription_id: int, now: datetime) -> bool:
        """Whether to look after this subscription's sessions now: not when we did a moment ago."""
        if now - self.checked.get(subscription_id, _EPOCH) < _CHECK_PAUSE:
            return False
        if len(self.checked) > STRANGERS_AN_HOUR:
            self.checked = {each: at for each, at in self.checked.items() if now - at < _CHECK_PAUSE}
        self.checked[subscription_id] = now
        return True


def keep_rejects(tx: Transaction, rejects: Mapping[Kind, Folded], bounds: Bounds) -> int:
    """Write them down; gives how many (times) found no room within the bounds.

    A reject for the session limit also asks for the check whether the session that has the place still lives.
    """
    if not rejects:
        return 0
    bounds.begin(tx)
    rows, left_out = _bounded(tx, rejects, bounds)
    _upsert(tx, rows)
    for kind, folded in rejects.items():
        asked = kind.reason == "session_limit" and folded.subscription_id
        if asked and bounds.may_check(folded.subscription_id, tx.now):
            tx.enqueue("session.check", str(folded.subscription_id))
    return left_out


def keep_sightings(tx: Transaction, seen: Mapping[int, Seen]) -> None:
    """Write down when each NAS was last seen to sign, not to sign, and be refused."""
    if not seen:
        return
    most = "GREATEST" if _on_postgresql(tx) else "MAX"
    names = ("signed_at", "unsigned_at", "refused_at")
    # MAX of SQLite is NULL when one is NULL, GREATEST of PostgreSQL is not
    changes = ", ".join(
        f"{name} = COALESCE({most}(nas_sighting.{name}, excluded.{name}), excluded.{name}, nas_sighting.{name})"
        for name in names
    )
    statement = text(
        "INSERT INTO nas_sighting (nas_id, signed_at, unsigned_at, refused_at) "
        f"VALUES (:nas_id, :signed_at, :unsigned_at, :refused_at) ON CONFLICT (nas_id) DO UPDATE SET {changes}"
    ).bindparams(*(bindparam(name, type_=AccessReject.first_at.type) for name in names))
    rows = [
        {"nas_id": nas_id, **{name: at and _instant(at) for name, at in zip(names, when, strict=True)}}
        for nas_id, when in sorted(seen.items())
    ]
    tx.session.execute(statement, rows)


def last_rejects(
    tx: Transaction,
    *,
    subscription_id: int | None = None,
    login: str | None = None,
    nas_id: int | None = None,
    reason: str | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[AccessReject]:
    """A page of rejects, the latest first, for which all that is given holds; `after` is a `place_of`."""
    wanted = {
        AccessReject.subscription_id: subscription_id,
        AccessReject.login: login,
        AccessReject.nas_id: nas_id,
        AccessReject.reason: reason,
    }
    statement = select(AccessReject).where(*(column == value for column, value in wanted.items() if value is not None))
    if after is not None:
        statement = statement.where(_beyond(after))
    tie = AccessReject.id.bitwise_and((1 << _TIE) - 1)
    return list(tx.session.scalars(statement.order_by(AccessReject.last_at.desc(), tie.desc()).limit(limit)))


def place_of(row: AccessReject) -> int:
    """Where the row stands in the order of `last_rejects`, as one number."""
    micros = (row.last_at - _EPOCH) // timedelta(microseconds=1)
    return micros << _TIE | row.id & (1 << _TIE) - 1


def names_of_nas(tx: Transaction, ids: Iterable[int]) -> dict[int, str]:
    """The names of those NAS that are still there."""
    rows = tx.session.execute(select(Nas.id, Nas.name).where(Nas.id.in_(list(ids))))
    return {row.id: row.name for row in rows}


def _beyond(place: int) -> ColumnElement[bool]:
    at = _EPOCH + timedelta(microseconds=place >> _TIE)
    tie = AccessReject.id.bitwise_and((1 << _TIE) - 1)
    return or_(AccessReject.last_at < at, and_(AccessReject.last_at == at, tie < place & (1 << _TIE) - 1))


@every(3600, "purge-rejects")
def purge_rejects(runtime: Runtime) -> None:
    """Forget what has not happened again for a month."""
    with runtime.database.transaction() as tx:
        gone = tx.session.execute(delete(AccessReject).where(AccessReject.last_at < tx.now - KEPT))
        count = gone.rowcount if isinstance(gone, CursorResult) else 0
    if count:
        log.info("forgot old rejects", rows=count)


def _bounded(tx: Transaction, rejects: Mapping[Kind, Folded], bounds: Bounds) -> tuple[list[dict[str, Any]], int]:
    """The rows to write, and how many rejects get none."""
    keys = {kind: key_of(kind) for kind in rejects}
    known = _existing(tx, keys.values())
    wanted: dict[bytes, tuple[Kind, Folded]] = {}
    left_out = 0
    for kind, folded in rejects.items():
        if keys[kind] not in known:
            if not folded.subscription_id:
                if bounds.strangers >= STRANGERS_AN_HOUR:
                    left_out += folded.times
                    continue
                bounds.strangers += 1
            elif bounds.callers[folded.subscription_id] >= CALLERS_AN_HOUR:
                kind = kind._replace(calling_station_id=b"")
                keys[kind] = key_of(kind)
            else:
                bounds.callers[folded.subscription_id] += 1
        before = wanted.get(keys[kind])
        wanted[keys[kind]] = (kind, folded if before is None else before[1] + folded)
    return [_row(key, kind, folded) for key, (kind, folded) in sorted(wanted.items())], left_out


def key_of(kind: Kind) -> bytes:
    """16 octets, equal for rejects of one kind."""
    parts = (kind.login, kind.reason.encode(), b"%d" % kind.nas_id, kind.calling_station_id)
    return blake2b(b"".join(len(part).to_bytes(4) + part for part in parts), digest_size=16).digest()


def _row(key: bytes, kind: Kind, folded: Folded) -> dict[str, Any]:
    return {
        "key": key,
        "subscription_id": folded.subscription_id or None,
        "login": text_of(kind.login),
        "reason": kind.reason,
        "detail": folded.detail.replace("\0", ""),
        "nas_id": kind.nas_id,
        "calling_station_id": text_of(kind.calling_station_id),
        "first_at": _instant(folded.first_at),
        "last_at": _instant(folded.last_at),
        "times": folded.times,
    }


def _existing(tx: Transaction, keys: Iterable[bytes]) -> set[bytes]:
    """Those that have a row already."""
    wanted = list(keys)
    found: set[bytes] = set()
    for start in range(0, len(wanted), _CHUNK):
        chunk = select(AccessReject.key).where(AccessReject.key.in_(wanted[start : start + _CHUNK]))
        found.update(map(bytes, tx.session.scalars(chunk)))
    return found


def _upsert(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """In order of key, so that two hosts cannot wait for each other."""
    if not rows:
        return
    if _on_postgresql(tx):
        arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in _COLUMNS.items())
        conflict = _ON_CONFLICT.format(least="LEAST", most="GREATEST")
        statement = text(f"INSERT INTO access_reject ({_NAMES}) SELECT * FROM unnest({arrays}) {conflict}")
        tx.session.execute(statement, {name: [row[name] for row in rows] for name in _COLUMNS})
        return
    values = ", ".join(f":{name}" for name in _COLUMNS)
    conflict = _ON_CONFLICT.format(least="MIN", most="MAX")
    instants = (bindparam(name, type_=AccessReject.first_at.type) for name in ("first_at", "last_at"))
    statement = text(f"INSERT INTO access_reject ({_NAMES}) VALUES ({values}) {conflict}").bindparams(*instants)
    tx.session.execute(statement, list(rows))


def _on_postgresql(tx: Transaction) -> bool:
    return tx.session.get_bind().dialect.name == "postgresql"


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
