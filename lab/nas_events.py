"""What happened at a simulated NAS, in order, so that a story can be told and a test can wait for its next turn."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from core.clock import Clock

_log = logging.getLogger(__name__)
LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Event:
    """One happening. `kind` is one of KINDS, `text` a sentence for people, `number` counts up from 1."""

    kind: str
    at: datetime
    text: str
    detail: Mapping[str, object] = field(default_factory=dict)
    number: int = 0


KINDS = frozenset(
    {
        "dial",
        "accept",
        "reject",
        "no_answer",
        "start",
        "interim",
        "stop",
        "stop_lost",
        "on",
        "off",
        "accounting_unanswered",
        "coa",
        "coa_without_effect",
        "disconnect",
        "nak",
        "repeated",
        "reply_lost",
        "ignored",
    }
)
"""accept, reject, no_answer: to a dial. start … off: accounting that the server acknowledged. coa, disconnect: done
and acknowledged. nak: refused. repeated: a retransmission, answered again. reply_lost: obeyed, but the reply went
astray. ignored: met with silence."""


class EventLog:
    """The last 10,000 events; every method may be called from any thread."""

    def __init__(self, clock: Clock, on_event: Callable[[Event], None] | None = None) -> None:
        self._clock = clock
        self._on_event = on_event
        self._events: deque[Event] = deque(maxlen=LIMIT)
        self._told = 0
        self._changed = threading.Condition()

    def tell(self, kind: str, text: str, **detail: object) -> Event:
        """Append an event, wake who waits, then hand it to the callback (in this thread)."""
        assert kind in KINDS, kind
        with self._changed:
            self._told += 1
            event = Event(kind, self._clock(), text, detail, self._told)
            self._events.append(event)
            self._changed.notify_all()
        if self._on_event:
            try:
                self._on_event(event)
            except Exception:  # a listener's mistake must not end the NAS's threads
                _log.exception("a listener of the simulated NAS failed on %s", event.kind)
        return event

    def snapshot(self) -> list[Event]:
        """The events so far, oldest first."""
        with self._changed:
            return list(self._events)

    @property
    def count(self) -> int:
        """Events told since the beginning; give it to `wait_for` to wait for what is still to come."""
        with self._changed:
            return self._told

    def wait_for(self, predicate: Callable[[Event], bool], timeout: float = 5.0, since: int = 0) -> Event:
        """The first event after number `since` that satisfies `predicate`, awaited for `timeout` seconds.

        TimeoutError, with the events that did come, when there is none.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                later = [event for event in self._events if event.number > since]
                found = next((event for event in later if predicate(event)), None)
                if found:
                    return found
                left = deadline - time.monotonic()
                if left <= 0:
                    told = "\n".join(f"  {event.kind}: {event.text}" for event in later) or "  nothing"
                    raise TimeoutError(f"the awaited event did not come; what came:\n{told}")
                self._changed.wait(left)
