"""Holding the live sessions of one NAS at their desired state.

Level-triggered: the job says only which NAS. One holder of the NAS's lease at a time reads the facts, observes, plans,
sends, and writes down the answers; then looks again, because what it sent may already have been proven, or the
facts may have moved on. Nothing is sent before every RADIUS host has the records that the next session will meet.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import islice

from core.job_queue import Job
from core.jobs import backoff, handles
from core.leases import hold_lease
from core.logs import get_logger
from core.outcomes import Applied, Outcome, Retry
from core.runtime import Runtime
from provisioning.admission import learn_at_nas
from provisioning.convergence.plan import AwaitProof, ChangeSession
from provisioning.convergence.steps import Step, forget_converged, note, record, steps_for_nas
from provisioning.models import Divergence
from provisioning.routeros.readback.reading import ask_for_readback
from radius import replica
from radius.attributes import CLASS
from radius.codec import encode_attributes
from radius.dynauth import DynauthResult, TimedOut
from radius.dynauth_send import ask, lease_name, target_of
from radius.models import Nas
from radius.policy import Grant
from radius.records import class_value
from radius.session_lock import lock_sessions_of
from radius.vendors import VENDORS

AT_ONCE = 8
TURN_SECONDS = 20.0
LEASE = timedelta(seconds=120)
LEASE_TRIES, LEASE_PAUSE_SECONDS = 20, 0.05
REPLICA_PATIENCE = timedelta(seconds=2)
log = get_logger("provisioning.convergence.converge")


@handles("session.changed")
def converge_after_session(runtime: Runtime, job: Job) -> Outcome:
    """A session opened, closed or shows another policy: look at its NAS (`job.key`) again."""
    learn_at_nas(runtime, int(job.key))
    with runtime.database.transaction() as tx:
        tx.enqueue("converge", job.key)
    return Applied()


@handles("converge")
def converge_nas(runtime: Runtime, job: Job) -> Outcome:
    """Bring the sessions of NAS `job.key` to what the facts demand; Retry until all of them are proven."""
    nas_id = int(job.key)
    for _ in range(LEASE_TRIES):
        with hold_lease(runtime.database, lease_name(nas_id), LEASE) as held:
            if held:
                return _converge(runtime, nas_id, job.failures)
        time.sleep(LEASE_PAUSE_SECONDS)
    return Retry(timedelta(milliseconds=500), "another worker holds this NAS's lease")


def _converge(runtime: Runtime, nas_id: int, failures: int) -> Outcome:
    with runtime.database.transaction() as tx:
        nas = tx.session.get(Nas, nas_id)
        if nas is None or not nas.enabled:
            return Applied("the NAS is gone or disabled")
        steps = steps_for_nas(tx, nas)
        forget_converged(tx, nas_id, steps)
        for step in steps:
            note(tx, step)
        revision = replica.current_revision(tx)
        tx.session.flush()
        tx.session.expunge_all()
    to_send = [step for step in steps if not isinstance(step.action, AwaitProof)]
    if to_send:
        replica.wait_until_replicated(runtime.database, revision, REPLICA_PATIENCE)
        if not _send(runtime, nas, to_send):
            return Retry(backoff(failures), f"the NAS does not answer; {len(to_send)} sessions wait")
    return _verdict(runtime, nas, steps)


def _send(runtime: Runtime, nas: Nas, steps: Sequence[Step]) -> bool:
    """Send the most urgent first, in batches; False when a whole batch got no answer: the NAS is away.

    After `TURN_SECONDS` the rest waits for the next turn, which reads the facts again: who paid meanwhile goes first.
    """
    until = time.monotonic() + TURN_SECONDS
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="coa") as pool:
        for batch in _batches(sorted(steps, key=lambda step: step.urgency)):
            results = list(pool.map(lambda step: _send_one(runtime, nas, step), batch))
            _record(runtime, list(zip(batch, results, strict=True)))
            if all(isinstance(result, TimedOut) for result in results):
                log.warning("NAS does not answer CoA", nas=nas.name, sessions_waiting=len(steps))
                return False
            if time.monotonic() > until:
                break
    return True


def _send_one(runtime: Runtime, nas: Nas, step: Step) -> DynauthResult | None:
    target = target_of(nas, step.session.nas_address)
    identity = VENDORS[nas.vendor].identification(step.session.identity)
    try:
        changes = _changes(nas, step) if isinstance(step.action, ChangeSession) else None
        return ask(runtime.settings, target, identity, changes, runtime.clock())
    except (OSError, ValueError) as error:
        log.warning("CoA could not be sent", nas=nas.name, reason=str(error))
        return None


def _record(runtime: Runtime, ended: Sequence[tuple[Step, DynauthResult | None]]) -> None:
    with runtime.database.transaction() as tx:
        lock_sessions_of(tx, {step.session.nas_id for step, _ in ended})
        for step, result in ended:
            record(tx, step, result)


def _verdict(runtime: Runtime, nas: Nas, planned: Sequence[Step]) -> Outcome:
    """Look again: done when nothing is left that time or another try would change."""
    with runtime.database.transaction() as tx:
        left = steps_for_nas(tx, nas)
        forget_converged(tx, nas.id, left)
        if any(step.needs_reading for step in left):
            ask_for_readback(tx, nas)
        waiting = [step.action.until for step in left if isinstance(step.action, AwaitProof)]
        acting = [step for step in left if not isinstance(step.action, AwaitProof)]
        rows = [tx.session.get(Divergence, step.session.id) for step in acting]
        attempts = min((row.attempts if row else 0 for row in rows), default=0)
        due = min((until for until in waiting if until is not None), default=None)
        now = tx.now
    if acting:
        return Retry(backoff(attempts) if attempts else timedelta(0), f"{len(acting)} sessions to converge")
    if due is not None:
        return Retry(max(due - now, timedelta(seconds=1)), f"{len(waiting)} sessions to be proven")
    return Applied(f"{len(planned)} sessions seen to")


def _changes(nas: Nas, step: Step) -> bytes:
    """What a CoA says: the changes, and the Class of the new policy where the NAS does not refuse a CoA for it.

    A NAS that adopts the Class proves the change with its next accounting record.
    """
    if not isinstance(step.action, ChangeSession) or not isinstance(step.desired, Grant):
        raise TypeError("only a grant can be reached by CoA")
    attributes = list(step.action.attributes)
    if VENDORS[nas.vendor].class_by_coa or nas.coa_echoes_class:
        attributes.append((CLASS, class_value(step.subscription_id, step.desired)))
    return encode_attributes(attributes)


def _batches(steps: Sequence[Step]) -> Iterator[list[Step]]:
    rest = iter(steps)
    while batch := list(islice(rest, 2 * AT_ONCE)):
        yield batch
