"""`listen`: a client is told each change of a menu, until it cancels."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from lab.routeros.queries import matching
from lab.routeros.reading import names_of
from lab.routeros.sentences import Asked, encode_refusal, encode_row
from lab.routeros.state import RouterState
from lab.routeros.table import Row
from lab.routeros.traps import INTERRUPTED, Refusal, no_such_command, no_such_menu
from lab.routeros.words import attribute


class Listens:
    """The `listen` commands that run on one connection."""

    def __init__(self, state: RouterState, send: Callable[[bytes], None]) -> None:
        self._state, self._send = state, send
        self._running: list[Asked] = []
        self._waiting: deque[bytes] = deque()
        self._pushing = threading.Lock()

    def open(self, asked: Asked) -> None:
        table = self._state.tables.get(asked.path)
        if table is None:
            raise no_such_menu(asked.path.rpartition("/")[2])
        if "listen" not in table.spec.verbs:
            raise no_such_command()
        with self._state.lock:
            if not self._running:
                self._state.listeners.append(self._take)
            self._running.append(asked)

    def cancel(self, tag: bytes | None) -> bytes:
        """End the one with this tag (None: all); gives what has to be said of it: that it was interrupted."""
        ending = [asked for asked in self._running if tag is None or asked.tag == tag]
        if tag is not None and not ending:
            raise Refusal("unknown tag")
        for asked in ending:
            self._end(asked)
        return b"".join(encode_refusal(Refusal("interrupted", INTERRUPTED), asked.tag) for asked in ending)

    def close(self) -> None:
        for asked in list(self._running):
            self._end(asked)

    def _end(self, asked: Asked) -> None:
        with self._state.lock:
            self._running.remove(asked)
            if not self._running:
                self._state.listeners.remove(self._take)

    def _take(self, path: str, row: Row, dead: bool) -> None:
        """A change, under the state's lock: what has to be sent waits until the lock is free."""
        for asked in self._running:
            if asked.path == path and (body := self._told(asked, row, dead)) is not None:
                self._waiting.append(encode_row(body, asked.tag))

    def _told(self, asked: Asked, row: Row, dead: bool) -> bytes | None:
        if dead:
            return attribute(".id", row.id) + attribute(".dead", b"true")
        table = self._state.tables[asked.path]
        if row.number not in table.rows:
            return None
        chosen = matching(table, asked.query)
        if chosen is not None and row.number not in chosen:
            return None
        return table.encoded([row], names_of(asked))[0]

    def push(self) -> None:
        with self._pushing, suppress(OSError):
            while self._waiting:
                self._send(self._waiting.popleft())
