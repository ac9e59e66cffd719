"""What runs on the routers against what should: observing, and writing down how a step ended.

Rows of `Divergence` are what the NOC sees: one for each live session that does not run its policy, or has not yet
proven that it does, with the reason. They go away with the proof or with the session.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, delete, literal, or_, select

from core.database import Transaction
from provisioning.convergence.plan import Action, AwaitProof, EndSession, Nothing, Observed, plan
from provisioning.fact_store import load_known, rules_from
from provisioning.latency.waits import prove_at_nas
from provisioning.models import Divergence, Subscription
from provisioning.routeros.readback.reading import readings_of, routers_of
from provisioning.service_state import answer_at
from radius.dynauth import Ack, DynauthResult, Nak, TimedOut
from radius.models import Nas, Session
from radius.policy import Denial, Grant
from radius.session_check import close_as_gone
from radius.stored_policies import StoredPolicies
from radius.vendors import VENDORS


@dataclass(frozen=True, slots=True)
class Step:
    """One session of a NAS that is not where it should be, and the next action for it."""

    session: Session
    subscription_id: int
    desired: Grant | Denial
    action: Action
    tried_at: datetime | None = None

    @property
    def urgency(self) -> tuple[float, datetime, int]:
        """What to send first: more service before less, so that no mass suspension holds a payment back; then what
        was not tried for longest."""
        download = self.desired.policy.download_bps if isinstance(self.desired, Grant) else 0
        never = datetime.min.replace(tzinfo=UTC)
        return -(download or 0), self.tried_at or never, self.session.id

    @property
    def needs_reading(self) -> bool:
        """Acknowledged by a NAS that cannot prove it over RADIUS: its router's own rows may."""
        awaits = isinstance(self.action, AwaitProof) and self.action.until is None
        return awaits and self.session.acked_fingerprint == self.desired_fingerprint != ""

    @property
    def desired_fingerprint(self) -> str:
        return self.desired.fingerprint if isinstance(self.desired, Grant) else ""


def steps_for_nas(tx: Transaction, nas: Nas) -> list[Step]:
    """Read facts and sessions, and plan each session that seems to differ; those that turn out right are left out."""
    readable = bool(routers_of(tx, nas))
    sessions = _suspects(tx, nas.id, acked=readable)
    answers = _desired(tx, sorted({s.subscription_id for s in sessions if s.subscription_id is not None}))
    policies = StoredPolicies(tx)
    tried = _last_tries(tx, nas.id)
    readings = readings_of(tx, sessions)
    steps = []
    for session in sessions:
        if session.subscription_id not in answers:
            continue
        desired, since = answers[session.subscription_id]
        action = plan(
            observation(session, desired, readings, readable=readable),
            desired,
            since,
            VENDORS[nas.vendor],
            nas.coa_echoes_class,
            policies.get,
            tx.now,
            tx.settings.session_proof,
        )
        if not isinstance(action, Nothing):
            steps.append(Step(session, session.subscription_id, desired, action, tried.get(session.id)))
    return steps


def forget_converged(tx: Transaction, nas_id: int, remaining: Sequence[Step]) -> None:
    """Drop the rows of sessions that have ended or now run what they should; that is the proof of these."""
    kept = [step.session.id for step in remaining]
    tx.session.execute(delete(Divergence).where(Divergence.nas_id == nas_id, Divergence.session_id.not_in(kept)))
    prove_at_nas(tx, nas_id)


def note(tx: Transaction, step: Step) -> None:
    """Put the session on the list of those that differ, before anything is sent."""
    row = _row(tx, step)
    if isinstance(step.action, AwaitProof):
        row.status, row.reason = "acknowledged", step.action.reason
    tx.session.add(row)


def record(tx: Transaction, step: Step, result: DynauthResult | None) -> None:
    """Write down how sending ended; None: nothing could be sent."""
    row = _row(tx, step)
    row.action = "disconnect" if isinstance(step.action, EndSession) else "coa"
    row.attempts += 1
    row.tried_at = tx.now
    row.status, row.reason = _verdict(tx, step, row.action, result)
    tx.session.add(row)


