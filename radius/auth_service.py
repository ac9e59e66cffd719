"""Authentication without a socket: a datagram and its source in, a reply or silence out.

`AuthService` joins the pure parts (parser, gate, decision, vendors) with what lasts from one datagram to the next:
the NAS table, the rendered policies, the duplicate cache, the rejects that are held back, the counters. It is
driven by `radius.auth_worker` from a socket, and by tests from a list of datagrams.

Two times come in: `now`, the instant for which a record is asked, and `tick`, monotonic seconds for retransmissions
and delays. They are apart so that a clock that is set, or a rehearsal that lives through a month in a minute, does
not stretch or flush the caches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

from radius.access_request import AccessRequest, read_access_request
from radius.attributes import (
    ACCESS_ACCEPT,
    ACCESS_REJECT,
    ACCESS_REQUEST,
    FRAMED_PROTOCOL,
    FRAMED_PROTOCOL_PPP,
    SERVICE_TYPE,
    SERVICE_TYPE_FRAMED,
    STATUS_SERVER,
)
from radius.authorise import Accept, Reject, authorise, gate, identify
from radius.codec import HEADER_LENGTH, MAX_LENGTH, Malformed, encode_attributes, integer
from radius.duplicates import PENDING, DuplicateCache
from radius.nas_clients import NasClients
from radius.nas_table import NasClient
from radius.policy import Policy
from radius.records import Unseal, policy_key
from radius.reject_delay import RejectDelay
from radius.store import Snapshot

_PPP = encode_attributes(
    [(SERVICE_TYPE, integer(SERVICE_TYPE_FRAMED)), (FRAMED_PROTOCOL, integer(FRAMED_PROTOCOL_PPP))]
)
_ROOM = MAX_LENGTH - HEADER_LENGTH - 18
"""Octets of attributes that fit beside the header and Message-Authenticator."""
_CACHED_POLICIES, _COUNTERS = 16_384, 256

Source = Any
"""Who sent a datagram: a hashable tuple that begins with the address as text."""
Counters = dict[tuple[str, str], int]
"""(result, reason) → how often. Results: accept, reject, silence, duplicate, status, failure."""


class AuthService:
    """Answers datagrams from the records of one host; `begin` comes before `handle`. One thread."""

    _records: Snapshot

    def __init__(self, unseal: Unseal, *, reject_delay_seconds: float = 1.0, duplicate_cache_seconds: float = 10.0):
        self._unseal = unseal
        self._duplicates = DuplicateCache(duplicate_cache_seconds)
        self._held = RejectDelay(reject_delay_seconds)
        self._clients = NasClients(unseal)
        self._sources = self._clients.known
        self._policies: dict[tuple[str, bytes, bool], bytes] = {}
        self._counters: Counters = {}
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
        try:
            request = read_access_request(datagram)
        except Malformed as error:
            return self._silence(error.reason)
        if request.code not in (ACCESS_REQUEST, STATUS_SERVER):
            return self._silence("unexpected_code")
        if refusal := gate(request, client):
            return self._silence(refusal)
        if request.code == STATUS_SERVER:
            self._count("status", client.entry.vendor)
            return self._reply(ACCESS_ACCEPT, request, client, b"")
        key = (source, request.identifier)
        known = self._duplicates.find(key, request.raw, tick)
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
        return dict(self._counters)

    def count_failure(self, error: Exception) -> None:
        """Count an exception that the caller swallowed."""
        self._count("failure", type(error).__name__)

    def _answer(
        self, request: AccessRequest, client: NasClient, source: Source, now: float, tick: float
    ) -> bytes | None:
        key = identify(request, client)
        if isinstance(key, Reject):
            return self._reject(key.reason, request, client, source, tick)
        record = self._records.get(key)
        decision = authorise(request, client, key, record, self._unseal, now, next(self._serial))
        if isinstance(decision, Reject):
            return self._reject(decision.reason, request, client, source, tick)
        return self._accept(decision, request, client, source, tick)

    def _accept(
        self, decision: Accept, request: AccessRequest, client: NasClient, source: Source, tick: float
    ) -> bytes | None:
        policy = self._policies.get((client.vendor.name, decision.policy_id, decision.with_address))
        if policy is None:
            policy = self._render(client, decision.policy_id, decision.with_address)
            if policy is None:
                return self._silence("policy_missing")
        attributes = (_PPP if decision.ppp else b"") + policy + decision.attributes
        reply = self._reply(ACCESS_ACCEPT, request, client, attributes)
        if reply is not None:
            self._count("accept", decision.method)
            self._duplicates.put((source, request.identifier), request.raw, reply, tick)
        return reply

    def _reject(
        self, reason: str, request: AccessRequest, client: NasClient, source: Source, tick: float
    ) -> bytes | None:
        reply = self._reply(ACCESS_REJECT, request, client, b"")
        if reply is None:
            return None
        self._count("reject", reason)
        key = (source, request.identifier)
        if self._held.seconds <= 0:
            self._duplicates.put(key, request.raw, reply, tick)
            return reply
        self._duplicates.put(key, request.raw, PENDING, tick)
        self._held.hold(key, request.raw, reply, source, tick)
        return None

    def _reply(self, code: int, request: AccessRequest, client: NasClient, attributes: bytes) -> bytes | None:
        """A signed reply that echoes Proxy-State (RFC 2865 §5.33); silence when there is no room for it all."""
        attributes = request.proxy_states() + attributes
        if len(attributes) > _ROOM:
            return self._silence("reply_too_long")
        return client.authenticators.response(code, request.identifier, request.authenticator, attributes)

    def _render(self, client: NasClient, policy_id: bytes, with_address: bool) -> bytes | None:
        """A policy in the vendor's words, kept. A fixed address stands in place of the pool."""
        stored = self._records.get(policy_key(policy_id.hex()))
        if stored is None:
            return None
        policy = Policy.from_json(stored)
        rendered = client.vendor.reply(replace(policy, pool="") if with_address else policy)
        if len(self._policies) >= _CACHED_POLICIES:
            self._policies.clear()
        self._policies[client.vendor.name, policy_id, with_address] = rendered
        return rendered

    def _silence(self, reason: str) -> bytes | None:
        self._count("silence", reason)
        return None

    def _count(self, result: str, reason: str) -> None:
        label = (result, reason)
        known = self._counters.get(label)
        if known is None and len(self._counters) >= _COUNTERS:
            label = (result, "other")
            known = self._counters.get(label)
        self._counters[label] = (known or 0) + 1
