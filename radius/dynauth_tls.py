"""CoA and Disconnect over TLS (RFC 6614 §2.5): to a NAS that listens for them, with the same three answers as over UDP.

We are the TLS client here and show the certificate that our listener shows; the NAS has to show one from `radsec_ca`
that bears its `radsec_identity`. TCP carries a request safely or says that it could not, so nothing is transmitted
twice over one connection (RFC 6613 §2.6.1); the whole time of all tries is given to the one.

A handshake costs a router more than a CoA does. So a connection that has answered is kept for a while and used again,
by one request at a time; when the NAS has closed it meanwhile, the request goes out once more over a new one. A request
that nobody answered ends its connection: a late answer could be taken for the next one's.

Reaching a NAS over the connection that it has opened itself ("reverse CoA") is a draft, and left out.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import threading
import time
from collections import deque
from contextlib import suppress
from datetime import datetime
from ipaddress import ip_address
from typing import NamedTuple

from core.settings import Settings
from radius.authenticators import Authenticators
from radius.codec import Attribute
from radius.dynauth import DynauthResult, Target, TimedOut
from radius.dynauth_packets import Ack, Nak, coa_request, disconnect_request, read_reply
from radius.nas_table import RADSEC_SECRET
from radius.radsec_frames import FrameReader
from radius.radsec_identity import presented
from radius.radsec_tls import TlsFiles, WatchedContext, client_context

_OWNER = Authenticators(RADSEC_SECRET)
_KEPT, _KEPT_SECONDS = 64, 30.0
_PIECE = 4096


class Stranger(OSError):
    """Who answers there has a good certificate, but of somebody else."""


def over_tls(
    settings: Settings, target: Target, identity: tuple[Attribute, ...], changes: bytes | None, now: datetime
) -> DynauthResult:
    """Send a CoA with these changes, or a Disconnect (None), and wait for its result (a `Sender` of `dynauth_send`).

    ValueError as `coa_request`; OSError when our own certificate or source address cannot be used.
    """
    identifier = os.urandom(1)[0]
    if changes is None:
        request = disconnect_request(_OWNER, identifier, identity, now)
    else:
        request = coa_request(_OWNER, identifier, identity, changes, now)
    context = _context(TlsFiles.of(settings))
    place = _Place(context, target.address, target.port, target.tls_name, _source(settings, target))
    return _exchange(place, request, time.monotonic() + settings.coa_timeout_seconds * settings.coa_tries)


def close_lines() -> None:
    """Close the connections that are kept."""
    _LINES.close()


class _Place(NamedTuple):
    """Whom a connection leads to, and as whom; connections are exchangeable when this is equal.

    A certificate that has been renewed makes another context, so what was opened with the old one ends with it.
    """

    context: ssl.SSLContext
    address: object
    port: int
    name: str
    source: str


def _exchange(place: _Place, request: bytes, deadline: float) -> DynauthResult:
    tries = 0
    while True:
        line, kept = _LINES.take(place), True
        try:
            if line is None:
                line, kept = _open(place, deadline), False
            tries += 1
            result = line.ask(request, deadline)
        except TimeoutError:
            return _unanswered(line, max(tries, 1), "")
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:  # coa_source_address is not this host's
                raise
            failure = _unanswered(line, max(tries, 1), _why(error), refused=isinstance(error, ConnectionRefusedError))
            if line is None or not kept:
                return failure
        else:
            _LINES.keep(place, line)
            return result


def _unanswered(line: _Line | None, tries: int, detail: str, *, refused: bool = False) -> TimedOut:
    if line is not None:
        line.close()
    return TimedOut(tries, refused, detail)


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS fails: {error.reason or 'the connection ended'}"
    return str(error) if isinstance(error, Stranger) else ""


def _open(place: _Place, deadline: float) -> _Line:
    source = (place.source, 0) if place.source else None
    left = max(deadline - time.monotonic(), 0.01)
    plain = socket.create_connection((str(place.address), place.port), left, source)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.settimeout(max(deadline - time.monotonic(), 0.01))
        tls = place.context.wrap_socket(plain)
    except OSError:
        plain.close()
        raise
    line = _Line(tls)
    names = presented(tls.getpeercert() or {}, tls.getpeercert(binary_form=True) or b"")
    if not place.name or place.name not in names:
        line.close()
        shown = (", ".join(names[1:]) or names[0])[:100]
        raise Stranger(f"its certificate shows {shown} and not {place.name}")
    return line


class _Line:
    """A connection to one NAS, used by one request at a time."""

    def __init__(self, tls: ssl.SSLSocket) -> None:
        self.kept_until = 0.0
        self._tls = tls
        self._frames = FrameReader()

    def ask(self, request: bytes, deadline: float) -> Ack | Nak:
        """The answer to the request. TimeoutError when none comes in time, OSError when the connection ends before."""
        self._tls.settimeout(max(deadline - time.monotonic(), 0.01))
        self._tls.sendall(request)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._tls.settimeout(left)
            piece = self._tls.recv(_PIECE)
            if not piece:
                raise ConnectionResetError
            for packet in self._frames.feed(piece):
                if answer := read_reply(_OWNER, request, packet):
                    return answer
            if self._frames.broken:
                raise ConnectionResetError

    def close(self) -> None:
        with suppress(OSError):
            self._tls.close()


class _Lines:
    """The connections that wait for another request, of all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: deque[tuple[_Place, _Line]] = deque()

    def take(self, place: _Place) -> _Line | None:
        """One that leads there, for the caller alone; those that have waited for long are closed."""
        with self._lock:
            self._let_go(time.monotonic())
            found = next((pair for pair in reversed(self._kept) if pair[0] == place), None)
            if found is None:
                return None
            self._kept.remove(found)
            return found[1]

    def keep(self, place: _Place, line: _Line) -> None:
        with self._lock:
            tick = time.monotonic()
            line.kept_until = tick + _KEPT_SECONDS
            self._kept.append((place, line))
            self._let_go(tick)

    def close(self) -> None:
        with self._lock:
            self._let_go(float("inf"))

    def _let_go(self, tick: float) -> None:
        while self._kept and (self._kept[0][1].kept_until <= tick or len(self._kept) > _KEPT):
            self._kept.popleft()[1].close()

    def forget(self) -> None:
        """In a process that was forked: the connections are the parent's."""
        self._lock = threading.Lock()
        self._kept = deque()


_LINES = _Lines()
_CONTEXTS: dict[TlsFiles, WatchedContext] = {}
_CONTEXTS_LOCK = threading.Lock()
os.register_at_fork(after_in_child=_LINES.forget)


def _context(files: TlsFiles) -> ssl.SSLContext:
    """The context of these files as they are now; TlsUnusable."""
    with _CONTEXTS_LOCK:
        watched = _CONTEXTS.get(files)
        if watched is None:
            watched = _CONTEXTS[files] = WatchedContext(files, client_context)
        else:
            watched.refresh()
        return watched.context


def _source(settings: Settings, target: Target) -> str:
    """The local address to connect from, "" for whatever the routing table says."""
    address = settings.coa_source_address
    if not address or ip_address(address).is_unspecified:
        return ""
    if ip_address(address).version != target.address.version:
        raise ValueError(f"{address} cannot connect to {target.address}: another address family")
    return address
