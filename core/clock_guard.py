"""Whether a clock has jumped, told from two marks of it. Pure.

A machine counts its seconds since boot apart from its wall clock, also while it sleeps (CLOCK_BOOTTIME). Between two
marks of one boot both must have advanced alike: what is between them is the jump. Over a reboot, and for a clock that
has no such counter, nobody knows how long the machine was down, so only a step back is certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

TOLERANCE = timedelta(hours=1)
"""More than this is a jump: less is what time servers and leap seconds do, and moves no due date."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a clock said at one moment: its wall instant (UTC), its boot ("": it has no counter), seconds since then."""

    wall: datetime
    boot_id: str = ""
    uptime: float = 0.0


def clock_jump(before: Mark, now: Mark) -> timedelta | None:
    """How far the wall clock jumped between two marks (positive: forward), or None where it did not."""
    passed = now.wall - before.wall
    if before.boot_id and before.boot_id == now.boot_id:
        jump = passed - timedelta(seconds=now.uptime - before.uptime)
    else:
        jump = min(passed, timedelta(0))
    return jump if abs(jump) > TOLERANCE else None


def jump_in_words(jump: timedelta) -> str:
    """`forward by 2 d 3 h 5 min`."""
    minutes = round(abs(jump).total_seconds() / 60)
    parts = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "min"))
    text = " ".join(f"{count} {unit}" for count, unit in parts if count)
    return f"{'forward' if jump > timedelta(0) else 'back'} by {text}"
