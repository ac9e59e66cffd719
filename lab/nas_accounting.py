"""The accounting of a simulated NAS: one record at a time, in order, each until acknowledged or given up."""

from __future__ import annotations

import threading

from core.clock import Clock
from lab.nas_events import EventLog
from lab.nas_packets import NasIdentity, accounting_attributes, nas_accounting_attributes
from lab.nas_session import Session
from lab.radius_client import RadiusClient
from radius.attributes import (
    ACCT_STATUS_ACCOUNTING_OFF,
    ACCT_STATUS_ACCOUNTING_ON,
    ACCT_STATUS_INTERIM_UPDATE,
    ACCT_STATUS_START,
    ACCT_STATUS_STOP,
)
from radius.codec import Attribute

_KINDS = {
    ACCT_STATUS_START: "start",
    ACCT_STATUS_INTERIM_UPDATE: "interim",
    ACCT_STATUS_STOP: "stop",
    ACCT_STATUS_ACCOUNTING_ON: "on",
    ACCT_STATUS_ACCOUNTING_OFF: "off",
}


class Accounting:
    """Sends records and tells of each whether the server acknowledged it (True) or not (False)."""

    def __init__(self, client: RadiusClient, nas: NasIdentity, events: EventLog, clock: Clock) -> None:
        self._client = client
        self._nas = nas
        self._events = events
        self._clock = clock
        self._turn = threading.Lock()

    def start(self, session: Session) -> bool:
        return self._record(ACCT_STATUS_START, session)

    def interim(self, session: Session) -> bool:
        """Nothing is sent for a session that has ended meanwhile: no record may follow its Stop."""
        return self._record(ACCT_STATUS_INTERIM_UPDATE, session)

    def stop(self, session: Session, terminate_cause: int) -> bool:
        return self._record(ACCT_STATUS_STOP, session, terminate_cause)

    def nas_is(self, status: int) -> bool:
        """Accounting-On or -Off."""
        with self._turn:
            attributes = nas_accounting_attributes(self._nas, status, self._clock())
            return self._send(status, attributes, "the whole NAS")

    def _record(self, status: int, session: Session, terminate_cause: int = 0) -> bool:
        with self._turn:
            if not session.live and status == ACCT_STATUS_INTERIM_UPDATE:
                return False
            session.updated = self._clock()
            attributes = accounting_attributes(self._nas, status, session, session.updated, terminate_cause)
            return self._send(status, attributes, session.user, session.acct_session_id, terminate_cause)

    def _send(
        self, status: int, attributes: list[Attribute], subject: str, session_id: str = "", terminate_cause: int = 0
    ) -> bool:
        acknowledged = self._client.account(attributes)
        name = _KINDS[status]
        detail = {"user": subject, "session": session_id, "record": name, "terminate_cause": terminate_cause}
        if acknowledged:
            self._events.tell(name, f"accounting {name} of {subject} acknowledged", **detail)
        else:
            self._events.tell("accounting_unanswered", f"nobody acknowledged accounting {name} of {subject}", **detail)
        return acknowledged
