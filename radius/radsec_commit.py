"""Accounting that came over TLS is made durable in a thread of its own, a batch at a time, so that nobody waits for the
disk who did not ask for it.

One process has all RadSec connections, for authentication and accounting alike. While the disk is busy with one batch
the next one gathers; so the more arrives, the more shares a sync. A spool that cannot be opened or written costs the
batch its acknowledgement and nothing else.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import NamedTuple

from radius.acct_service import Owed
from radius.spool import SpoolUnavailable, SpoolWriter


class Batch(NamedTuple):
    """Requests that are owed an answer, and what has to be durable before; `tick` (monotonic) is when they were."""

    owed: Sequence[Owed]
    payloads: Sequence[bytes]
    tick: float


class Committer:
    """Writes one batch at a time. `fileno()` becomes readable when it has ended."""

    def __init__(self, open_spool: Callable[[], SpoolWriter]) -> None:
        self.busy = self.failing = False
        self._open_spool = open_spool
        self._spool: SpoolWriter | None = None
        self._batches: SimpleQueue[Batch | None] = SimpleQueue()
        self._ended: SimpleQueue[tuple[Batch, SpoolUnavailable | None]] = SimpleQueue()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="radsec-commit", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        return self._wake

    def begin(self, batch: Batch) -> None:
        """Write this batch; not while another one is under way (`busy`)."""
        self.busy = True
        self._batches.put(batch)

    def ended(self) -> tuple[Batch, SpoolUnavailable | None] | None:
        """The batch that has ended since the last call, and why it is not durable if it is not."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        if self._ended.empty():
            return None
        self.busy = False
        batch, error = self._ended.get()
        self.failing = error is not None
        return batch, error

    def gauges(self) -> dict[str, float]:
        """What is in the spool, and whether it takes records."""
        octets = 0 if self._spool is None else self._spool.octets
        return {"spool_bytes": float(octets), "spool_failing": float(self.failing)}

    def close(self, seconds: float = 1.0) -> None:
        """Let the batch under way end, and give the spool back; a disk that hangs is left behind."""
        self._batches.put(None)
        self._thread.join(seconds)
        if not self._thread.is_alive():
            os.close(self._wake)

    def _run(self) -> None:
        while (batch := self._batches.get()) is not None:
            self._ended.put((batch, self._write(batch.payloads)))
            os.eventfd_write(self._wake, 1)
        if self._spool is not None:
            self._spool.close()

    def _write(self, payloads: Sequence[bytes]) -> SpoolUnavailable | None:
        try:
            if self._spool is None:
                self._spool = self._open_spool()
            self._spool.append(payloads)
        except SpoolUnavailable as error:
            return error
        except Exception as error:
            return SpoolUnavailable(f"{type(error).__name__} while writing the spool")
        return None
