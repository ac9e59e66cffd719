"""A trouble that has to be heard: logged when it begins, again and again while it lasts, and when it is over."""

from __future__ import annotations

import logging

AGAIN_SECONDS = 10.0


class Alarm:
    """One kind of trouble, told to `log`. Ticks are monotonic seconds. One thread's."""

    def __init__(self, log: logging.Logger, what: str) -> None:
        """`what` is a sentence's beginning, such as "accounting is not acknowledged"."""
        self._log = log
        self._what = what
        self._since: float | None = None
        self._again_at = 0.0
        self._times = 0

    @property
    def rings(self) -> bool:
        """Whether the trouble lasts."""
        return self._since is not None

    def ring(self, why: object, tick: float) -> None:
        """It happened (again) at `tick`."""
        self._times += 1
        if self._since is None:
            self._since, self._again_at = tick, tick + AGAIN_SECONDS
            self._log.error("%s: %s", self._what, why)
        elif tick >= self._again_at:
            self._again_at = tick + AGAIN_SECONDS
            self._log.error("%s for %.0f s, %d times: %s", self._what, tick - self._since, self._times, why)

    def end(self, tick: float) -> None:
        """It went well at `tick`."""
        if self._since is not None:
            self._log.warning("over after %.0f s and %d times: %s", tick - self._since, self._times, self._what)
            self._since, self._times = None, 0
