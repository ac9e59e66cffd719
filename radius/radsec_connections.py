"""Who is connected by TLS: strangers that shake hands, NAS that are in, and the end of both.

What strangers can cost is bounded: so many handshakes are under way at once, and so many of their steps are made in a
turn, after the packets of those who are in already. Over the bound the next one waits to be accepted, unless the oldest
handshake dawdles: that one then makes room.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress

from radius.radsec_complaints import Complaints
from radius.radsec_connection import Connection, Gone
from radius.radsec_listeners import MOST_CONNECTIONS, Listeners
from radius.radsec_service import RadsecService
from radius.radsec_tls import WatchedContext

_HANDSHAKES, _DAWDLING_SECONDS = 256, 2.0
_HANDSHAKES_A_TURN, _ACCEPTED_A_TURN = 16, 64
_OF_ONE_NAS = 64
"""A NAS that opens ever more connections and closes none loses those that it uses least."""
_TURNED_OUT_A_SWEEP = 64
"""Connections that have to come again after a change of the CAs, so many a second."""
_PAUSE_SECONDS = 1.0


class Connections:
    """All connections of the listeners, and the epoll that waits for them. One thread's.

    Times are monotonic seconds. `unread` are those of which more may be read at once.
    """

    def __init__(
        self,
        listeners: Listeners,
        tls: WatchedContext,
        service: RadsecService,
        *,
        idle_seconds: float,
        most: int = MOST_CONNECTIONS,
    ) -> None:
        self.unread: dict[int, Connection] = {}
        self._listeners = listeners
        self._tls = tls
        self._service = service
        self._idle_seconds = idle_seconds
        self._most = most
        self._complaints = Complaints()
        self._serial = 0
        self._by_number: dict[int, Connection] = {}
        self._by_file: dict[int, Connection] = {}
        self._handshakes: dict[int, Connection] = {}  # by number, so the oldest comes first
        self._of_nas: dict[int, dict[int, Connection]] = {}
        self._epoll = select.epoll()
        self._listening = False
        self._listen_at = 0.0

    def __len__(self) -> int:
        """How many NAS connections there are."""
        return len(self._by_number) - len(self._handshakes)

    @property
    def handshakes(self) -> int:
        """How many handshakes are under way."""
        return len(self._handshakes)

    def also_wait_for(self, fileno: int) -> None:
        """Let `wait` end when this file is readable too."""
        self._epoll.register(fileno, select.EPOLLIN)

    def wait(self, seconds: float, tick: float) -> dict[int, int]:
        """The events by file, as soon as there are any."""
        self._listen_while_there_is_room(tick)
        return dict(self._epoll.poll(0.0 if self.unread else seconds))

    def get(self, number: int) -> Connection | None:
        """The connection of this number, if it is still there."""
        return self._by_number.get(number)

    def among(self, files: Iterable[int]) -> Iterator[Connection]:
        """The NAS connections among these files."""
        found = (self._by_file.get(file) for file in files)
        return (each for each in found if each is not None and each.open)

    def watch(self, connection: Connection) -> None:
        """Wait for what the connection wants by now."""
        wanted = connection.events()
        if wanted != connection.watched:
            connection.watched = wanted
            self._epoll.modify(connection, wanted)

    def cut(self, connection: Connection, reason: str) -> None:
        """End a connection, and say why where somebody should know."""
        number = connection.number
        for those in (self._by_number, self._handshakes, self.unread):
            those.pop(number, None)
        if connection.client is not None:
            self._of_nas.get(connection.client.entry.id, {}).pop(number, None)
        self._by_file.pop(connection.fileno(), None)
        with suppress(OSError, ValueError):
            self._epoll.unregister(connection)
        connection.close()
        self._service.count("connection", reason)
        self._complaints.about(connection, reason)

    def accept(self, files: Iterable[int], tick: float) -> None:
        """Take in who is waiting at the listeners."""
        for listener in self._listeners.among(files):
            for _ in range(_ACCEPTED_A_TURN):
                if len(self._handshakes) >= _HANDSHAKES and not self._make_room(tick):
                    return
                try:
                    accepted, _address = listener.accept()
                except BlockingIOError:
                    break
                except OSError as error:  # the host has no file left, or the peer has gone already
                    self._service.count_failure(error)
                    self._listen_at = tick + _PAUSE_SECONDS
                    return
                self._begin(accepted, tick)

    def shake_hands(self, files: Iterable[int], tick: float) -> None:
        """Go on with the handshakes of these files, a few of them: the others are there in the next turn."""
        turns = _HANDSHAKES_A_TURN
        for file in files:
            connection = self._by_file.get(file)
            if connection is None or connection.open or not turns:
                continue
            turns -= 1
            try:
                if connection.shake_hands(tick):
                    self._welcome(connection)
                self.watch(connection)
            except Gone as gone:
                self.cut(connection, gone.reason)

    def look_again(self) -> None:
        """The NAS have changed: who is none any more is cut off now, not when it happens to go."""
        self._complaints.forget()
        self._of_nas.clear()
        for connection in list(self._by_number.values()):
            if connection.open:
                try:
                    self._recognise(connection)
                except Gone as gone:
                    self.cut(connection, gone.reason)

    def sweep(self, tick: float, now: float) -> None:
        """End what is overdue, and let those come again who were let in by other CAs. About once a second.

        `now` is the machine's own time, as TLS has it of certificates; a rehearsal does not move it.
        """
        self._tls.refresh()
        for connection in list(self._by_number.values()):
            if reason := connection.overdue(tick, now, self._idle_seconds):
                self.cut(connection, reason)
        outdated = [each for each in self._by_number.values() if each.open and each.trust != self._tls.trust]
        for connection in outdated[:_TURNED_OUT_A_SWEEP]:
            self.cut(connection, "trust_changed")

    def close(self) -> None:
        """End all of them; the listeners are their owner's."""
        for connection in self._by_number.values():
            connection.close()
        self._epoll.close()

    def _listen_while_there_is_room(self, tick: float) -> None:
        room = tick >= self._listen_at and (len(self._handshakes) < _HANDSHAKES or self._dawdles(tick))
        if room != self._listening:
            for file in self._listeners.files():
                if room:
                    self._epoll.register(file, select.EPOLLIN)
                else:
                    self._epoll.unregister(file)
        self._listening = room

    def _dawdles(self, tick: float) -> bool:
        return tick - next(iter(self._handshakes.values())).since >= _DAWDLING_SECONDS

    def _make_room(self, tick: float) -> bool:
        if not self._dawdles(tick):
            return False
        self.cut(next(iter(self._handshakes.values())), "handshake_slow")
        return True

    def _begin(self, accepted: socket.socket, tick: float) -> None:
        if len(self._by_number) >= self._most:
            accepted.close()
            self._service.count("connection", "too_many")
            return
        self._serial += 1
        try:
            connection = Connection(accepted, self._tls.context, self._serial, self._tls.trust, tick)
        except OSError:
            self._service.count("connection", "handshake_cut")
            return
        self._by_number[self._serial] = self._by_file[connection.fileno()] = connection
        self._handshakes[self._serial] = connection
        connection.watched = select.EPOLLIN
        self._epoll.register(connection, connection.watched)

    def _welcome(self, connection: Connection) -> None:
        """The certificate is a good one: see whose it is. What came with its last octets is read at once."""
        del self._handshakes[connection.number]
        of_this = self._recognise(connection)
        self._service.count("connection", "opened")
        self.unread[connection.number] = connection
        if len(of_this) > _OF_ONE_NAS:
            self.cut(min(of_this.values(), key=lambda each: each.heard_at), "superseded")

    def _recognise(self, connection: Connection) -> dict[int, Connection]:
        """Find the NAS that has this certificate; all its connections. Gone when none has."""
        client = self._service.client_of(connection.identities)
        connection.client = client
        if client is None:
            raise Gone("unknown_client")
        of_this = self._of_nas.setdefault(client.entry.id, {})
        of_this[connection.number] = connection
        return of_this
