"""Sessions whose NAS acknowledged a CoA that it cannot prove over RADIUS: which to read from the router, what was read.

RouterOS adopts no Class from a CoA, so its accounting goes on to show the old one. Where the NAS is also a router that
we can read, its queues are the proof. The reading stands beside the session and changes nothing of what accounting
said: the next Interim-Update with the old Class takes nothing back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, insert, select

from core.among import among
from core.database import Transaction
from provisioning.models import Subscription
from provisioning.routeros.models import Router
from provisioning.routeros.readback.models import SessionReadback
from provisioning.routeros.readback.rules import Question, rate_of, tells
from radius.models import Nas, Session
from radius.stored_policies import StoredPolicies

READBACK = "router.readback"
MOST = 500
_VENDOR = "mikrotik"


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a session; `runs` as `SessionReadback` has it."""

    question: Question
    runs: bool | None


def ask_for_readback(tx: Transaction, nas: Nas) -> None:
    """Have the routers read that this NAS is, if there are any."""
    for router_id in routers_of(tx, nas):
        tx.enqueue(READBACK, str(router_id))


def routers_of(tx: Transaction, nas: Nas) -> Sequence[int]:
    """The routers whose rows can prove what this NAS acknowledges; none where its accounting does."""
    if nas.vendor != _VENDOR or nas.coa_echoes_class:
        return ()
    query = select(Router.id).where(Router.nas_id == nas.id, Router.enabled)
    return tx.session.scalars(query.order_by(Router.id)).all()


def can_be_read() -> ColumnElement[bool]:
    """The same of a session's NAS, in a query of sessions."""
    query = select(Router.id).join(Nas, Nas.id == Router.nas_id)
    mine = (Router.nas_id == Session.nas_id, Router.enabled, Nas.vendor == _VENDOR, Nas.coa_echoes_class.is_(False))
    return query.where(*mine).exists()


def was_read(*said: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether what a session acknowledged last was read (and `said` holds of the reading), in a query of sessions."""
    query = select(SessionReadback.session_id).where(
        SessionReadback.session_id == Session.id,
        SessionReadback.fingerprint == Session.acked_fingerprint,
        SessionReadback.read_at >= Session.acked_at,
        *said,
    )
    return query.exists()


def questions_for(tx: Transaction, nas_id: int) -> list[Question]:
    """The sessions of this NAS that acknowledged what they should run and of which no reading tells, oldest first."""
    query = (
        select(Session)
        .join(Subscription, Subscription.id == Session.subscription_id)
        .where(
            Session.nas_id == nas_id,
            Session.stopped_at.is_(None),
            Session.acked_fingerprint != "",
            Session.acked_fingerprint == Subscription.desired_fingerprint,
            Session.acked_at.is_not(None),
            ~was_read(),
        )
        .order_by(Session.acked_at, Session.id)
        .limit(MOST)
    )
    policies = StoredPolicies(tx)
    asked = (_question(session, policies) for session in tx.session.scalars(query))
    return [question for question in asked if question is not None]


def record_readings(tx: Transaction, nas_id: int, readings: Collection[Reading]) -> None:
    """Write down what was read, and have the NAS converge: proven sessions leave the list, the others are ended."""
    if not readings:
        return
    ids = [reading.question.session_id for reading in readings]
    tx.session.execute(delete(SessionReadback).where(among(tx.session, SessionReadback.session_id, ids)))
    rows = [
        {
            "session_id": reading.question.session_id,
            "fingerprint": reading.question.fingerprint,
            "runs": reading.runs,
            "read_at": tx.now,
        }
        for reading in readings
    ]
    tx.session.execute(insert(SessionReadback), rows)
    tx.enqueue("converge", str(nas_id))


def readings_of(tx: Transaction, sessions: Collection[Session]) -> Mapping[int, bool | None]:
    """By session, whether it was read to run what its NAS acknowledged last; those that nobody read are missing."""
    acked = {session.id: session for session in sessions if session.acked_fingerprint}
    if not acked:
        return {}
    rows = tx.session.scalars(select(SessionReadback).where(among(tx.session, SessionReadback.session_id, acked)))
    return {row.session_id: row.runs for row in rows if _tells_of(row, acked[row.session_id])}


def _tells_of(row: SessionReadback, session: Session) -> bool:
    acked_at = session.acked_at
    return row.fingerprint == session.acked_fingerprint and acked_at is not None and row.read_at >= acked_at


def _question(session: Session, policies: StoredPolicies) -> Question | None:
    """None where the router's rows could not prove it."""
    after = policies.get(session.acked_fingerprint.partition(".")[0])
    before = policies.get(session.granted_fingerprint.partition(".")[0]) if session.granted_fingerprint else None
    if after is None or session.acked_at is None or not tells(before, after):
        return None
    address = "" if session.framed_ip_address is None else str(session.framed_ip_address)
    return Question(session.id, session.user_name, address, session.acked_fingerprint, rate_of(after), session.acked_at)
