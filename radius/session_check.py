"""Whether the sessions that stand in somebody's way are still there.

When the session limit refuses a line, the other sessions may be ghosts: a lost Stop, a NAS that lost its power. So
their NAS is asked, by a CoA that changes nothing. "I have no such session" (Error-Cause 503) closes one at once; no
answer closes it only when its accounting has been silent for longer than an interim update may be late; anything else
means that it lives. Both ends are doubtful: an Interim that comes after all opens the session again (`radius.fold`).

The NAS's lease is held meanwhile, or the question could undo a change that convergence is just making.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select

from core.database import Transaction
from core.job_queue import Job
from core.jobs import handles
from core.leases import hold_lease
from core.logs import get_logger
from core.outcomes import Applied, Outcome, Retry
from core.runtime import Runtime
from radius.codec import Attribute, encode_attributes
from radius.dynauth import DynauthResult, Nak, Target, TimedOut
from radius.dynauth_send import ask, lease_name, target_of
from radius.fold import GONE, STALE
from radius.models import Nas, Session
from radius.policy import Policy
from radius.session_end import end_session
from radius.session_lock import lock_sessions_of
from radius.sessions import open_sessions
from radius.stale import heard_until
from radius.stored_policies import StoredPolicies
from radius.vendors import VENDORS

KIND = "session.check"
PAUSE = timedelta(seconds=10)
"""Between two checks of one subscription: a refused modem tries again every few seconds."""
LATE_INTERIMS = 1.5
LEASE = timedelta(seconds=60)
log = get_logger("radius.session_check")


class Verdict(StrEnum):
    """What an answer says about a session."""

    ALIVE = "alive"
    GONE = "gone"
    STALE = "stale"


def verdict(result: DynauthResult | None, silent: bool) -> Verdict:
    """`result` None: nothing could be sent. `silent`: no accounting for longer than an Interim may be late. Pure."""
    if isinstance(result, Nak) and result.session_unknown:
        return Verdict.GONE
    if silent and (result is None or isinstance(result, TimedOut)):
        return Verdict.STALE
    return Verdict.ALIVE


@dataclass(frozen=True, slots=True)
class Question:
    """An open session, and how its NAS is asked about it; `target` None: it cannot be asked."""

    session_id: int
    updated_at: datetime
    interim: timedelta
    target: Target | None
    identity: tuple[Attribute, ...] = ()
    unchanged: bytes = b""


@handles(KIND)
def check_sessions(runtime: Runtime, job: Job) -> Outcome:
    """Ask about each open session of subscription `job.key`, at most every ten seconds."""
    subscription_id = int(job.key)
    with runtime.database.reading() as tx:
        wait = _too_soon(tx, job)
        nas_ids = sorted({session.nas_id for session in open_sessions(tx, subscription_id=subscription_id)})
    if wait is not None:
        return Retry(wait, "checked a moment ago")
    closed = 0
    for nas_id in nas_ids:
        with hold_lease(runtime.database, lease_name(nas_id), LEASE) as held:
            if not held:
                return Retry(timedelta(milliseconds=500), "another worker holds this NAS's lease")
            closed += _check(runtime, subscription_id, nas_id)
    return Applied(f"{closed} sessions closed")


def _too_soon(tx: Transaction, job: Job) -> timedelta | None:
    """How long to wait until this subscription may be checked again."""
    done = select(func.max(Job.done_at)).where(Job.kind == KIND, Job.key == job.key, Job.status == "done")
    last = tx.session.scalar(done)
    since = None if last is None else tx.now - last
    return PAUSE - since if since is not None and timedelta(0) <= since < PAUSE else None


def _check(runtime: Runtime, subscription_id: int, nas_id: int) -> int:
    """Under the NAS's lease: ask about the subscription's sessions there; gives how many were closed."""
    with runtime.database.reading() as tx:
        questions = _questions(tx, subscription_id, nas_id)
    results = [_put(runtime, question) for question in questions]
    with runtime.database.transaction() as tx:
        lock_sessions_of(tx, [nas_id])
        closed = [_conclude(tx, question, result) for question, result in zip(questions, results, strict=True)]
        if any(closed):
            tx.enqueue("session.changed", str(nas_id))
    return sum(closed)


def _questions(tx: Transaction, subscription_id: int, nas_id: int) -> Sequence[Question]:
    nas = tx.session.get(Nas, nas_id)
    policies = StoredPolicies(tx)
    default = Policy(interim_seconds=tx.settings.interim_seconds)
    sessions = open_sessions(tx, subscription_id=subscription_id, nas_id=nas_id)
    return [_question(session, nas, policies.running(session) or default) for session in sessions]


def _question(session: Session, nas: Nas | None, policy: Policy) -> Question:
    interim = timedelta(seconds=policy.interim_seconds)
    if nas is None or not nas.enabled:
        return Question(session.id, session.updated_at, interim, None)
    vendor = VENDORS[nas.vendor]
    return Question(
        session.id,
        session.updated_at,
        interim,
        target_of(nas, session.nas_address),
        vendor.identification(session.identity),
        encode_attributes(vendor.unchanged(policy)),
    )


def _put(runtime: Runtime, question: Question) -> DynauthResult | None:
    if question.target is None:
        return None
    try:
        return ask(runtime.settings, question.target, question.identity, question.unchanged, runtime.clock())
    except (OSError, ValueError) as error:
        log.warning("a session could not be asked about", session=question.session_id, reason=str(error))
        return None


def _conclude(tx: Transaction, question: Question, result: DynauthResult | None) -> bool:
    """Close the session if the answer says so and nothing was heard of it meanwhile; says whether it was closed."""
    session = tx.session.get(Session, question.session_id, with_for_update=True, populate_existing=True)
    if session is None or session.stopped_at is not None or session.updated_at != question.updated_at:
        return False
    match verdict(result, _silent(tx, question)):
        case Verdict.GONE:
            end_session(tx, session, tx.now, GONE, "Session-Context-Not-Found")
        case Verdict.STALE:
            end_session(tx, session, session.updated_at, STALE, "Lost-Carrier")
        case Verdict.ALIVE:
            return False
    log.info("closed a session that stood in the way", session=session.id, closed_by=session.closed_by)
    return True


def _silent(tx: Transaction, question: Question) -> bool:
    """Whether an Interim is overdue although all accounting until now is known."""
    window = question.interim * LATE_INTERIMS
    horizon = heard_until(tx, window)
    return horizon is not None and question.updated_at < horizon - window


def close_as_gone(tx: Transaction, session: Session) -> None:
    """The NAS does not know this session: it is over, unless accounting says otherwise later."""
    if session.stopped_at is None:
        end_session(tx, session, tx.now, GONE, "Session-Context-Not-Found")
