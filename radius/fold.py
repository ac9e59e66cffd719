"""What a session is after one more record. Pure.

Accounting arrives late, twice, in any order and with holes, so nothing here depends on the order: each field of a
session is the least or the greatest of what its records say (the earliest beginning, the greatest counters, the
latest address), and that is the same whichever record came first and however often it came (RFC 5080 §2.2.1). Only
`…_since`, from when on an address is not the one before, is as we saw it. A Start or Interim after the Stop never
reopens; an Interim without a Start opens; a Stop without a Start makes a closed session.

An end has an author, `closed_by`, because not all of them can be believed alike:

    stop        the NAS said so: final
    nas         the NAS restarted (Accounting-On or -Off): inferred, an Interim from later proves it wrong
    stale       we heard nothing for too long: inferred, as above
    gone        the NAS, asked, did not know the session (`radius.session_check`, or a refused CoA): inferred, as above
    superseded  the NAS gave the session's number to another one
    removed     the operator removed the NAS

NAS use session numbers again: a router counts from the beginning after a restart, pppd's number is a second and a
process number. `choose` finds which of the sessions with one number a record is about, and "none" makes another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from radius.accounting import AccountingRecord, Address
from radius.attributes import ACCT_STATUS_INTERIM_UPDATE, ACCT_STATUS_STOP

STOP, NAS, STALE, GONE, SUPERSEDED, REMOVED = "stop", "nas", "stale", "gone", "superseded", "removed"
_DOUBTFUL = frozenset({NAS, STALE, GONE})
PREFIXES = ("framed_ipv6_prefix", "delegated_ipv6_prefix")

REUSE_GAP = timedelta(minutes=10)
"""Without a word for this long, a session that begins anew under the same number is another one."""
_CLOCK_SLACK = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class SessionState:
    """The changing part of a session; the columns of the same names in `radius.models.Session`."""

    started_at: datetime
    updated_at: datetime
    stopped_at: datetime | None = None
    closed_by: str = ""
    terminate_cause: str = ""
    subscription_id: int | None = None
    granted_fingerprint: str = ""
    granted_at: datetime | None = None
    framed_ip_address: Address | None = None
    address_at: datetime | None = None
    address_since: datetime | None = None
    framed_ipv6_prefix: str | None = None
    framed_ipv6_prefix_at: datetime | None = None
    framed_ipv6_prefix_since: datetime | None = None
    delegated_ipv6_prefix: str | None = None
    delegated_ipv6_prefix_at: datetime | None = None
    delegated_ipv6_prefix_since: datetime | None = None
    nas_ip_address: Address | None = None
    calling_station_id: str = ""
    nas_port_id: str = ""
    input_octets: int = 0
    output_octets: int = 0
    session_seconds: int = 0
    acked_fingerprint: str = ""
    acked_at: datetime | None = None
    refused_fingerprint: str = ""

    @property
    def open(self) -> bool:
        return self.stopped_at is None


def fold(state: SessionState | None, record: AccountingRecord) -> SessionState:
    """The session after this record of it (a Start, Interim or Stop); None: the first one that we hear of it."""
    if state is None:
        return _with_end(_first(record), record)
    after = _with_prefixes(_with_address(_counted(state, record), record), record)
    return _with_end(_with_grant(after, record), record)


def _first(record: AccountingRecord) -> SessionState:
    """What a record says of a session that nothing was known of."""
    at = record.at
    granted = bool(record.granted_fingerprint)
    return SessionState(
        started_at=record.began_at or at,
        updated_at=at,
        subscription_id=record.subscription_id if granted else None,
        granted_fingerprint=record.granted_fingerprint,
        granted_at=at if granted else None,
        framed_ip_address=record.framed_ip_address,
        address_at=at if record.framed_ip_address is not None else None,
        framed_ipv6_prefix=record.framed_ipv6_prefix,
        framed_ipv6_prefix_at=at if record.framed_ipv6_prefix is not None else None,
        delegated_ipv6_prefix=record.delegated_ipv6_prefix,
        delegated_ipv6_prefix_at=at if record.delegated_ipv6_prefix is not None else None,
        nas_ip_address=record.nas_ip_address,
        calling_station_id=record.calling_station_id,
        nas_port_id=record.nas_port_id,
        input_octets=record.input_octets,
        output_octets=record.output_octets,
        session_seconds=record.session_seconds,
    )


def _counted(state: SessionState, record: AccountingRecord) -> SessionState:
    return replace(
        state,
        started_at=min(state.started_at, record.began_at or record.at),
        updated_at=max(state.updated_at, record.at),
        nas_ip_address=max(state.nas_ip_address, record.nas_ip_address, key=_packed),
        calling_station_id=max(state.calling_station_id, record.calling_station_id),
        nas_port_id=max(state.nas_port_id, record.nas_port_id),
        input_octets=max(state.input_octets, record.input_octets),
        output_octets=max(state.output_octets, record.output_octets),
        session_seconds=max(state.session_seconds, record.session_seconds),
    )


def _with_address(state: SessionState, record: AccountingRecord) -> SessionState:
    """The address that was told last; of two told at one instant the higher."""
    address, known = record.framed_ip_address, state.framed_ip_address
    if address is None or not _later(record.at, address.packed, state.address_at, _packed(known)):
        return state
    since = state.address_since if known is None or address == known else record.at
    return replace(state, framed_ip_address=address, address_at=record.at, address_since=since)


def _with_prefixes(state: SessionState, record: AccountingRecord) -> SessionState:
    """The same for the IPv6 prefixes, each for itself."""
    for name in PREFIXES:
        prefix, known = getattr(record, name), getattr(state, name)
        if prefix is None:
            continue
        if _later(record.at, prefix.encode(), getattr(state, f"{name}_at"), (known or "").encode()):
            since = getattr(state, f"{name}_since") if known in (None, prefix) else record.at
            state = replace(state, **{name: prefix, f"{name}_at": record.at, f"{name}_since": since})
    return state


def _packed(address: Address | None) -> bytes:
    return b"" if address is None else address.packed


def _with_grant(state: SessionState, record: AccountingRecord) -> SessionState:
    """The Class that was told last. Another one than before answers every open question about a CoA."""
    told, known = record.granted_fingerprint, state.granted_fingerprint
    if not told or not _later(record.at, told.encode(), state.granted_at, known.encode()):
        return state
    state = replace(state, subscription_id=record.subscription_id, granted_fingerprint=told, granted_at=record.at)
    if told == known:
        return state
    return replace(state, acked_fingerprint="", acked_at=None, refused_fingerprint="")


def _later(at: datetime, value: bytes, known_at: datetime | None, known: bytes) -> bool:
    return known_at is None or (at, value) > (known_at, known)


def _with_end(state: SessionState, record: AccountingRecord) -> SessionState:
    if record.status == ACCT_STATUS_STOP:
        end = (record.at, record.terminate_cause)
        if state.closed_by == STOP and state.stopped_at is not None:
            end = min(end, (state.stopped_at, state.terminate_cause))
        return replace(state, stopped_at=end[0], terminate_cause=end[1], closed_by=STOP)
    doubtful = state.stopped_at is not None and state.closed_by in _DOUBTFUL and record.at > state.stopped_at
    if doubtful and record.status == ACCT_STATUS_INTERIM_UPDATE:
        return replace(state, stopped_at=None, terminate_cause="", closed_by="")
    return state


def end_at_restart(state: SessionState, restart: AccountingRecord) -> SessionState:
    """The session after its NAS's Accounting-On or -Off: over, if it is open and began before (RFC 2866 §5.1).

    Several routers may stand behind one source address; where both sides name a NAS-IP-Address it must be the same.
    """
    reported = state.nas_ip_address
    elsewhere = reported and restart.nas_ip_address and reported != restart.nas_ip_address
    if not state.open or elsewhere or state.started_at >= restart.at:
        return state
    return close(state, restart.at, NAS, "NAS-Reboot")


def close(state: SessionState, at: datetime, by: str, cause: str) -> SessionState:
    """An open session ended by inference; a closed one stays as it is."""
    return replace(state, stopped_at=at, closed_by=by, terminate_cause=cause) if state.open else state


def supersede(state: SessionState) -> SessionState:
    """The session whose number the NAS has given to another one: it ended when it was last heard of, at the latest."""
    return close(state, state.updated_at, SUPERSEDED, "Lost-Carrier")


def choose(instances: Sequence[SessionState], record: AccountingRecord) -> int | None:
    """Which of the sessions of one number, oldest first, the record is about; None: another session than these."""
    candidates = [index for index, state in enumerate(instances) if _compatible(state, record)]
    if not candidates:
        return None
    begun = [index for index in candidates if instances[index].started_at <= record.at]
    latest = begun[-1] if begun else candidates[0]
    if not _begins_anew(instances[latest], record):
        return latest
    return next((index for index in candidates if index > latest), None)


def predecessor(instances: Sequence[SessionState], record: AccountingRecord) -> int | None:
    """Whose number the session has that `choose` found no place for: what is still open there is over."""
    return max((index for index, state in enumerate(instances) if _compatible(state, record)), default=None)


def _compatible(state: SessionState, record: AccountingRecord) -> bool:
    """Two lines that both tell their port or their caller, and tell another, are two sessions."""
    pairs = (
        (state.calling_station_id, record.calling_station_id),
        (state.nas_port_id, record.nas_port_id),
    )
    return all(not one or not other or one == other for one, other in pairs)


def _begins_anew(state: SessionState, record: AccountingRecord) -> bool:
    """Whether the record tells of a session that began after all that we know of this one."""
    began = record.began_at
    if began is None:
        return False
    if state.stopped_at is None or state.closed_by == STALE:
        return began > state.updated_at + REUSE_GAP
    if state.closed_by == STOP:
        return record.at > state.stopped_at + REUSE_GAP and began >= state.stopped_at - _CLOCK_SLACK
    return began > state.stopped_at
