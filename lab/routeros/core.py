"""What the connections of one emulated router share: its state, its faults, its users, and who is connected."""

from __future__ import annotations

import ssl
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from socket import socket

from lab.routeros.connection import ApiConnection
from lab.routeros.faults import Faults
from lab.routeros.state import RouterState

_PATIENCE_SECONDS = 5.0


class Core:
    """For all threads of a router."""

    def __init__(
        self,
        state: RouterState,
        users: Mapping[str, str],
        tls: ssl.SSLContext | None,
        latency: float,
        sensitive: bool,
        refuse: Callable[[bool], None],
    ) -> None:
        self.state, self.users, self.tls = state, users, tls
        self.latency, self.sensitive = latency, sensitive
        self.faults = Faults(refuse, self._fill_disk)
        self.sentences: Counter[str] = Counter()
        self.most_connections = 0
        self.restart: Callable[[int], None] = lambda _lost_writes: None
        self._connections: list[ApiConnection] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self.starts = 1
        """How often the router started; a connection lives in one of its lives."""

    @property
    def connections_now(self) -> int:
        """Those whose client still holds its end."""
        with self._lock:
            return sum(each.live for each in self._connections)

    def count(self, command: str) -> None:
        with self._lock:
            self.sentences[command] += 1

    def came(self, accepted: socket) -> None:
        """A new connection."""
        connection = ApiConnection(self, accepted)
        with self._lock:
            self._connections.append(connection)
            self.most_connections = max(self.most_connections, sum(each.live for each in self._connections))
        connection.start()

    def gone(self, connection: ApiConnection) -> None:
        with self._lock:
            if connection in self._connections:
                self._connections.remove(connection)

    def drop_all(self) -> list[ApiConnection]:
        """End all connections; they may take a moment."""
        with self._lock:
            dropped = list(self._connections)
        for connection in dropped:
            connection.drop()
        return dropped

    def end_all(self) -> None:
        """End all connections, and wait until they have."""
        for connection in self.drop_all():
            connection.join(_PATIENCE_SECONDS)

    def stop(self) -> None:
        self._stopped.set()
        self.faults.heal()
        self.end_all()

    def wait(self, seconds: float) -> None:
        """Sleep, but not beyond the end."""
        if seconds > 0:
            self._stopped.wait(seconds)

    def tell_listeners(self) -> None:
        """Send what listeners have been told; not under the state's lock, for clients may be slow to read."""
        if self.state.listeners:
            with self._lock:
                connections = list(self._connections)
            for connection in connections:
                connection.push_changes()

    def _fill_disk(self, full: bool) -> None:
        self.state.disk_full = full
