"""The sessions that one batch of records is about: read by one query, folded in memory, written by a few statements.

Besides what `radius.fold` makes of it, a session's slot knows what else follows from a record: what is counted for the
subscription's day, which addresses are over, who wants to hear of it. Rows are locked until the commit; see
`radius.session_lock` for how the drainers of two hosts, to which a NAS may report one session by turns, stay out of
each other's way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from operator import attrgetter
from typing import Any

from sqlalchemy import select

from core.columns import Address
from core.database import Transaction
from radius import session_rows
from radius.accounting import AccountingRecord, octets_of
from radius.company_days import CompanyDays
from radius.fold import SessionState, choose, end_at_restart, fold, predecessor, supersede
from radius.history import AddressUse, remember_use
from radius.interim import told_by
from radius.mac_address import read_mac
from radius.models import ReplicaEntry
from radius.moved_addresses import Moved, moved_from
from radius.presence_feed import publish_presence
from radius.records import HEADER, login_key, mac_key
from radius.session_rows import IDENTITY, STATE, Row
from radius.usage import add_usage
from radius.usage_meter import Counted, Meter, read_meter

_CHUNK = 1_000
_STATE_AT = 1 + len(IDENTITY)
_METER_AT = _STATE_AT + len(STATE)
_STATE_OF = attrgetter(*STATE)


@dataclass(slots=True)
class _Slot:
    """One session: `row` and `before` are None until it is in the database."""

    key: bytes
    instance: int
    nas_id: int
    nas_address: Address
    acct_session_id: str
    user_name: str
    state: SessionState
    meter: Meter
    told: int | None = None
    row: int | None = None
    before: SessionState | None = None
    kept: tuple[Meter | None, int | None] = (None, None)
    """Meter and `told` as they stand in the database."""
    moved: list[tuple[Moved, SessionState]] = field(default_factory=list)
    """Uses of addresses that are over, each with the session as it was then."""

    @property
    def identity(self) -> Row:
        return self.key, self.instance, self.nas_id, self.nas_address, self.acct_session_id, self.user_name

    @property
    def values(self) -> Row:
        """In the order of `radius.session_rows.COLUMNS`, identity left out."""
        meter = self.meter
        return *_STATE_OF(self.state), meter.day, meter.input_octets, meter.output_octets, self.told

    @property
    def changed(self) -> bool:
        return self.state != self.before or self.kept != (self.meter, self.told)

    @property
    def is_news(self) -> bool:
        """It opened, closed or began to run another policy: something that others want to hear."""
        before = self.before
        if before is None:
            return True
        return (before.open, before.granted_fingerprint) != (self.state.open, self.state.granted_fingerprint)

    @property
    def present_for(self) -> set[int]:
        """Subscriptions that are present otherwise than before: it opened, closed, moved, or is another one's."""
        before, after = _presence(self.before), _presence(self.state)
        return {each[0] for each in (before, after) if each is not None} if before != after else set()


