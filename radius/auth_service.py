"""Authentication without a socket: a datagram and its source in, a reply or silence out.

`AuthService` joins the pure parts (parser, gate, decision, vendors) with what lasts from one datagram to the next:
the NAS table, the rendered policies, the duplicate cache, the rejects that are held back, the lines that are being
guessed from, the counters. It is driven by `radius.auth_worker` from a socket, and by tests from a list of datagrams.

Two times come in: `now`, the instant for which a record is asked, and `tick`, monotonic seconds for retransmissions
and delays. They are apart so that a clock that is set, or a rehearsal that lives through a month in a minute, does
not stretch or flush the caches. A third one, the machine's own, tells how old the news of live sessions is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

from radius.access_request import AccessRequest, read_access_request
from radius.admission import caller_mac, refused_session
from radius.attributes import (
    ACCESS_ACCEPT,
    ACCESS_REJECT,
    ACCESS_REQUEST,
    CALLING_STATION_ID,
    FRAMED_PROTOCOL,
    FRAMED_PROTOCOL_PPP,
    MESSAGE_AUTHENTICATOR,
    PROXY_STATE,
    SERVICE_TYPE,
    SERVICE_TYPE_FRAMED,
    STATUS_SERVER,
    USER_NAME,
)
from radius.authorise import GUESSES, UNSIGNED, Accept, Reject, authorise, gate, identify
from radius.codec import HEADER_LENGTH, MAX_LENGTH, Malformed, encode_attributes, integer
from radius.duplicates import PENDING, DuplicateCache
from radius.line import line_of
from radius.nas_clients import NasClients
from radius.nas_table import NasClient
from radius.policy import Policy
from radius.presence import HEARD_KEY, PREFIX, has_line, is_current, tells_caller, unpack_presence
from radius.records import (
    ANSWER,
    GRANT_WITH_ADDRESS,
    SUBSCRIPTION,
    WITH_DELEGATED_PREFIX,
    WITH_FRAMED_PREFIX,
    Unseal,
    limits_of,
    policy_key,
    subscription_of,
)
from radius.refusal import reject_attributes
from radius.reject_delay import RejectDelay
from radius.reject_note import RejectNote
from radius.store import Snapshot
from radius.tally import Counters, Tally
from radius.throttle import Throttle, throttled_by

_PPP = encode_attributes(
    [(SERVICE_TYPE, integer(SERVICE_TYPE_FRAMED)), (FRAMED_PROTOCOL, integer(FRAMED_PROTOCOL_PPP))]
)
_ROOM = MAX_LENGTH - HEADER_LENGTH - 18
"""Octets of attributes that fit beside the header and Message-Authenticator."""
_CACHED_POLICIES = 16_384
_THROTTLED = Reject("throttled", "this one was not looked at")
_SIGNED, _UNSIGNED, _REFUSED = range(3)

Source = Any
"""Who sent a datagram: a hashable tuple that begins with the address as text."""
Note = Callable[[RejectNote], None]
"""Told every reject; must neither wait nor raise."""


class AuthService:
    """Answers datagrams from the records of one host; `begin` comes before `handle`. One thread.

    Counters are (result, reason) → how often. Results: accept, reject, silence, duplicate, status, failure.
    """

    _records: Snapshot

    def __init__(
        self,
        unseal: Unseal,
        *,
        reject_delay_seconds: float = 1.0,
        duplicate_cache_seconds: float = 10.0,
        note: Note | None = None,
        machine_clock: Callable[[], float] = time.time,
    ):
        self._unseal = unseal
        self._note = note
        self._machine_clock = machine_clock
        self._duplicates = DuplicateCache(duplicate_cache_seconds)
        self._held = RejectDelay(reject_delay_seconds)
        self._throttle = Throttle()
        self._clients = NasClients(unseal)
        self._sources = self._clients.known
        self._policies: dict[tuple[str, bytes, int], bytes] = {}
        self._seen: dict[int, list[int]] = {}
        self._tally = Tally()
        self._count = self._tally.count
        self._serial = count()

    def begin(self, records: Snapshot) -> None:
        """Answer from this snapshot from now on; NAS that changed with it count at once."""
        self._records = records
        self._clients.refresh(records)

    def handle(self, datagram: bytes, source: Source, now: float, tick: float) -> bytes | None:
        """The reply to send to `source` now, or None. `now` is epoch seconds, `tick` monotonic seconds."""
        client = self._sources.get(source[0]) or self._clients.find(source[0])
        if client is None:
            return self._silence("unknown_client")
        return self.handle_for(client, datagram, source, now, tick)

    def handle_for(self, client: NasClient, datagram: bytes, source: Source, now: float, tick: float) -> bytes | None:
        """As `handle`, where something else than the source's address has told which NAS it is."""
        try:
            request = read_access_request(datagram)
        except Malformed as error:
            return self._silence(error.reason)
        if request.code != ACCESS_REQUEST:
            return self._status(request, client)
        refusal = gate(request, client)
        if refusal:
            if refusal == UNSIGNED:
                self._see(client, _REFUSED)
            return self._silence(refusal)
        self._see(client, _SIGNED if MESSAGE_AUTHENTICATOR in request.first else _UNSIGNED)
        known = self._duplicates.find((source, request.identifier), request.raw, tick)
        if known is not None:
            self._count("duplicate", "held_back" if known == PENDING else "answered")
            return known or None
        return self._answer(request, client, source, now, tick)

    def due(self, tick: float) -> Iterator[tuple[bytes, Source]]:
        """The held rejects whose time has come, with whom to send them to; superseded ones are dropped."""
        for held in self._held.due(tick):
            if self._duplicates.is_pending(held.key, held.datagram):
                self._duplicates.put(held.key, held.datagram, held.reply, tick)
                yield held.reply, held.source

    def next_due(self) -> float | None:
        """When (tick) the next held reject is due."""
        return self._held.next_due()

    def counters(self) -> Counters:
        """A copy of the counters since the start."""
        return self._tally.counters()

    def sightings(self) -> dict[int, tuple[int, int, int]]:
        """NAS id → Access-Requests (with, without, refused for lack of) Message-Authenticator, since the start."""
        return {nas_id: (seen[0], seen[1], seen[2]) for nas_id, seen in self._seen.items()}

    def gauges(self) -> Mapping[str, float]:
        """How much is being kept right now."""
        return {
            "held_rejects": float(len(self._held)),
            "duplicate_cache_entries": float(len(self._duplicates)),
            "throttle_entries": float(len(self._throttle)),
        }

    def count_failure(self, error: Exception) -> None:
        """Count an exception that the caller swallowed."""
        self._count("failure", type(error).__name__)

    def _status(self, request: AccessRequest, client: NasClient) -> bytes | None:
        """Status-Server (RFC 5997 §3), and what is no request at all."""
        if request.code != STATUS_SERVER:
            return self._silence("unexpected_code")
        if refusal := gate(request, client):
            return self._silence(refusal)
        self._count("status", client.entry.vendor)
        return self._reply(ACCESS_ACCEPT, request, client, b"")

    def _answer(
        self, request: AccessRequest, client: NasClient, source: Source, now: float, tick: float
    ) -> bytes | None:
        key = identify(request, client)
        if isinstance(key, Reject):
            return self._reject(key, request, client, source, None, now, tick)
        record = self._records.get(key)
        if tick < self._throttle.until and self._is_throttled(request, client, key, record, tick):
            return self._reject(_THROTTLED, request, client, source, record, now, tick)
        serial = next(self._serial)
        decision = authorise(request, client, key, record, self._unseal, now, serial, self._clients.name_of)
        if isinstance(decision, Reject):
            if decision.reason in GUESSES and (line := throttled_by(request, client.entry.id, key)):
                self._throttle.wrong(line, tick)
            return self._reject(decision, request, client, source, record, now, tick)
        if record is not None and (live := self._records.get(PREFIX + record[SUBSCRIPTION])) is not None:
            refused = self._session_limit(request, client, record, live)
            if refused is not None:
                return self._reject(refused, request, client, source, record, now, tick)
        return self._accept(decision, request, client, source, tick)

    def _is_throttled(
        self, request: AccessRequest, client: NasClient, key: bytes, record: bytes | None, tick: float
    ) -> bool:
        """Whether the password is not even looked at. It always is for the line that the record knows.

        So neither a guesser at another line nor one who took over its address locks the real one out.
        """
        line = throttled_by(request, client.entry.id, key)
        if line is None or not self._throttle.stops(line, tick):
            return False
        if record is None:
            return True
        bound = limits_of(record).mac
        if bound is not None and bound == caller_mac(request, key):
            return False
        live = self._records.get(PREFIX + record[SUBSCRIPTION])
        return live is None or not has_line(unpack_presence(live), line_of(request, client.entry.id))

    def _session_limit(self, request: AccessRequest, client: NasClient, record: bytes, live: bytes) -> Reject | None:
        """Why the sessions that go on leave no room for this one; None: they do, as far as is known."""
        caller = request.value(CALLING_STATION_ID)
        if caller and tells_caller(live, caller):
            return None
        line = line_of(request, client.entry.id)
        refused = refused_session(limits_of(record), unpack_presence(live), line, self._clients.name_of)
        if refused is None or is_current(self._records.get(HEARD_KEY), self._machine_clock()):
            return refused
        return None

    def _accept(
        self, decision: Accept, request: AccessRequest, client: NasClient, source: Source, tick: float
    ) -> bytes | None:
        method, policy_id, kind, ppp, own = decision
        policy = self._policies.get((client.vendor.name, policy_id, kind))
        if policy is None:
            policy = self._render(client, policy_id, kind)
            if policy is None:
                return self._silence("policy_missing")
        reply = self._reply(ACCESS_ACCEPT, request, client, _PPP + policy + own if ppp else policy + own)
        if reply is not None:
            self._count("accept", method)
            self._duplicates.put((source, request.identifier), request.raw, reply, tick)
        return reply

    def _reject(
        self,
        decision: Reject,
        request: AccessRequest,
        client: NasClient,
        source: Source,
        record: bytes | None,
        now: float,
        tick: float,
    ) -> bytes | None:
        reply = self._reply(ACCESS_REJECT, request, client, reject_attributes(request))
        if reply is None:
            return None
        self._count("reject", decision.reason)
        if self._note is not None:
            self._note(_note_of(decision, request, client, record, now))
        key = (source, request.identifier)
        if self._held.seconds <= 0:
            self._duplicates.put(key, request.raw, reply, tick)
            return reply
        self._duplicates.put(key, request.raw, PENDING, tick)
        self._held.hold(key, request.raw, reply, source, tick)
        return None

    def _reply(self, code: int, request: AccessRequest, client: NasClient, attributes: bytes) -> bytes | None:
        """A signed reply that echoes Proxy-State (RFC 2865 §5.33); silence when there is no room for it all."""
        if PROXY_STATE in request.first:
            attributes = request.proxy_states() + attributes
        if len(attributes) > _ROOM:
            return self._silence("reply_too_long")
        return client.authenticators.response(code, request.identifier, request.authenticator, attributes)

    def _render(self, client: NasClient, policy_id: bytes, kind: int) -> bytes | None:
        """A policy in the vendor's words, kept. A fixed address or prefix stands in place of its pool."""
        stored = self._records.get(policy_key(policy_id.hex()))
        if stored is None:
            return None
        policy = Policy.from_json(stored).without_pools(
            address=kind & ANSWER == GRANT_WITH_ADDRESS,
            framed=bool(kind & WITH_FRAMED_PREFIX),
            delegated=bool(kind & WITH_DELEGATED_PREFIX),
        )
        rendered = client.vendor.reply(policy)
        if len(self._policies) >= _CACHED_POLICIES:
            self._policies.clear()
        self._policies[client.vendor.name, policy_id, kind] = rendered
        return rendered

    def _see(self, client: NasClient, how: int) -> None:
        nas_id = client.entry.id
        seen = self._seen.get(nas_id) or self._seen.setdefault(nas_id, [0, 0, 0])
        seen[how] += 1

    def _silence(self, reason: str) -> bytes | None:
        self._count("silence", reason)
        return None


def _note_of(
    decision: Reject, request: AccessRequest, client: NasClient, record: bytes | None, now: float
) -> RejectNote:
    return RejectNote(
        at=now,
        reason=decision.reason,
        detail=decision.detail,
        login=request.value(USER_NAME) or b"",
        subscription_id=0 if record is None else subscription_of(record),
        nas_id=client.entry.id,
        calling_station_id=request.value(CALLING_STATION_ID) or b"",
    )
