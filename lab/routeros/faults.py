"""What can go wrong with a router, to be armed by tests and by hand. `after` counts sentences from now on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from lab.routeros.traps import Refusal


class Kind(StrEnum):
    HANG = "hang"
    RESET = "reset"
    FATAL = "fatal"
    POWER_CUT = "power-cut"


@dataclass(slots=True)
class Armed:
    """A fault that strikes at a sentence. `left` sentences go by before it; `times` None: until healed.

    `carried_out`: the command is done all the same, only its answer is missing.
    """

    kind: Kind
    left: int
    carried_out: bool = False
    message: str = ""
    lost_writes: int = 0
    times: int | None = 1


@dataclass(slots=True)
class _Trapping:
    prefix: str
    refusal: Refusal
    times: int | None


class Faults:
    """The faults of one router; for all threads."""

    def __init__(self, refuse: Callable[[bool], None], fill_disk: Callable[[bool], None]) -> None:
        self._refuse, self._fill_disk = refuse, fill_disk
        self._changed = threading.Condition()
        self._armed: list[Armed] = []
        self._trapping: list[_Trapping] = []
        self._hanging = False
        self.delay = 0.0

    # What can be armed

    def hang(self, after: int = 0, *, carried_out: bool = False) -> None:
        """After so many sentences the router answers nobody, until healed; connections stay open."""
        self._arm(Armed(Kind.HANG, after, carried_out))

    def reset(self, after: int = 0, mid_sentence: bool = True, times: int | None = 1) -> None:
        """After so many sentences the connection is reset: in the middle of the next one's answer (the command is
        done), or before that command is done."""
        self._arm(Armed(Kind.RESET, after, mid_sentence, times=times))

    def fatal(self, message: str, after: int = 0) -> None:
        """After so many sentences `!fatal` is the answer, and the connection closes; the command is not done."""
        self._arm(Armed(Kind.FATAL, after, message=message))

    def power_cut(self, after: int = 0, lost_writes: int = 0) -> None:
        """After so many sentences the router restarts; the command is not done, and the last writes are forgotten."""
        self._arm(Armed(Kind.POWER_CUT, after, lost_writes=lost_writes))

    def slow(self, seconds: float) -> None:
        """Each answer takes so long."""
        self.delay = seconds

    def trap(self, path: str, message: str, category: int | None = None, times: int | None = None) -> None:
        """Commands of this menu (or this one command) are refused; so many `times` (None: until healed)."""
        if times is not None and times < 1:
            return
        with self._changed:
            self._trapping.append(_Trapping(path, Refusal(message, category), times))

    def refuse(self) -> None:
        """Nobody gets in: connections end, and new ones are refused."""
        self._refuse(True)

    def no_space(self) -> None:
        """The disk is full: nothing can be written."""
        self._fill_disk(True)

    def heal(self) -> None:
        """None of all that; a router that hung answers again."""
        with self._changed:
            self._armed.clear()
            self._trapping.clear()
            self._hanging, self.delay = False, 0.0
            self._changed.notify_all()
        self._fill_disk(False)
        self._refuse(False)

    def _arm(self, armed: Armed) -> None:
        if armed.times is not None and armed.times < 1:
            return
        with self._changed:
            self._armed.append(armed)

    # What strikes

    @property
    def hanging(self) -> bool:
        """Whether the router has begun to hang."""
        with self._changed:
            return self._hanging

    def wait_until_hanging(self, seconds: float) -> bool:
        """True once it does, which is when the sentence that it hangs at has come."""
        with self._changed:
            return self._changed.wait_for(lambda: self._hanging, seconds)

    def strike(self) -> Armed | None:
        """For the sentence that just came: the fault that meets it."""
        with self._changed:
            if self._hanging:
                return Armed(Kind.HANG, 0)
            due = next((each for each in self._armed if each.left == 0), None)
            for each in self._armed:
                each.left = max(0, each.left - 1)
            if due is not None:
                self._spend(due)
            return due

    def _spend(self, due: Armed) -> None:
        self._hanging = due.kind is Kind.HANG
        self._changed.notify_all()
        if due.times is not None:
            due.times -= 1
            if due.times == 0:
                self._armed.remove(due)

    def refusal(self, command: str) -> Refusal | None:
        """Whether this command is to be refused."""
        with self._changed:
            for each in self._trapping:
                if command == each.prefix or command.startswith(each.prefix.rstrip("/") + "/"):
                    if each.times is not None:
                        each.times -= 1
                        if each.times == 0:
                            self._trapping.remove(each)
                    return each.refusal
        return None

    def wait_until_healed(self, seconds: float) -> bool:
        """True once the router hangs no longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._hanging, seconds)
