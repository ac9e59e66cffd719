"""One turn at a router: read it, plan, do the plan, read again what was touched, write down how each one stands.

Level-triggered: nothing is carried over from one cycle to the next but the facts and what the router shows, so a cycle
that was cut off anywhere is made good by the next. One holder of the router's lease at a time talks to it.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from random import SystemRandom

from core.database import Transaction
from core.jobs import backoff
from core.leases import KeptLease
from core.logs import get_logger
from core.outcomes import Applied, Outcome, Retry
from core.runtime import Runtime
from provisioning.latency.waits import prove
from provisioning.routeros.alone import alone_with
from provisioning.routeros.connection import Connection, RouterError
from provisioning.routeros.cycle.apply_report import ApplyReport, owner_of, without
from provisioning.routeros.cycle.applying import apply
from provisioning.routeros.cycle.breaker import may_try
from provisioning.routeros.cycle.cutting import cut
from provisioning.routeros.cycle.facts import Facts, gather, gather_all, status_of
from provisioning.routeros.cycle.observing import Reading, read_again, read_router
from provisioning.routeros.cycle.open_connections import newly_restricted
from provisioning.routeros.cycle.planning import Planned, plan_again, plan_of
from provisioning.routeros.cycle.recording import forget_services, record, settle
from provisioning.routeros.cycle.records import OWN
from provisioning.routeros.cycle.standing import Ended, needs_whole, patient, standings, tried_in_vain
from provisioning.routeros.cycle.status import note_begun, note_failure, note_success
from provisioning.routeros.cycle.unused_profiles import left_behind, remove_unused
from provisioning.routeros.drift import drifted, end_drift, found_in, list_drift, read_log
from provisioning.routeros.driver.session import connect
from provisioning.routeros.models import Router
from provisioning.routeros.rows import EndSession, Plan

TURN_SECONDS = 15.0
CUT_SECONDS = 10.0
LEASE_PATIENCE = 1.0
SESSION_PAUSE = timedelta(seconds=2)
"""How long a session that was ended is given to begin anew before it is looked at again."""
log = get_logger("provisioning.routeros.cycle.turn")
_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class Cycle:
    """How a cycle ended. `planned`: what there was to do; None where it did not come so far. `trouble`: why not."""

    outcome: Outcome
    planned: Planned | None = None
    report: ApplyReport | None = None
    ended: Ended | None = None
    trouble: str = ""


class LeaseLost(Exception):
    """Reading took so long that somebody else may be talking to the router by now."""


def run_cycle(
    runtime: Runtime, router_id: int, *, failures: int = 0, asked: bool = False, approved: int | None = None
) -> Cycle:
    """One turn. `failures`: of the job, for its pauses. `asked`: a person wants all of it, and now, breaker or not;
    `approved`: so many held removals may go."""
    if waits := _may_not(runtime, router_id, asked):
        return Cycle(waits)
    with alone_with(runtime.database, router_id, patience=LEASE_PATIENCE) as lease:
        if lease:
            return _under_lease(runtime, router_id, lease, failures, asked, approved)
    return Cycle(Retry(timedelta(milliseconds=500), "somebody else is talking to this router"))


def _may_not(runtime: Runtime, router_id: int, asked: bool) -> Outcome | None:
    with runtime.database.reading() as tx:
        router, status = tx.session.get(Router, router_id), status_of(tx, router_id)
        if router is None or not router.enabled:
            return Applied("the router is gone or disabled")
        if asked or may_try(status.retry_at, tx.now) or status.retry_at is None:
            return None
        return Retry(status.retry_at - tx.now, f"waits until it is tried again: {status.trouble}")


def _under_lease(
    runtime: Runtime, router_id: int, lease: KeptLease, failures: int, asked: bool, approved: int | None
) -> Cycle:
    facts = gather_all(runtime.database, router_id) if asked else gather(runtime.database, router_id)
    if facts is None:
        return Cycle(Applied("nothing has changed"))
    try:
        with closing(connect(facts.target, writes_per_second=facts.router.writes_per_second)) as connection:
            return _Turn(runtime, facts, connection, lease, failures, approved).take()
    except RouterError as error:
        return _failed(runtime, facts, error)
    except LeaseLost:
        return Cycle(Retry(timedelta(seconds=1), "the turn took too long"))


def _failed(runtime: Runtime, facts: Facts, error: RouterError) -> Cycle:
    words = str(error) or type(error).__name__
    log.warning("router failed", router=facts.router.name, reason=words)
    with runtime.database.transaction() as tx:
        retry_at = note_failure(tx, facts.router.id, words, _random.random())
        return Cycle(Retry(retry_at - tx.now, words), trouble=words)


@dataclass(frozen=True, slots=True)
class _Turn:
    """A cycle that has its lease and its connection."""

    runtime: Runtime
    facts: Facts
    connection: Connection
    lease: KeptLease
    failures: int
    approved: int | None

    def take(self) -> Cycle:
        reading = read_router(self.connection, self.facts)
        self._renew()
        planned = plan_of(self.facts, reading, self.approved)
        drift = self._drift(planned)
        left_out = drift if self.facts.router.drift == "report" else frozenset[int]()
        with self.runtime.database.reading() as tx:
            to_do, waiting = patient(without(planned.plan, left_out), self.facts.records, planned.wanted, tx.now)
        report = ApplyReport()
        after = planned
        if to_do and not self.facts.maintenance:
            self._begin()
            report = apply(self.connection, to_do, until=time.monotonic() + TURN_SECONDS)
            after = plan_again(planned, self.facts, self._again(reading, report), self.approved)
        ended = Ended(
            planned.desired, after.plan, after.wanted, after.seen, report, left_out, waiting,
            reading.refused, self.facts.maintenance, self._in_vain(planned),
        )  # fmt: skip
        self._record(planned.plan, ended)
        self._tidy(ended)
        self._cut(report)
        return Cycle(self._outcome(ended), planned, report, ended)

    def _begin(self) -> None:
        if not self.facts.same:
            with self.runtime.database.transaction() as tx:
                note_begun(tx, self.facts.router.id)

    def _cut(self, report: ApplyReport) -> None:
        """End what would go on past the restrictions of this turn; last, for nothing of the turn hangs on it."""
        router = self.facts.router
        if router.cut_connections and (networks := newly_restricted(report.done, self.facts.rules)):
            self._renew()
            cut(self.connection, networks, router=router.name, seconds=CUT_SECONDS)

    def _renew(self) -> None:
        if not self.lease.renew():
            raise LeaseLost

    def _again(self, reading: Reading, report: ApplyReport) -> Reading:
        self._renew()
        return read_again(self.connection, self.facts, reading, report.menus)

    def _in_vain(self, planned: Planned) -> bool:
        wanted = planned.wanted.get(OWN, "") if self.facts.whole else None
        return tried_in_vain(self.facts.records.get(OWN), wanted)

    def _tidy(self, ended: Ended) -> None:
        """A turn for a few does not see the other secrets: whether a profile is needed any more is asked. It comes
        after the record, for nobody's service waits for it."""
        names = [] if self.facts.whole else left_behind(ended.report, ended.desired)
        if names:
            self._renew()
            ended.report.add_done(remove_unused(self.connection, names))

    def _drift(self, planned: Planned) -> frozenset[int]:
        """List what somebody changed by hand, before anything is repaired; gives whose rows those are."""
        if not (self.facts.whole and self.facts.same):
            return frozenset()
        whose = drifted(self.facts.records, planned.wanted, planned.seen, self.facts.touched.keys())
        found = found_in(planned.plan, whose)
        if found:
            entries = read_log(self.connection, self.facts.target.login)
            with self.runtime.database.transaction() as tx:
                list_drift(tx, self.facts.router.id, found, entries)
        return frozenset(item.subscription_id or OWN for item in found)

    def _record(self, plan: Plan, ended: Ended) -> None:
        facts = self.facts
        served = [one.subscription_id for one in facts.served]
        made = standings(ended, [OWN, *served] if facts.whole else served, facts.touched)
        right = {key for key in served if not made[key].why}
        gone = [one.subscription_id for one in facts.served if one.removed and one.subscription_id in right]
        stuck = ended.stuck & made.keys()
        again = [key for key in served if made[key].why and key not in stuck and key not in ended.left_out]
        with self.runtime.database.transaction() as tx:
            proven = record(tx, facts.router.id, made, whole=facts.whole)
            cleared = settle(tx, facts.router.id, facts.touched, [*right, *stuck], again)
            forget_services(tx, facts.router.id, gone)
            if facts.whole:
                self._end_drift(tx, ended, {key for key, standing in made.items() if standing.why})
            complete = not _incomplete(ended) and not facts.maintenance
            note_success(tx, facts, self.connection, plan, complete=complete)
            prove(tx, {*proven, *cleared} & right, path="router")

    def _end_drift(self, tx: Transaction, ended: Ended, wrong: set[int]) -> None:
        status = "repaired" if ended.report.done else "gone"
        end_drift(tx, self.facts.router.id, lambda key: key not in wrong, status)

    def _outcome(self, ended: Ended) -> Outcome:
        if ended.maintenance:
            return Applied(f"in maintenance: {len(ended.plan.steps)} steps wait")
        if ended.report.late:
            return Retry(timedelta(0), f"{ended.report.late} steps are left for another turn")
        left = ended.steps
        if not left:
            return Applied(f"{len(ended.report.done)} steps done")
        if all(isinstance(step, EndSession) for step in left):
            return Retry(SESSION_PAUSE + backoff(self.failures), f"{len(left)} sessions are to begin anew")
        return Retry(backoff(self.failures), f"{len(left)} steps are left")


def _incomplete(ended: Ended) -> bool:
    """Whether the router has to be read in whole once more: a turn for a few does not look at its own rows. What was
    tried in vain before waits for the next check."""
    own = any(owner_of(step) is None for step in ended.steps)
    return own or bool(ended.report.late) or needs_whole(ended)
