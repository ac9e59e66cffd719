"""A simulated NAS: real RADIUS over real sockets, without a router.

It dials for its subscribers (PAP, CHAP, MS-CHAPv2, MAC), accounts for their sessions, and obeys CoA and Disconnect
as a MikroTik does. Tests and the `lab` command see with it what a policy looks like from the far end of the wire,
so it believes nothing that the protocol does not prove, and its `faults` give the trouble that real routers give.

Two threads work behind it: one answers CoA and Disconnect, one does what the NAS does by itself (periodic Interims,
the Interim after a CoA, the Stop after a Disconnect, and the subscriber's router dialling again). Periods of sessions
follow the clock that the NAS was given, so that a rehearsed month has its interims; short delays are real seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from ipaddress import IPv4Network, ip_address
from typing import Self

from core.clock import Clock, system_clock
from lab.nas_accounting import Accounting
from lab.nas_chores import Chores
from lab.nas_dial import Dialler, DialResult, NoAnswer, Rejected
from lab.nas_dynauth import INVALID_ATTRIBUTE_VALUE, Faults, Order, Refusal, Silence, apply_changes, judge
from lab.nas_events import Event, EventLog
from lab.nas_listener import DynauthListener
from lab.nas_packets import ADMIN_RESET, SESSION_TIMEOUT_REACHED, USER_REQUEST, NasIdentity
from lab.nas_session import DIALECTS, Session
from lab.nas_table import Line, Method, SessionTable
from lab.radius_client import RadiusClient
from radius.attributes import ACCT_STATUS_ACCOUNTING_OFF, ACCT_STATUS_ACCOUNTING_ON, COA_REQUEST, PROXY_STATE
from radius.authenticators import Authenticators
from radius.codec import encode_attributes
from radius.dynauth_packets import ERROR_CAUSES, reply_to

__all__ = ["DialResult", "Event", "Faults", "NoAnswer", "Rejected", "Session", "SimulatedNas"]


class SimulatedNas:
    """One NAS; a context manager.

    `server` is (address, authentication port, accounting port); `address` is the NAS's own, which it sends from and
    reports as NAS-IP-Address. `coa_port` 0 takes any free one: see `coa_address`. `interim_seconds` None: as the
    Access-Accept says, 0: never. `echoes_class`: a Class in a CoA replaces the session's (RFC 5176 §3.6).
    `redial_seconds`: how long a disconnected subscriber's router waits before it dials again, up to `redial_tries`
    times; None: it does not. `faults` and `redial_seconds` may be changed at any time.
    """

    def __init__(
        self,
        server: tuple[str, int, int],
        secret: bytes,
        address: str = "127.0.0.1",
        coa_port: int = 0,
        vendor: str = "mikrotik",
        clock: Clock = system_clock,
        *,
        interim_seconds: int | None = None,
        nas_identifier: str = "lab-nas",
        pool: str = "100.64.0.0/24",
        echoes_class: bool = True,
        redial_seconds: float | None = 0.2,
        redial_tries: int = 3,
        coa_interim_seconds: float = 0.05,
        timeout: float = 1.0,
        tries: int = 3,
        requires_message_authenticator: bool = True,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self.faults = Faults()
        self.echoes_class = echoes_class
        self.redial_seconds = redial_seconds
        self._redial_tries = redial_tries
        self._coa_interim_seconds = coa_interim_seconds
        self._interim_seconds = interim_seconds
        self._address, self._coa_port, self._clock = address, coa_port, clock
        self._dialect = DIALECTS[vendor]
        self._nas = NasIdentity(ip_address(address), nas_identifier)
        self._owner = Authenticators(secret)
        self._events = EventLog(clock, on_event)
        self._table = SessionTable(IPv4Network(pool))
        self._client = RadiusClient(server, secret, address, timeout, tries, requires_message_authenticator)
        self._accounting = Accounting(self._client, self._nas, self._events, clock)
        self._dialler = Dialler(
            self._client, self._nas, self._dialect, self._table, self._accounting, self._events, clock
        )
        self._chores = Chores(self._tick)

    def __enter__(self) -> Self:
        self._listener = DynauthListener(self._address, self._coa_port, self._answer, self._may_send)
        self._listener.start()
        self._chores.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """The NAS goes dark: nothing more is sent, sessions are left as they are. Takes less than a second."""
        self._client.close()
        self._listener.close(0.4)
        self._chores.close(0.5)

    @property
    def coa_address(self) -> tuple[str, int]:
        """Where CoA and Disconnect are to be sent."""
        return self._address, self._listener.port

    @property
    def sessions(self) -> list[Session]:
        """The live sessions, oldest first; the objects stay the same and change as the sessions do."""
        return self._table.live

    @property
    def events(self) -> list[Event]:
        """What happened so far, oldest first (the last 10,000)."""
        return self._events.snapshot()

    @property
    def event_count(self) -> int:
        """Number of the latest event; `wait_for(…, since=…)` then waits for later ones."""
        return self._events.count

    def wait_for(self, predicate: Callable[[Event], bool], timeout: float = 5.0, since: int = 0) -> Event:
        """The first event after number `since` that satisfies `predicate`; TimeoutError when none comes in time."""
        return self._events.wait_for(predicate, timeout, since)

    def dial(
        self, user: str, password: str | bytes, method: Method = "pap", calling_station_id: str = ""
    ) -> DialResult:
        """Authenticate a subscriber; when accepted the session is up and its Start was sent.

        `calling_station_id` "" makes one up; for `mac` it is the user (a MAC address) as RouterOS's DHCP server
        writes it, `1:0:e1:…`, and the password is usually empty.
        """
        return self._dialler.dial(self._dialler.line(user, password, method, calling_station_id))

    def hang_up(self, session: Session) -> None:
        """The subscriber goes offline by themselves: a Stop (User-Request), and no dialling again."""
        if self._table.end(session):
            self._stop(session, USER_REQUEST)

    def interim(self) -> None:
        """Send an Interim-Update for every live session now."""
        for session in self.sessions:
            self._accounting.interim(session)

    def carry(self, session: Session, *, octets_down: int = 0, octets_up: int = 0) -> None:
        """Let a subscriber receive and send that much traffic."""
        self._table.count_traffic(session, octets_down, octets_up)

    def accounting_on(self) -> None:
        """The NAS has restarted: its sessions are gone, without a Stop, and it says Accounting-On."""
        self._forget_sessions()
        self._accounting.nas_is(ACCT_STATUS_ACCOUNTING_ON)

    def accounting_off(self) -> None:
        """The NAS is about to go down: its sessions end, without a Stop, and it says Accounting-Off."""
        self._forget_sessions()
        self._accounting.nas_is(ACCT_STATUS_ACCOUNTING_OFF)

    def _forget_sessions(self) -> None:
        for session in self.sessions:
            self._table.end(session)

    def _stop(self, session: Session, terminate_cause: int) -> None:
        if self.faults.lose_stop:
            self._events.tell("stop_lost", f"the Stop of {session.user} was lost", session=session.acct_session_id)
        else:
            self._accounting.stop(session, terminate_cause)

    def _answer(self, datagram: bytes) -> bytes | None:
        """Obey one CoA or Disconnect; the reply's octets, None for silence."""
        verdict = judge(self._owner, datagram, self.sessions, self._nas, self.faults, self._clock())
        if isinstance(verdict, Silence):
            self._events.tell("ignored", f"a request is ignored: {verdict.reason}", reason=verdict.reason)
            return None
        cause = verdict.error_cause if isinstance(verdict, Refusal) else self._obey(verdict)
        if cause is not None:
            name = ERROR_CAUSES.get(cause, str(cause))
            self._events.tell("nak", f"a request is refused: {name}", error_cause=cause, code=verdict.request.code)
        proxy_states = [(PROXY_STATE, value) for value in verdict.request.every(PROXY_STATE)]
        return reply_to(self._owner, verdict.request, cause, encode_attributes(proxy_states))

    def _may_send(self, repeated: bool) -> bool:
        if self.faults.mute:
            self._events.tell("ignored", "a retransmission is ignored: mute", reason="mute")
            return False
        if repeated:
            self._events.tell("repeated", "a retransmission is answered once more")
        if self.faults.lose_replies:
            self.faults.lose_replies -= 1
            self._events.tell("reply_lost", "a reply is lost on its way")
            return False
        return True

    def _obey(self, order: Order) -> int | None:
        """Error-Cause when it cannot be done after all."""
        session = order.session
        if order.request.code == COA_REQUEST:
            return self._change(order)
        line = self._table.end(session)
        self._events.tell("disconnect", f"{session.user} is cut off", **_names(session))
        self._chores.after(0, lambda: self._finish(session, line, ADMIN_RESET))
        return None

    def _change(self, order: Order) -> int | None:
        session = order.session
        changed: list[str] = []
        if not self.faults.ack_but_ignore:
            try:
                changed = apply_changes(
                    session, order.request, self._dialect, self._clock(), echoes_class=self.echoes_class
                )
            except ValueError:
                return INVALID_ATTRIBUTE_VALUE
        if changed:
            text = f"{session.user} now has {session.speed}, without a new session"
            self._events.tell("coa", text, changed=tuple(changed), **_names(session))
            self._chores.after(self._coa_interim_seconds, lambda: self._accounting.interim(session))
        else:
            text = f"a change for {session.user} is acknowledged and changes nothing"
            self._events.tell("coa_without_effect", text, **_names(session))
        return None

    def _finish(self, session: Session, line: Line | None, terminate_cause: int) -> None:
        """After a session was ended by the NAS: its Stop, and later the subscriber's router dials again."""
        if line is not None:
            self._stop(session, terminate_cause)
            self._dial_again(line, self._redial_tries)

    def _dial_again(self, line: Line, tries: int) -> None:
        if tries and self.redial_seconds is not None:
            self._chores.after(self.redial_seconds, lambda: self._redial(line, tries))

    def _redial(self, line: Line, tries: int) -> None:
        if not isinstance(self._dialler.dial(line), Session):
            self._dial_again(line, tries - 1)

    def _tick(self) -> None:
        """What is due by the NAS's clock: sessions at their timeout, and periodic Interims."""
        now = self._clock()
        for session in self.sessions:
            if session.ends_at is not None and session.ends_at <= now:
                self._finish(session, self._table.end(session), SESSION_TIMEOUT_REACHED)
            elif self._interim_is_due(session, now):
                self._accounting.interim(session)

    def _interim_is_due(self, session: Session, now: datetime) -> bool:
        period = session.interim_seconds if self._interim_seconds is None else self._interim_seconds
        return bool(period and session.updated and session.updated + timedelta(seconds=period) <= now)


def _names(session: Session) -> dict[str, object]:
    return {"user": session.user, "session": session.acct_session_id}