class SessionBook:
    """Folds records into the sessions that they are about; `save` writes what changed."""

    def __init__(self, tx: Transaction, records: Sequence[AccountingRecord], days: CompanyDays | None = None) -> None:
        """Read, and lock, every session that any of `records` may be about."""
        self._tx = tx
        self._days = days or CompanyDays(tx.settings.timezone)
        self._slots: dict[bytes, list[_Slot]] = defaultdict(list)
        self._counted: list[Counted] = []
        self._records = records  # as long as they are here, nothing else has their ids
        self._keys = {id(record): record.key for record in records if not record.is_restart}
        restarted = {(record.nas_id, record.nas_address) for record in records if record.is_restart}
        for row in session_rows.load(tx, self._keys.values(), restarted):
            self._slots[row[1]].append(self._slot(row))
        for slots in self._slots.values():
            slots.sort(key=lambda slot: slot.instance)
        strangers = {
            record.user_name
            for record in records
            if record.subscription_id is None and record.user_name and self._keys.get(id(record)) not in self._slots
        }
        self._subscriptions = subscriptions_of(tx, {octets_of(name) for name in strangers}) if strangers else {}

    def add(self, record: AccountingRecord) -> None:
        """Fold one record; the order of calls is the order of receipt."""
        day = self._days.of(record.at)
        if record.is_restart:
            self._restart(record)
            return
        key = self._keys.get(id(record)) or record.key
        slots = self._slots[key]
        states = [slot.state for slot in slots]
        index = choose(states, record)
        if index is not None:
            self._fold(slots[index], record, day)
            return
        if (displaced := predecessor(states, record)) is not None:
            self._end(slots[displaced], supersede(states[displaced]))
        instance = slots[-1].instance + 1 if slots else 0  # older ones may have gone into the address history
        slots.append(self._open(key, instance, record, day))

    def save(self) -> set[int]:
        """Write all that changed; gives the NAS on which a session opened, closed or changed its policy."""
        for slots in self._slots.values():
            for slot in slots[:-1]:
                slot.told = None  # a record may be about the newer one
        changed = [slot for slots in self._slots.values() for slot in slots if slot.changed or slot.moved]
        fresh = [slot for slot in changed if slot.row is None]
        if fresh:
            session_rows.add(self._tx, [(*slot.identity, *slot.values) for slot in fresh])
        known = [slot for slot in changed if slot.row is not None]
        if known:
            session_rows.change(self._tx, [(slot.row, *slot.values) for slot in known])
        add_usage(self._tx, self._counted)
        self._remember([slot for slot in changed if slot.moved])
        publish_presence(self._tx, {each for slot in changed for each in slot.present_for})
        return {slot.nas_id for slot in changed if slot.is_news}

    def _slot(self, row: Row) -> _Slot:
        state = SessionState(*row[_STATE_AT:_METER_AT])
        day, input_octets, output_octets, told = row[_METER_AT:]
        kept = None if day is None else Meter(day, input_octets, output_octets)
        # A session from before days were counted: what it has moved belongs to the day on which that was told.
        meter = kept or Meter(self._days.of(state.updated_at), input_octets, output_octets)
        key, instance, nas_id, nas_address, acct_session_id, user_name = row[1:_STATE_AT]
        identity = (key, instance, nas_id, nas_address, acct_session_id, user_name)
        return _Slot(*identity, state, meter, told, row[0], state, (kept, told))

    def _open(self, key: bytes, instance: int, record: AccountingRecord, day: date) -> _Slot:
        state = fold(None, record)
        if state.subscription_id is None and record.user_name:
            state = replace(state, subscription_id=self._subscription_of(record.user_name))
        meter, counted = read_meter(Meter(day), None, state, day)
        self._counted += counted
        identity = (key, instance, record.nas_id, record.nas_address, record.acct_session_id, record.user_name)
        return _Slot(*identity, state, meter, told_by(record))

    def _subscription_of(self, user_name: str) -> int | None:
        """For sessions of a NAS that echoes no Class: by the access record that their User-Name has now."""
        name = octets_of(user_name)
        if name not in self._subscriptions:
            self._subscriptions[name] = subscriptions_of(self._tx, {name}).get(name)
        return self._subscriptions[name]

    def _fold(self, slot: _Slot, record: AccountingRecord, day: date) -> None:
        before, after = slot.state, fold(slot.state, record)
        slot.meter, counted = read_meter(slot.meter, before, after, day)
        self._counted += counted
        slot.moved += [(moved, before) for moved in moved_from(before, after, record)]
        slot.state = after
        if _agrees(after, record):
            slot.told = told_by(record)
        elif not _alike(before, after):
            slot.told = None

    def _end(self, slot: _Slot, after: SessionState) -> None:
        """A session that is over by inference."""
        slot.meter, counted = read_meter(slot.meter, slot.state, after, slot.meter.day)
        self._counted += counted
        slot.state = after

    def _restart(self, record: AccountingRecord) -> None:
        for slots in self._slots.values():
            for slot in slots:
                if (slot.nas_id, slot.nas_address) == (record.nas_id, record.nas_address):
                    self._end(slot, end_at_restart(slot.state, record))

    def _remember(self, slots: Sequence[_Slot]) -> None:
        """Write the uses of addresses that are over; a session that is new has its number by now."""
        if not slots:
            return
        numbers = {(row[1], row[2]): row[0] for row in session_rows.load(self._tx, {slot.key for slot in slots})}
        uses = [_use(numbers[slot.key, slot.instance], slot, *moved) for slot in slots for moved in slot.moved]
        remember_use(self._tx, uses)


def subscriptions_of(tx: Transaction, names: set[bytes]) -> dict[bytes, int | None]:
    """User-Name → subscription; None for those that have no access record."""
    keys = {login_key(name): name for name in names}
    keys |= {mac_key(mac): name for name in names if (mac := read_mac(name))}
    found: dict[bytes, int | None] = dict.fromkeys(names)
    ordered = sorted(keys)
    for start in range(0, len(ordered), _CHUNK):
        chunk = ordered[start : start + _CHUNK]
        statement = select(ReplicaEntry.key, ReplicaEntry.value).where(ReplicaEntry.key.in_(chunk))
        for key, value in tx.session.execute(statement):
            if value is not None and len(value) >= HEADER.size:
                found[keys[key]] = HEADER.unpack_from(value)[3]
    return found


def _presence(state: SessionState | None) -> tuple[int, str, str] | None:
    """What makes a subscription's presence: None when it has none by this session."""
    if state is None or state.stopped_at is not None or state.subscription_id is None:
        return None
    return state.subscription_id, state.calling_station_id, state.nas_port_id


def _steady(state: SessionState) -> tuple[Any, ...]:
    """All that an Interim may tell besides times and counters."""
    return (
        state.framed_ip_address,
        state.framed_ipv6_prefix,
        state.delegated_ipv6_prefix,
        state.nas_ip_address,
        state.calling_station_id,
        state.nas_port_id,
        state.granted_fingerprint,
        state.subscription_id,
    )


def _alike(one: SessionState, other: SessionState) -> bool:
    return _steady(one) == _steady(other)


def _agrees(state: SessionState, record: AccountingRecord) -> bool:
    """Whether the session is what the record tells: another record that tells the same will change none of it."""
    told = (
        (record.framed_ip_address, state.framed_ip_address),
        (record.framed_ipv6_prefix, state.framed_ipv6_prefix),
        (record.delegated_ipv6_prefix, state.delegated_ipv6_prefix),
        (record.nas_ip_address, state.nas_ip_address),
        (record.calling_station_id, state.calling_station_id),
        (record.nas_port_id, state.nas_port_id),
        (record.granted_fingerprint, state.granted_fingerprint),
        (record.granted_fingerprint and record.subscription_id, state.subscription_id),
    )
    return all(not one or one == other for one, other in told)


def _use(session_id: int, slot: _Slot, moved: Moved, then: SessionState) -> AddressUse:
    return AddressUse(
        moved.address,
        moved.prefix_length,
        moved.since,
        moved.until,
        session_id,
        then.subscription_id,
        slot.nas_id,
        slot.user_name,
        then.calling_station_id,
        then.nas_port_id,
        slot.acct_session_id,
    )
