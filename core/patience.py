"""The last write of something that holds a claim or a lease, when the database is away at that very moment.

Without it the claim would stand until its time runs out, and nobody could go on where this one ended; so it is tried
again until then.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from core.clock import system_clock
from core.errors import Unavailable

PAUSE_SECONDS = 1.0


def persist(write: Callable[[], None], until: datetime) -> None:
    """Do `write`, again and again while the database is away. Unavailable after `until` (the machine's time)."""
    while True:
        try:
            write()
        except Unavailable:
            if system_clock() >= until:
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            return
