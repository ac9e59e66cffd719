"""The sessions that one batch of records is about: read by one query, folded in memory, written by two statements.

Rows are locked in order of number (PostgreSQL; SQLite has one writer anyway), so the drainers of two hosts, to which a
NAS may report one session by turns, wait for each other instead of losing each other's records.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, bindparam, insert, or_, select, update

from core.database import Transaction
from radius.accounting import AccountingRecord, Address, octets_of
from radius.fold import SessionState, choose, end_at_restart, fold, predecessor, supersede
from radius.mac_address import read_mac
from radius.models import ReplicaEntry, Session
from radius.records import HEADER, login_key, mac_key

_STATE = tuple(field.name for field in fields(SessionState))
_IDENTITY = ("key", "instance", "nas_id", "nas_address", "acct_session_id", "user_name")
_CHUNK = 1_000
_TABLE: Table = Session.__table__  # type: ignore[assignment]
_COLUMNS = tuple(_TABLE.c[name] for name in ("id", *_IDENTITY, *_STATE))


@dataclass(slots=True)
class _Slot:
    """One session: `row` and `before` are None until it is in the database."""

    identity: dict[str, Any]
    state: SessionState
    row: int | None = None
    before: SessionState | None = None

    @property
    def nas_id(self) -> int:
        return int(self.identity["nas_id"])

    @property
    def is_news(self) -> bool:
        """It opened, closed or began to run another policy: something that others want to hear."""
        before = self.before
        if before is None:
            return True
        return (before.open, before.granted_fingerprint) != (self.state.open, self.state.granted_fingerprint)


class SessionBook:
    """Folds records into the sessions that they are about; `save` writes what changed."""

    def __init__(self, tx: Transaction, records: Sequence[AccountingRecord]) -> None:
        """Read, and lock, every session that any of `records` may be about."""
        self._tx = tx
        self._slots: dict[bytes, list[_Slot]] = defaultdict(list)
        keys = sorted({record.key for record in records if not record.is_restart})
        for start in range(0, len(keys), _CHUNK):
            self._load(_TABLE.c.key.in_(keys[start : start + _CHUNK]))
        restarted = {(record.nas_id, record.nas_address) for record in records if record.is_restart}
        if restarted:
            of_restarted = or_(*(_sent_by(nas_id, address) for nas_id, address in sorted(restarted, key=str)))
            self._load(_TABLE.c.stopped_at.is_(None), of_restarted)

    def add(self, record: AccountingRecord) -> None:
        """Fold one record; the order of calls is the order of receipt."""
        if record.is_restart:
            self._restart(record)
            return
        slots = self._slots[record.key]
        states = [slot.state for slot in slots]
        index = choose(states, record)
        if index is not None:
            slots[index].state = fold(states[index], record)
            return
        if (displaced := predecessor(states, record)) is not None:
            slots[displaced].state = supersede(states[displaced])
        slots.append(_Slot(_identity(record, len(slots)), fold(None, record)))

    def save(self) -> set[int]:
        """Write all that changed; gives the NAS on which a session opened, closed or changed its policy."""
        changed = [slot for slots in self._slots.values() for slot in slots if slot.state != slot.before]
        fresh = [slot for slot in changed if slot.row is None]
        self._name_subscriptions(fresh)
        if fresh:
            rows = [slot.identity | _values(slot.state) for slot in fresh]
            self._tx.session.execute(insert(_TABLE), rows)
        known = [{"row": slot.row} | _values(slot.state) for slot in changed if slot.row is not None]
        if known:
            self._tx.session.connection().execute(_UPDATE, sorted(known, key=lambda each: each["row"]))
        return {slot.nas_id for slot in changed if slot.is_news}

    def _load(self, *conditions: ColumnElement[bool]) -> None:
        have = {slot.row for slots in self._slots.values() for slot in slots}
        statement = select(*_COLUMNS).where(*conditions).order_by(_TABLE.c.id).with_for_update()
        for row in self._tx.session.execute(statement):
            if row.id not in have:
                values = row._mapping
                state = SessionState(**{name: values[name] for name in _STATE})
                identity = {name: values[name] for name in _IDENTITY}
                self._slots[row.key].append(_Slot(identity, state, row.id, state))
        for slots in self._slots.values():
            slots.sort(key=lambda slot: slot.identity["instance"])

    def _restart(self, record: AccountingRecord) -> None:
        for slots in self._slots.values():
            for slot in slots:
                sender = (slot.identity["nas_id"], slot.identity["nas_address"])
                if sender == (record.nas_id, record.nas_address):
                    slot.state = end_at_restart(slot.state, record)

    def _name_subscriptions(self, slots: Iterable[_Slot]) -> None:
        """Sessions of a NAS that echoes no Class: by the access record that their User-Name has now."""
        nameless = [slot for slot in slots if slot.state.subscription_id is None and slot.identity["user_name"]]
        names = {slot.identity["user_name"] for slot in nameless}
        found = subscriptions_of(self._tx, {octets_of(name) for name in names}) if names else {}
        for slot in nameless:
            subscription_id = found.get(octets_of(slot.identity["user_name"]))
            slot.state = replace(slot.state, subscription_id=subscription_id)


def subscriptions_of(tx: Transaction, names: set[bytes]) -> dict[bytes, int]:
    """User-Name → subscription, of those that have an access record."""
    keys = {login_key(name): name for name in names}
    keys |= {mac_key(mac): name for name in names if (mac := read_mac(name))}
    found: dict[bytes, int] = {}
    ordered = sorted(keys)
    for start in range(0, len(ordered), _CHUNK):
        chunk = ordered[start : start + _CHUNK]
        statement = select(ReplicaEntry.key, ReplicaEntry.value).where(ReplicaEntry.key.in_(chunk))
        for key, value in tx.session.execute(statement):
            if value is not None and len(value) >= HEADER.size:
                found[keys[key]] = HEADER.unpack_from(value)[3]
    return found


def _identity(record: AccountingRecord, instance: int) -> dict[str, Any]:
    return {
        "key": record.key,
        "instance": instance,
        "nas_id": record.nas_id,
        "nas_address": record.nas_address,
        "acct_session_id": record.acct_session_id,
        "user_name": record.user_name,
    }


def _values(state: SessionState) -> dict[str, Any]:
    return {name: getattr(state, name) for name in _STATE}


def _sent_by(nas_id: int, address: Address) -> ColumnElement[bool]:
    return and_(_TABLE.c.nas_id == nas_id, _TABLE.c.nas_address == address)


_UPDATE = update(_TABLE).where(_TABLE.c.id == bindparam("row")).values({name: bindparam(name) for name in _STATE})
