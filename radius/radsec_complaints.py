"""Why connections end, in the log, where somebody has to mend something: enough to find it, never a flood."""

from __future__ import annotations

import logging
import time

from radius.radsec_connection import Connection

_PEACEFUL = frozenset({"closed", "cut", "idle", "superseded", "trust_changed", "handshake_cut"})
_EVERY_SECONDS = 10.0
_KEPT = 1_024
log = logging.getLogger(__name__)


class Complaints:
    """Says each thing about a NAS or a certificate once; about strangers one thing every ten seconds. One thread's."""

    def __init__(self) -> None:
        self._told: set[tuple[object, ...]] = set()
        self._strangers_at = 0.0

    def forget(self) -> None:
        """The NAS have changed, so what was told may be mended: tell it again when it is not."""
        self._told.clear()

    def about(self, connection: Connection, reason: str) -> None:
        """A connection has ended."""
        if reason in _PEACEFUL:
            return
        address = connection.source[0]
        if reason == "unknown_client":
            fingerprint, *names = connection.identities
            if self._first_time(fingerprint):
                shown = ", ".join(names) or "no name"
                log.warning("RadSec: no NAS has the certificate that %s shows: %s (%s)", address, shown, fingerprint)
        elif connection.client is not None:
            name = connection.client.entry.name
            if self._first_time(reason, name):
                log.warning("RadSec: a connection of NAS %s from %s was ended: %s", name, address, reason)
        elif (tick := time.monotonic()) >= self._strangers_at:
            self._strangers_at = tick + _EVERY_SECONDS
            log.warning("RadSec: no handshake with %s: %s", address, reason)

    def _first_time(self, *what: object) -> bool:
        if what in self._told or len(self._told) >= _KEPT:
            return False
        self._told.add(what)
        return True
