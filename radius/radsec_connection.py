"""One TLS connection of a NAS, without waiting: handshake, packets in, replies out.

Nothing here blocks. A peer that reads slowly fills its own buffer, which is bounded: over `_FULL` octets nothing more
is read from it, so it stops being answered, and over `_BURSTING` it is cut off. Times are monotonic seconds.
"""

from __future__ import annotations

import select
import socket
import ssl
from contextlib import suppress

from radius.nas_table import NasClient
from radius.radsec_frames import FrameReader
from radius.radsec_identity import presented

HANDSHAKE_SECONDS = 10.0
PATIENCE_SECONDS = 30.0
"""How long a packet that has begun, or a reply that nobody takes, is waited for."""
_PIECE = 16 << 10
"""All that a TLS record may hold, so that none is read by halves: what is left in TLS's own buffer wakes nobody."""
_PIECES = 4
"""TLS records that are read at most from one connection before the others have their turn."""
_FULL, _BURSTING = 64 << 10, 1 << 20
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 6))
_USER_TIMEOUT_MS = 60_000

Source = tuple[str, int, int]
"""Address and port of the peer, and the connection's number: no two connections ever have the same."""


class Gone(Exception):
    """The connection has ended or must end; `reason` is a short fixed slug."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Connection:
    """`open` becomes true with the handshake. Then `identities` says who it is, and whoever knows sets `client`."""

    def __init__(
        self, accepted: socket.socket, context: ssl.SSLContext, serial: int, trust: bytes, tick: float
    ) -> None:
        """Take over a connection that has just been accepted; OSError when it is gone already, and closed then."""
        try:
            accepted.setblocking(False)
            _keep_alive(accepted)
            address, port = accepted.getpeername()[:2]
            self._socket = context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        except OSError:
            accepted.close()
            raise
        self.source: Source = (address, port, serial)
        self.trust = trust
        self.since = self.heard_at = tick
        self.open = False
        self.identities: tuple[str, ...] = ()
        self.expires_at = 0.0
        """Epoch seconds at which the peer's certificate ends."""
        self.client: NasClient | None = None
        self.watched = 0
        """The events that the loop waits for now; its own."""
        self._frames = FrameReader()
        self._partial_since = 0.0
        self._out = bytearray()
        self._stuck_since = 0.0
        self._wants_write = False

    @property
    def number(self) -> int:
        return self.source[2]

    def fileno(self) -> int:
        return self._socket.fileno()

    def events(self) -> int:
        """What to wait for (`select.POLLIN`, `POLLOUT`). Hanging up is reported unasked."""
        wanted = select.POLLOUT if self._wants_write or (self.open and self._out) else 0
        return wanted | (select.POLLIN if len(self._out) < _FULL else 0)

    def shake_hands(self, tick: float) -> bool:
        """Go on with the handshake; whether it is done. Gone when it has failed."""
        self._wants_write = False
        try:
            self._socket.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLWantWriteError:
            self._wants_write = True
            return False
        except ssl.SSLCertVerificationError as error:
            raise Gone("certificate_refused") from error
        except ssl.SSLError as error:
            raise Gone("no_certificate" if error.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE" else "tls") from error
        except (OSError, ValueError) as error:
            raise Gone("handshake_cut") from error
        certificate = self._socket.getpeercert() or {}
        self.identities = presented(certificate, self._socket.getpeercert(binary_form=True) or b"")
        self.expires_at = float(ssl.cert_time_to_seconds(str(certificate["notAfter"])))
        self.open, self.since, self.heard_at = True, tick, tick
        return True

    def receive(self, tick: float) -> tuple[list[bytes], bool]:
        """The packets that are complete now, and whether more may be had at once. Gone at the end of the stream.

        Packets before a bad Length are given first; the next call is Gone.
        """
        packets: list[bytes] = []
        more = not self._frames.broken and self._read_pieces(packets, tick)
        if self._frames.broken and not packets:
            raise Gone(self._frames.broken)
        if not self._frames.partial:
            self._partial_since = 0.0
        elif packets or not self._partial_since:
            self._partial_since = tick
        return packets, more or bool(self._frames.broken)

    def queue(self, reply: bytes) -> None:
        """Put a reply in line; `flush` sends it."""
        self._out += reply

    def flush(self, tick: float) -> None:
        """Send what the peer takes now. Gone when that is impossible, or when too much has gathered."""
        self._wants_write = False
        try:
            while self._out:
                sent = self._socket.send(bytes(self._out[:_PIECE]))
                del self._out[:sent]
                self._stuck_since = 0.0
        except ssl.SSLWantWriteError:
            self._stuck_since = self._stuck_since or tick
        except ssl.SSLWantReadError:
            pass
        except (OSError, ValueError) as error:
            raise Gone("cut") from error
        if len(self._out) > _BURSTING:
            raise Gone("too_slow")

    def overdue(self, tick: float, now: float, idle_seconds: float) -> str:
        """Why it is to end by now, "" when it is not. `now` is epoch seconds."""
        if not self.open:
            return "handshake_slow" if tick - self.since > HANDSHAKE_SECONDS else ""
        if now >= self.expires_at:
            return "certificate_expired"
        if self._partial_since and tick - self._partial_since > PATIENCE_SECONDS:
            return "packet_unfinished"
        if self._stuck_since and tick - self._stuck_since > PATIENCE_SECONDS:
            return "too_slow"
        return "idle" if idle_seconds and tick - self.heard_at > idle_seconds else ""

    def close(self) -> None:
        """Say goodbye where there is room for it, and close."""
        if self.open:
            with suppress(OSError, ValueError):
                if self._out:
                    self._socket.send(bytes(self._out[:_PIECE]))
                self._socket.unwrap()  # sends close_notify; the peer's own is not waited for
        self._socket.close()

    def _read_pieces(self, packets: list[bytes], tick: float) -> bool:
        for _ in range(_PIECES):
            try:
                piece = self._socket.recv(_PIECE)
            except ssl.SSLWantReadError:
                return False
            except ssl.SSLWantWriteError:
                self._wants_write = True
                return False
            except (OSError, ValueError) as error:
                return self._ended("cut", packets, error)
            if not piece:
                return self._ended("closed", packets, None)
            self.heard_at = tick
            packets += self._frames.feed(piece)
            if self._frames.broken:
                return False
        return True

    def _ended(self, reason: str, packets: list[bytes], error: Exception | None) -> bool:
        """What was sent before the end still counts: it is handed out, and the next call meets the end again."""
        if packets:
            return True
        raise Gone(reason) from error


def _keep_alive(accepted: socket.socket) -> None:
    """Notice within two minutes that a NAS has vanished without a word."""
    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        accepted.setsockopt(socket.IPPROTO_TCP, option, value)
    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
