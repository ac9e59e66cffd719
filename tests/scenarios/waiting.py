"""Waiting for what has to come true, on a machine that may be busy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")
PATIENCE = 90.0


def until(look: Callable[[], Found | None], what: str, seconds: float = PATIENCE) -> Found:
    """What `look` finds, as soon as it finds something; AssertionError when that does not happen.

    An AssertionError in `look` counts as having found nothing yet, and is told in the end.
    """
    deadline = time.monotonic() + seconds
    while True:
        seen = ""
        try:
            if found := look():
                return found
        except AssertionError as error:
            seen = f"; the last look: {error}"
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not happen within {seconds:.0f} s: {what}{seen}")
        time.sleep(0.05)
