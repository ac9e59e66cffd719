"""A worker's own entry point in a thread, for the length of a block."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

TIMEOUT = 10.0
"""Seconds after which a test gives up; nothing is expected to take them."""
Port = Callable[[], int]
"""Waits until the worker serves, and gives its port."""


@contextmanager
def in_thread(run_worker: Callable[..., None], *arguments: Any, **options: Any) -> Iterator[Port]:
    """Run it with these arguments and a `stop` after them until the block ends, and see that it stops."""
    bound: queue.Queue[tuple[str, int]] = queue.Queue()
    stopping = threading.Event()
    worker = threading.Thread(
        target=run_worker, args=(*arguments, stopping.is_set), kwargs={"ready": bound.put, **options}
    )
    worker.start()
    try:
        yield lambda: bound.get(timeout=TIMEOUT)[1]
    finally:
        stopping.set()
        worker.join(TIMEOUT)
    assert not worker.is_alive(), "the worker did not stop"
