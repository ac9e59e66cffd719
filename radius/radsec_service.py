"""RADIUS over TLS without a socket: one packet of a known NAS in; a reply, nothing, or the end of its connection, out.

One connection carries everything, and the code tells what is meant: authentication and Status-Server go to the service
that answers them over UDP too, accounting to the other one. What differs is who the client is (its certificate says it)
and what silence means: a packet that breaks the rules ends the connection (`radius.radsec_frames`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from radius.acct_service import AcctService, Owed
from radius.attributes import ACCOUNTING_REQUEST, COA_REQUEST, DISCONNECT_REQUEST
from radius.auth_service import AuthService, Note
from radius.dynauth_packets import read_request, reply_to
from radius.nas_clients import NasClients
from radius.nas_table import NasClient
from radius.radsec_connection import Gone, Source
from radius.radsec_frames import fault
from radius.records import Unseal
from radius.store import Snapshot
from radius.tally import Counters, Tally

UNSUPPORTED_EXTENSION = 406
MOST_OWED = 16_384
"""Accounting that may wait for the disk; what is over is not taken, and comes again."""
_DYNAUTH = frozenset({COA_REQUEST, DISCONNECT_REQUEST})

Label = TypeVar("Label")
Number = TypeVar("Number", int, float)


class RadsecService:
    """Answers the packets of all TLS connections of one host; `begin` comes before `handle`. One thread's."""

    def __init__(
        self,
        unseal: Unseal,
        *,
        reject_delay_seconds: float = 1.0,
        duplicate_cache_seconds: float = 10.0,
        note: Note | None = None,
    ) -> None:
        self._auth = AuthService(
            unseal,
            reject_delay_seconds=reject_delay_seconds,
            duplicate_cache_seconds=duplicate_cache_seconds,
            note=note,
        )
        self._acct = AcctService(unseal, duplicate_cache_seconds=duplicate_cache_seconds)
        self._clients = NasClients(unseal)
        self._tally = Tally()
        self._owed = 0
        self.due = self._auth.due
        self.next_due = self._auth.next_due

    def begin(self, records: Snapshot) -> bool:
        """Answer from this snapshot from now on; whether any NAS has changed."""
        self._auth.begin(records)
        self._acct.begin(records)
        before = self._clients.table
        self._clients.refresh(records)
        return self._clients.table is not before

    def client_of(self, identities: Iterable[str]) -> NasClient | None:
        """The NAS that has one of these identities, or None."""
        return self._clients.table.find_identity(identities)

    def handle(self, packet: bytes, client: NasClient, source: Source, now: datetime, tick: float) -> bytes | None:
        """The reply to send at once, or None. Gone when the connection has to end (RFC 6613 §2.6.4)."""
        code = packet[0]
        if code in _DYNAUTH:
            return self._refuse(packet, client)
        if code == ACCOUNTING_REQUEST:
            reply = self._account(packet, client, source, now, tick)
        else:
            reply = self._auth.handle_for(client, packet, source, now.timestamp(), tick)
        if reply is None and (reason := fault(packet, client.authenticators)):
            raise Gone(reason)
        return reply

    def collect(self) -> tuple[list[Owed], list[bytes]]:
        """Take the accounting that is owed an answer, and the payloads to write first."""
        self._owed = 0
        return self._acct.collect()

    def acknowledge(self, owed: Sequence[Owed], tick: float) -> list[tuple[bytes, Source]]:
        """The replies to accounting that is durable now, and whom they are for."""
        return self._acct.acknowledge(owed, tick)

    def count(self, result: str, reason: str) -> None:
        self._tally.count(result, reason)

    def count_failure(self, error: Exception) -> None:
        """Count an exception that the caller swallowed."""
        self._tally.count("failure", type(error).__name__)

    def counters(self) -> Counters:
        """A copy of all counters since the start."""
        return _sum(self._tally.counters(), self._auth.counters(), self._acct.counters())

    def gauges(self) -> Mapping[str, float]:
        """How much is being kept right now."""
        return _sum(self._auth.gauges(), self._acct.gauges())

    def _account(self, packet: bytes, client: NasClient, source: Source, now: datetime, tick: float) -> bytes | None:
        if self._owed >= MOST_OWED:
            self._tally.count("silence", "spool_behind")
            return None
        self._owed += 1
        return self._acct.handle_for(client, packet, source, now, tick)

    def _refuse(self, packet: bytes, client: NasClient) -> bytes | None:
        """No NAS may change another's sessions through us: a NAK, as RFC 6614 §2.5 asks for what is not wanted."""
        self._tally.count("silence", "unexpected_code")
        request = read_request(client.authenticators, packet)
        return None if request is None else reply_to(client.authenticators, request, UNSUPPORTED_EXTENSION)


def _sum(*parts: Mapping[Label, Number]) -> dict[Label, Number]:
    total: dict[Label, Number] = {}
    for part in parts:
        for label, count in part.items():
            total[label] = total[label] + count if label in total else count
    return total