def _row(tx: Transaction, step: Step) -> Divergence:
    """The session's row; begun anew when something else is desired by now."""
    row = tx.session.get(Divergence, step.session.id)
    if row is None:
        row = Divergence(session_id=step.session.id, desired_fingerprint="")
    if row.since is None or row.desired_fingerprint != step.desired_fingerprint:
        row.subscription_id, row.nas_id = step.subscription_id, step.session.nas_id
        row.desired_fingerprint, row.since = step.desired_fingerprint, tx.now
        row.status, row.action, row.reason, row.attempts, row.tried_at = "pending", "", "", 0, None
    return row


def _verdict(tx: Transaction, step: Step, action: str, result: DynauthResult | None) -> tuple[str, str]:
    session = tx.session.get_one(Session, step.session.id, with_for_update=True)
    match result:
        case Ack() if action == "coa":
            session.acked_fingerprint, session.acked_at = step.desired_fingerprint, tx.now
            return "acknowledged", "CoA acknowledged, proof awaited"
        case Ack():
            session.disconnect_acked_at = tx.now
            return "acknowledged", "Disconnect acknowledged, Accounting-Stop awaited"
        case Nak() if result.session_unknown:
            close_as_gone(tx, session)
            return "acknowledged", "the NAS no longer has this session"
        case Nak():
            if action == "coa":
                session.refused_fingerprint = step.desired_fingerprint
            return "failing", f"the NAS refused the {action}: {result.name}"
        case TimedOut():
            hint = ", its port is closed" if result.refused else f": {result.detail}" if result.detail else ""
            return "failing", f"the NAS did not answer {result.tries} times{hint}"
    return "failing", "the request could not be sent"


def _suspects(tx: Transaction, nas_id: int, *, acked: bool) -> Sequence[Session]:
    """Open sessions whose accounting does not show what their subscription should run.

    `acked`: also those that have acknowledged a CoA, because another observer can tell what they run.
    """
    query = (
        select(Session)
        .join(Subscription, Subscription.id == Session.subscription_id)
        .where(
            Session.nas_id == nas_id,
            Session.stopped_at.is_(None),
            or_(
                Session.granted_fingerprint != Subscription.desired_fingerprint,
                Subscription.desired_fingerprint == "",  # it has to end, even where the NAS echoed no Class
                and_(
                    Session.acked_fingerprint != "",
                    Session.acked_fingerprint != Subscription.desired_fingerprint,
                ),
                Subscription.next_change_at <= tx.now,
                and_(literal(acked), Session.acked_fingerprint != ""),
            ),
        )
        .order_by(Session.id)
    )
    return tx.session.scalars(query).all()


def _desired(tx: Transaction, ids: Sequence[int]) -> dict[int, tuple[Grant | Denial, datetime]]:
    """What each subscription should run at `tx.now`, from the facts, and since when it has been so."""
    rules = rules_from(tx.settings)
    query = select(Subscription.id, Subscription.desired_since).where(Subscription.id.in_(ids))
    since = {row.id: row.desired_since for row in tx.session.execute(query)}
    return {
        known.subscription_id: (answer_at(known.facts, rules, tx.now), since[known.subscription_id])
        for known in load_known(tx, ids)
    }


def _last_tries(tx: Transaction, nas_id: int) -> dict[int, datetime]:
    query = select(Divergence.session_id, Divergence.tried_at).where(
        Divergence.nas_id == nas_id, Divergence.tried_at.is_not(None)
    )
    return {row.session_id: row.tried_at for row in tx.session.execute(query)}


def observation(
    session: Session,
    desired: Grant | Denial,
    readings: Mapping[int, bool | None] | None = None,
    *,
    readable: bool = False,
) -> Observed:
    """What is known of a session, as the plan wants it; `readings` as `readback.readings_of` gives them."""
    readings = readings or {}
    fingerprint = desired.fingerprint if isinstance(desired, Grant) else ""
    return Observed(
        started_at=session.started_at,
        seen_at=session.updated_at,
        granted=session.granted_fingerprint,
        acked=session.acked_fingerprint,
        acked_at=session.acked_at,
        disconnect_acked_at=session.disconnect_acked_at,
        refused_coa=bool(fingerprint) and session.refused_fingerprint == fingerprint,
        read_to_run=readings.get(session.id),
        to_be_read=readable and session.id not in readings,
    )


def divergences(tx: Transaction, *, after: int = 0, limit: int = 100) -> Sequence[Any]:
    """Sessions that do not (provably) run what they should, for the NOC."""
    query = select(Divergence).where(Divergence.session_id > after).order_by(Divergence.session_id).limit(limit)
    return tx.session.scalars(query).all()
