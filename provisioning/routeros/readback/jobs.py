"""Reading from routers whether live sessions run what a CoA told them; importing this module registers the job.

The job says only which router. It takes the router's lease, as whoever else connects to it does, keeps to its circuit
breaker, and reads nothing but the rows of the sessions in question.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from core.database import Transaction
from core.job_queue import Job
from core.jobs import backoff, handles
from core.logs import get_logger
from core.outcomes import Applied, Outcome, Retry
from core.runtime import Runtime
from provisioning.routeros.alone import alone_with
from provisioning.routeros.connection import Connection, ReadRefused, RouterError, Target
from provisioning.routeros.cycle.breaker import may_try
from provisioning.routeros.cycle.status import note_failure
from provisioning.routeros.driver.session import connect
from provisioning.routeros.models import Router, RouterStatus
from provisioning.routeros.readback.reading import READBACK, Reading, questions_for, record_readings
from provisioning.routeros.readback.rules import (
    ACTIVE,
    ACTIVE_FIELDS,
    AT_ONCE,
    QUEUE_FIELDS,
    QUEUES,
    SETTLING,
    Question,
    active_query,
    is_final,
    queue_query,
    verdict,
)
from provisioning.routeros.routers import target_of

BUSY = timedelta(milliseconds=500)
AGAIN = timedelta(seconds=15)
"""Until the next reading of sessions of which this one told nothing."""
_random = random.SystemRandom()
log = get_logger("provisioning.routeros.readback.reading")


@dataclass(frozen=True, slots=True)
class _Errand:
    nas_id: int
    target: Target
    questions: Sequence[Question]


@handles(READBACK, apart=True)
def read_sessions_back(runtime: Runtime, job: Job) -> Outcome:
    """Read of router `job.key` whether sessions run what was acknowledged; Retry while some reading tells nothing."""
    router_id = int(job.key)
    with alone_with(runtime.database, router_id) as lease:
        if not lease:
            return Retry(BUSY, "another worker is at this router")
        with runtime.database.reading() as tx:
            errand = _errand(tx, router_id)
        if not isinstance(errand, _Errand):
            return errand
        try:
            readings = _read(errand)
        except ReadRefused as error:
            return Retry(backoff(min(job.failures, 8)), f"the router refused to be read: {error}")
        except RouterError as error:
            return _failed(runtime, router_id, error)
        return _conclude(runtime, job, errand, readings)


def _errand(tx: Transaction, router_id: int) -> _Errand | Outcome:
    router = tx.session.get(Router, router_id)
    if router is None or not router.enabled or router.nas_id is None:
        return Applied("the router is gone, disabled or no NAS")
    status = tx.session.get(RouterStatus, router_id)
    if status is not None and status.retry_at is not None and not may_try(status.retry_at, tx.now):
        return Retry(status.retry_at - tx.now, f"the router does not answer: {status.trouble}")
    questions = questions_for(tx, router.nas_id)
    if not questions:
        return Applied("no session is to be read")
    return _Errand(router.nas_id, target_of(router), questions)


def _read(errand: _Errand) -> list[Reading]:
    connection = connect(errand.target)
    try:
        return list(_readings(connection, errand.questions))
    finally:
        connection.close()


def _readings(connection: Connection, questions: Sequence[Question]) -> Iterator[Reading]:
    for start in range(0, len(questions), AT_ONCE):
        some = questions[start : start + AT_ONCE]
        active = connection.read(ACTIVE, ACTIVE_FIELDS, active_query(some))
        queues = connection.read(QUEUES, QUEUE_FIELDS, queue_query(some, active))
        for question in some:
            yield Reading(question, verdict(question, active, queues))


def _failed(runtime: Runtime, router_id: int, error: RouterError) -> Outcome:
    words = str(error) or type(error).__name__
    with runtime.database.transaction() as tx:
        retry_at = note_failure(tx, router_id, words, _random.random())
        return Retry(retry_at - tx.now, words)


def _conclude(runtime: Runtime, job: Job, errand: _Errand, readings: Sequence[Reading]) -> Outcome:
    with runtime.database.transaction() as tx:
        present = set(questions_for(tx, errand.nas_id))  # the facts may have moved on meanwhile
        told = [each for each in readings if each.question in present and is_final(each.question, each.runs, tx.now)]
        record_readings(tx, errand.nas_id, told)
    ignored = [reading.question.login for reading in told if reading.runs is False]
    if ignored:
        log.warning("a router acknowledged CoAs that it did not carry out", router=job.key, sessions=len(ignored))
    left = len(present) - len(told)
    proven = sum(reading.runs is True for reading in told)
    if left:
        soon = any(reading.runs is False for reading in readings if reading not in told)
        return Retry(SETTLING if soon else AGAIN, f"{proven} sessions proven, {left} to be read again")
    return Applied(f"{proven} sessions proven, {len(ignored)} were ignored")
