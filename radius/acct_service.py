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

from datetime import datetime
from typing import NamedTuple

from radius.accounting import Received, pack_received
from radius.attributes import (
    ACCOUNTING_REQUEST,
    ACCOUNTING_RESPONSE,
    MESSAGE_AUTHENTICATOR,
    PROXY_STATE,
    STATUS_SERVER,
)
from radius.authenticators import ZEROES
from radius.codec import HEADER_LENGTH, Malformed, Packet, encode, encode_attributes, parse
from radius.duplicates import DuplicateCache, Key
from radius.endpoint import Source
from radius.nas_clients import NasClients
from radius.nas_table import NasClient, read_address
from radius.records import Unseal
from radius.store import Snapshot

Counters = dict[tuple[str, str], int]
"""(result, reason) → how often. Results: recorded, silence, duplicate, status, failure."""
_COUNTERS = 256


class Owed(NamedTuple):
    """An authentic request that waits to be durable."""

    key: Key
    packet: Packet
    client: NasClient
    source: Source
    payload: bytes


class AcctService:
    """Takes accounting datagrams for one host. One thread's."""

    def __init__(self, unseal: Unseal, *, duplicate_cache_seconds: float = 10.0) -> None:
        self._clients = NasClients(unseal)
        self._duplicates = DuplicateCache(duplicate_cache_seconds)
        self._owed: list[Owed] = []
        self._in_batch: set[tuple[Key, bytes]] = set()
        self._counters: Counters = {}

    def begin(self, records: Snapshot) -> None:
        """NAS that changed count from now on."""
        self._clients.refresh(records)

    def handle(self, datagram: bytes, source: Source, now: datetime, tick: float) -> bytes | None:
        """The reply to send at once, or None. What arrives at `now` (`tick`, monotonic) may be owed an answer later."""
        client = self._clients.find(source[0])
        if client is None:
            return self._silence("unknown_client")
        try:
            packet = parse(datagram)
        except Malformed as error:
            return self._silence(error.reason)
        if packet.code == STATUS_SERVER:
            return self._status(packet, client)
        if refusal := _refusal(packet, client):
            return self._silence(refusal)
        key = (source, packet.identifier)
        known = self._duplicates.find(key, packet.raw, tick)
        if known:
            self.count("duplicate", "answered")
            return known
        if (key, packet.raw) in self._in_batch:
            self.count("duplicate", "in_batch")
            return None
        return self._owe(key, packet, client, source, now)

    def collect(self) -> tuple[list[Owed], list[bytes]]:
        """Take what is owed an answer since the last call, and the payloads to write first."""
        owed, self._owed = self._owed, []
        self._in_batch = set()
        return owed, [each.payload for each in owed]

    def acknowledge(self, owed: Owed, tick: float) -> bytes:
        """The reply to a request that is durable now; remembered for retransmissions."""
        reply = _response(owed.packet, owed.client)
        self._duplicates.put(owed.key, owed.packet.raw, reply, tick)
        self.count("recorded", owed.client.entry.vendor)
        return reply

    def counters(self) -> Counters:
        """A copy of the counters since the start."""
        return dict(self._counters)

    def count_failure(self, error: Exception) -> None:
        """Count an exception that the caller swallowed."""
        self.count("failure", type(error).__name__)

    def count(self, result: str, reason: str) -> None:
        label = (result, reason)
        if label not in self._counters and len(self._counters) >= _COUNTERS:
            label = (result, "other")
        self._counters[label] = self._counters.get(label, 0) + 1

    def _owe(self, key: Key, packet: Packet, client: NasClient, source: Source, now: datetime) -> bytes | None:
        address = read_address(source[0])
        if address is None:
            return self._silence("unknown_client")
        payload = pack_received(Received(client.entry.id, address, now, packet.raw))
        self._owed.append(Owed(key, packet, client, source, payload))
        self._in_batch.add((key, packet.raw))
        return None

    def _status(self, packet: Packet, client: NasClient) -> bytes | None:
        at = _offset_of(packet, MESSAGE_AUTHENTICATOR)
        if not at:
            return self._silence("message_authenticator_missing")
        if not client.authenticators.message_authenticator_holds(packet.raw, at):
            return self._silence("message_authenticator_wrong")
        self.count("status", client.entry.vendor)
        attributes = _proxy_states(packet)
        return client.authenticators.response(ACCOUNTING_RESPONSE, packet.identifier, packet.authenticator, attributes)

    def _silence(self, reason: str) -> bytes | None:
        self.count("silence", reason)
        return None


def _refusal(packet: Packet, client: NasClient) -> str:
    """Why this is no authentic Accounting-Request; "" when it is."""
    if packet.code != ACCOUNTING_REQUEST:
        return "unexpected_code"
    if not client.authenticators.request_holds(packet.raw):
        return "request_authenticator_wrong"
    at = _offset_of(packet, MESSAGE_AUTHENTICATOR)
    if at and not client.authenticators.message_authenticator_holds(packet.raw, at, ZEROES):
        return "message_authenticator_wrong"
    return ""


def _offset_of(packet: Packet, kind: int) -> int:
    """Where the first attribute of this type begins, 0 when there is none."""
    at = HEADER_LENGTH
    for each, value in packet.attributes:
        if each == kind:
            return at
        at += len(value) + 2
    return 0


def _proxy_states(packet: Packet) -> bytes:
    """All of them, unchanged and in order (RFC 2865 §5.33)."""
    return encode_attributes(each for each in packet.attributes if each[0] == PROXY_STATE)


def _response(packet: Packet, client: NasClient) -> bytes:
    """A signed Accounting-Response. All that it holds was in the request, so it is never too long."""
    reply = encode(ACCOUNTING_RESPONSE, packet.identifier, ZEROES, _proxy_states(packet))
    signature = client.authenticators.response_authenticator(reply, packet.authenticator)
    return reply[:4] + signature + reply[HEADER_LENGTH:]
