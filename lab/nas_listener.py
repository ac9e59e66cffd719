"""The UDP port on which a simulated NAS takes CoA and Disconnect, and the thread that serves it."""

from __future__ import annotations

import logging
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from radius.codec import MAX_LENGTH

_log = logging.getLogger(__name__)
_REMEMBERED = 256


class DynauthListener:
    """Receives in one thread, until closed.

    `answer` gives the reply's octets, or None for silence. A retransmission (the same octets from the same address
    and port) gets the same reply again and is not handed on. Each reply is sent only if `may_send` says so, which
    hears whether it is a repeated one.
    """

    def __init__(
        self, address: str, port: int, answer: Callable[[bytes], bytes | None], may_send: Callable[[bool], bool]
    ) -> None:
        self._answer = answer
        self._may_send = may_send
        self._replies: OrderedDict[tuple[Any, bytes], bytes] = OrderedDict()
        self._closed = threading.Event()
        self._socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((address, port))
        except OSError:
            self._socket.close()
            raise
        self._socket.settimeout(0.1)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="simulated-nas-coa", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout: float) -> None:
        self._closed.set()
        with suppress(OSError):
            self._socket.sendto(b"", self._socket.getsockname())  # wakes the thread
        self._thread.join(timeout)
        self._socket.close()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                datagram, sender = self._socket.recvfrom(MAX_LENGTH)
                if not self._closed.is_set():
                    self._serve(datagram, sender)
            except OSError:  # nothing came, or the sender of the last request closed its port
                continue
            except Exception:
                _log.exception("the simulated NAS failed on a datagram")

    def _serve(self, datagram: bytes, sender: Any) -> None:
        known = self._replies.get((sender, datagram))
        reply = known or self._answer(datagram)
        if reply is None:
            return
        self._replies[sender, datagram] = reply
        if len(self._replies) > _REMEMBERED:
            self._replies.popitem(last=False)
        if self._may_send(known is not None):
            self._socket.sendto(reply, sender)
