"""Watching the clocks that suspensions are decided by: this machine's, and the product's own.

The machine's is compared with its seconds since boot; a rehearsal that hurries the product's clock does not touch it.
The product's may run ahead as it likes but not back, over all hosts and restarts. A jump raises the alarm `clock-jump`.
From then on the mark before it stays what everything is compared with, until a person clears the alarm (the new time is
right) or the clock is back (the alarm ends by itself).
"""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy import BigInteger, Float, String
from sqlalchemy.orm import Mapped, mapped_column

from core.alarms import Alarm, end_alarm, raise_alarm
from core.clock import system_clock
from core.clock_guard import Mark, clock_jump, jump_in_words
from core.columns import UtcDateTime
from core.database import Base, Transaction
from core.jobs import every
from core.runtime import Runtime
from core.turns import take_turn

KIND = "clock-jump"
PRODUCT = "product"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class ClockMark(Base):
    """The last mark of one clock that was in order; `alarm_id` while it is out of order."""

    __tablename__ = "clock_mark"

    clock: Mapped[str] = mapped_column(String(80), primary_key=True)
    wall: Mapped[datetime] = mapped_column(UtcDateTime)
    boot_id: Mapped[str] = mapped_column(String(36))
    uptime: Mapped[float] = mapped_column(Float)
    alarm_id: Mapped[int | None] = mapped_column(BigInteger)

    @property
    def mark(self) -> Mark:
        return Mark(self.wall, self.boot_id, self.uptime)


@every(30, "clock-marks")
def mark_clocks(runtime: Runtime) -> None:
    with runtime.database.transaction() as tx:
        watch_clocks(tx)


def watch_clocks(tx: Transaction, marks: Mapping[str, Mark] | None = None) -> None:
    """Compare each clock with its last mark; alarms where it jumped, else a new mark. `marks`: instead of real ones."""
    taken = {_machine(): machine_mark(), PRODUCT: Mark(tx.now)} if marks is None else marks
    take_turn(tx, "clock-marks")
    for clock, now in sorted(taken.items()):
        _watch(tx, clock, now)
    tx.session.flush()


def machine_mark() -> Mark:
    """This machine now. Without /proc it has no boot to compare with, and only a step back is noticed."""
    try:
        boot_id = _BOOT_ID.read_text("ascii").strip()
        return Mark(system_clock(), boot_id, time.clock_gettime(time.CLOCK_BOOTTIME))
    except (OSError, AttributeError):
        return Mark(system_clock())


def _machine() -> str:
    return f"machine {platform.node()}"[:80]


def _watch(tx: Transaction, clock: str, now: Mark) -> None:
    row = tx.session.get(ClockMark, clock, with_for_update=True, populate_existing=True)
    if row is None:
        tx.session.add(ClockMark(clock=clock, wall=now.wall, boot_id=now.boot_id, uptime=now.uptime))
        return
    jump = clock_jump(row.mark, now)
    if jump is not None and not _accepted(tx, row):
        words = f"the clock of {clock} jumped {jump_in_words(jump)}, to {now.wall:%Y-%m-%d %H:%M} UTC"
        row.alarm_id = raise_alarm(tx, KIND, clock, detail=words).id
        return
    if jump is None and row.alarm_id is not None:
        end_alarm(tx, KIND, clock, note="the clock is back")
    row.wall, row.boot_id, row.uptime, row.alarm_id = now.wall, now.boot_id, now.uptime, None


def _accepted(tx: Transaction, row: ClockMark) -> bool:
    """Whether a person has cleared the alarm of this jump: then the new time is the right one."""
    alarm = tx.session.get(Alarm, row.alarm_id) if row.alarm_id is not None else None
    return alarm is not None and alarm.cleared_at is not None
