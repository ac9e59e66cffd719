"""Accounting without a socket: datagrams in; replies, and payloads that must be durable first, out.

The one promise: an Accounting-Response says that the record is safe (RFC 2866 §2). So a request is only *owed* its
answer; `collect` gives what has to be written, and only `acknowledge`, called after that has succeeded, gives the
replies. A request that was not written is forgotten: the NAS will send it again, and then it is new.

A NAS is known by its address and shows the secret by the Request Authenticator; anybody else hears silence
(RFC 5080 §2.3.3). Message-Authenticator is not demanded of accounting, because that authenticator covers the whole
packet, but it counts where it is present. It is not put into the response: no RFC says over which authenticator it
would be computed there, implementations differ, and one that computes it otherwise would drop our answer (FreeRADIUS
does). Status-Server is another matter: it must have one, and so has its response (RFC 5997 §3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from radius.accounting import Received, pack_received
from radius.acct_request import AcctRequest, read_acct_request
from radius.attributes import ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE, STATUS_SERVER
from radius.authenticators import ZEROES
from radius.codec import HEADER_LENGTH, Malformed
from radius.duplicates import DuplicateCache, Key
from radius.nas_clients import NasClients
from radius.nas_table import NasClient, read_address
from radius.records import Unseal
from radius.store import Snapshot
from radius.tally import Counters, Tally
from radius.worker_report import Sightings

Source = tuple[Any, ...]
"""Who sent a datagram: hashable, and begins with the address as text."""
Owed = tuple[Key, AcctRequest, NasClient, Source, bytes]
"""An authentic request that waits to be durable: its key, itself, who sent it and from where, and what is to be
written."""


class AcctService:
    """Takes accounting datagrams for one host. One thread's.

    Results that are counted: recorded, silence, duplicate, status, failure.
    """

    def __init__(self, unseal: Unseal, *, duplicate_cache_seconds: float = 10.0) -> None:
        self._clients = NasClients(unseal)
        self._sources = self._clients.known
        self._duplicates = DuplicateCache(duplicate_cache_seconds)
        self._owed: list[Owed] = []
        self._in_batch: dict[Key, bytes] = {}
        self._now: datetime | None = None
        self._origins: dict[NasClient, tuple[str, bytes]] = {}
        """Of each client that has spoken at `_now`: its address, and what goes before its datagram in the spool."""
        self._tally = Tally()

    def begin(self, records: Snapshot) -> None:
        """NAS that changed count from now on."""
        self._clients.refresh(records)

    def handle(self, datagram: bytes, source: Source, now: datetime, tick: float) -> bytes | None:
        """The reply to send at once, or None. What arrives at `now` (`tick`, monotonic) may be owed an answer later."""
        client = self._sources.get(source[0]) or self._clients.find(source[0])
        if client is None:
            return self._silence("unknown_client")
        return self.handle_for(client, datagram, source, now, tick)

    def handle_for(
        self, client: NasClient, datagram: bytes, source: Source, now: datetime, tick: float
    ) -> bytes | None:
        """As `handle`, where something else than the source's address has told which NAS it is."""
        try:
            request = read_acct_request(datagram)
        except Malformed as error:
            return self._silence(error.reason)
        raw = request[0]
        if raw[0] == STATUS_SERVER:
            return self._status(request, client)
        if refusal := _refusal(request, client):
            return self._silence(refusal)
        key = (source, raw[1])
        known = self._duplicates.find(key, raw, tick)
        if known:
            self._tally.count("duplicate", "answered")
            return known
        if self._in_batch.get(key) == raw:
            self._tally.count("duplicate", "in_batch")
            return None
        return self._owe(key, request, client, source, now)

    def collect(self) -> tuple[list[Owed], list[bytes]]:
        """Take what is owed an answer since the last call, and the payloads to write first."""
        owed, self._owed, self._in_batch = self._owed, [], {}
        return owed, [each[-1] for each in owed]

    def acknowledge(self, owed: Sequence[Owed], tick: float) -> list[tuple[bytes, Source]]:
        """The replies to requests that are durable now, and whom they are for; remembered for retransmissions."""
        remember, replies = self._duplicates.put, []
        for key, (raw, _, proxy_states), client, source, _ in owed:
            reply = client.authenticators.plain_response(
                ACCOUNTING_RESPONSE, raw[1], raw[4:HEADER_LENGTH], proxy_states
            )
            remember(key, raw, reply, tick)
            replies.append((reply, source))
        for client, count in Counter([each[2] for each in owed]).items():
            self._tally.count("recorded", client.entry.vendor, count)
        return replies

    def counters(self) -> Counters:
        """A copy of the counters since the start."""
        return self._tally.counters()

    def count_failure(self, error: Exception) -> None:
        """Count an exception that the caller swallowed."""
        self._tally.count("failure", type(error).__name__)

    def sightings(self) -> Sightings:
        """Nothing: accounting need not carry Message-Authenticator."""
        return {}

    def gauges(self) -> Mapping[str, float]:
        """What is held right now."""
        return {"duplicate_cache_entries": float(len(self._duplicates))}

    def _owe(self, key: Key, request: AcctRequest, client: NasClient, source: Source, now: datetime) -> bytes | None:
        if now is not self._now:
            self._now = now
            self._origins.clear()
        address, origin = self._origins.get(client, ("", b""))
        if address != source[0]:
            sender = read_address(source[0])
            if sender is None:
                return self._silence("unknown_client")
            origin = pack_received(Received(client.entry.id, sender, now, b""))
            self._origins[client] = source[0], origin
        self._owed.append((key, request, client, source, origin + request[0]))
        self._in_batch[key] = request[0]
        return None

    def _status(self, request: AcctRequest, client: NasClient) -> bytes | None:
        raw, at, proxy_states = request
        if not at:
            return self._silence("message_authenticator_missing")
        if not client.authenticators.message_authenticator_holds(raw, at):
            return self._silence("message_authenticator_wrong")
        self._tally.count("status", client.entry.vendor)
        return client.authenticators.response(ACCOUNTING_RESPONSE, raw[1], raw[4:HEADER_LENGTH], proxy_states)

    def _silence(self, reason: str) -> bytes | None:
        self._tally.count("silence", reason)
        return None


def _refusal(request: AcctRequest, client: NasClient) -> str:
    """Why this is no authentic Accounting-Request; "" when it is."""
    raw, at, _ = request
    if raw[0] != ACCOUNTING_REQUEST:
        return "unexpected_code"
    if not client.authenticators.request_holds(raw):
        return "request_authenticator_wrong"
    if at and not client.authenticators.message_authenticator_holds(raw, at, ZEROES):
        return "message_authenticator_wrong"
    return ""
