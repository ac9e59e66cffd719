"""The bytes to and from a router: a TCP connection, with or without TLS, that never blocks but in `wait`."""

from __future__ import annotations

import select
import socket
import ssl
from contextlib import suppress
from time import monotonic

from provisioning.routeros.connection import RouterLost, RouterSilent, RouterUnreachable

CHUNK = 256 * 1024
_KEEPALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
_BUSY = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def dial(host: str, port: int, timeout: float) -> socket.socket:
    """A TCP connection. RouterUnreachable, saying what to look at."""
    where = f"{host} port {port}"
    try:
        sock = socket.create_connection((host, port), timeout)
    except (socket.gaierror, UnicodeError):
        raise RouterUnreachable(f"{host} is not an address, and no name server knows it") from None
    except ConnectionRefusedError:
        raise RouterUnreachable(
            f"{where} refuses: enable the API there (/ip service), let this host use it, and check the port"
        ) from None
    except TimeoutError:
        raise RouterUnreachable(
            f"{where} does not answer within {timeout:g} s: is it up, and no firewall between?"
        ) from None
    except OSError as error:
        raise RouterUnreachable(f"{where} cannot be reached: {error.strerror or type(error).__name__}") from None
    _tune(sock)
    return sock


def _tune(sock: socket.socket) -> None:
    """Commands go at once, and a peer that vanished is noticed even while nothing is asked."""
    with suppress(OSError):  # the other side may have gone already; the first read will tell
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE:
            if hasattr(socket, name):  # not everywhere
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class Stream:
    """One connection's bytes. RouterLost when it ends; `where` names it in errors."""

    def __init__(self, sock: socket.socket, where: str) -> None:
        sock.setblocking(False)
        self.where = where
        self._sock = sock
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._tls_writes = False
        """TLS has something of its own to send before it can receive."""
        self._broken: OSError | None = None
        """Sending failed; what had come before that, a `!fatal` with its reason maybe, is still to be read."""

    def handshake(self, timeout: float) -> None:
        """Do TLS's, all of it within the timeout. RouterSilent, RouterLost or ssl.SSLError."""
        until = monotonic() + timeout
        while True:
            writing = False
            try:
                self._sock.do_handshake()  # type: ignore[attr-defined]
                return
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLWantWriteError:
                writing = True
            except ssl.SSLError:
                raise
            except OSError as error:
                raise self._lost(error) from None
            if (left := until - monotonic()) <= 0:
                raise RouterSilent(
                    f"{self.where} did not finish the TLS handshake within {timeout:g} s: is it API-SSL?"
                )
            self.wait(left, writing=writing)

    def certificate(self) -> bytes:
        """What the router presented, DER; b"" for none."""
        shown = self._sock.getpeercert(binary_form=True) if isinstance(self._sock, ssl.SSLSocket) else None
        return shown or b""

    def send(self, data: memoryview) -> int:
        """How many of these bytes went; 0: none now."""
        try:
            return self._sock.send(data)
        except _BUSY:
            return 0
        except OSError as error:
            self._broken = error
            return 0

    def receive(self) -> bytes:
        """What has come; b"": nothing yet."""
        self._tls_writes = False
        try:
            data = self._sock.recv(CHUNK)
        except ssl.SSLWantWriteError:
            self._tls_writes = True
            return b""
        except _BUSY:
            if self._broken:
                raise self._lost(self._broken) from None
            return b""
        except OSError as error:
            raise self._lost(error) from None
        if not data:
            raise RouterLost(f"{self.where} closed the connection")
        return data

    def wait(self, seconds: float, *, writing: bool) -> None:
        """Until something comes, or there is room to write, or the time is over."""
        out = select.POLLOUT if writing or self._tls_writes else 0
        self._poll.modify(self._sock, select.POLLIN | out)
        self._poll.poll(max(0.0, seconds) * 1000)

    def interrupt(self) -> None:
        """End it under the feet of the thread that waits in it."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._sock.close()

    def _lost(self, error: OSError) -> RouterLost:
        why = error.strerror or getattr(error, "reason", "") or type(error).__name__
        return RouterLost(f"the connection to {self.where} broke: {why}")
