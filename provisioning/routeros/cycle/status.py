"""How a router stands as a whole: what a cycle leaves in its status, and who is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.alarms import end_alarm, raise_alarm
from core.database import Transaction
from provisioning.routeros.connection import Connection
from provisioning.routeros.cycle.breaker import after_failure
from provisioning.routeros.cycle.facts import SAME, Facts, status_of
from provisioning.routeros.models import Router, RouterStatus
from provisioning.routeros.plan.words import plan_lines
from provisioning.routeros.rows import Add, Change, EndSession, Move, Plan, Remove, Step

UNREACHABLE = "router-unreachable"
HELD = "router-removals-held"
ALARM_AFTER = 5
"""Failures in a row after which somebody is told."""
MOST_LINES = 100
"""Lines of a plan that are kept for who asks while the router is away."""
_KINDS: Mapping[type[Step], str] = {
    Add: "add", Change: "change", Remove: "remove", Move: "move", EndSession: "end_session"
}  # fmt: skip

KINDS = (*_KINDS.values(), "held", "problems")
"""What is counted of a plan."""


def counts(plan: Plan) -> dict[str, int]:
    """How many steps of each kind, held removals and problems."""
    kinds = Counter(_KINDS[type(step)] for step in plan.steps)
    return {
        **{kind: kinds[kind] for kind in _KINDS.values()},
        "held": len(plan.held),
        "problems": len(plan.problems),
    }


def note_failure(tx: Transaction, router_id: int, words: str, jitter: float) -> datetime:
    """The router did not answer, or not to us; gives when it may be tried again."""
    status, router = _locked(tx, router_id), tx.session.get_one(Router, router_id)
    status.failures += 1
    status.retry_at = after_failure(status.failures, tx.now, jitter)
    status.trouble, status.trouble_since = words, status.trouble_since or tx.now
    status.full_at = None
    if status.failures >= ALARM_AFTER and router.maintenance_since is None:
        since = f"{status.trouble_since:%Y-%m-%d %H:%M} UTC"
        raise_alarm(tx, UNREACHABLE, router.name, detail=f"{words} (since {since}, tried {status.failures} times)")
    return status.retry_at


def note_begun(tx: Transaction, router_id: int) -> None:
    """What the router's own facts ask for is about to be done: until it is through, nothing there is a hand's doing."""
    status = _locked(tx, router_id)
    status.plan = {**status.plan, SAME: ""}


def note_success(tx: Transaction, facts: Facts, connection: Connection, plan: Plan, *, complete: bool) -> None:
    """A cycle came to its end. `plan`: what there was to do; `complete`: all of the router was read and is as read."""
    status = _locked(tx, facts.router.id)
    status.version, status.identity, status.board = str(connection.version), connection.identity, connection.board
    status.seen_at, status.failures, status.retry_at = tx.now, 0, None
    status.trouble, status.trouble_since = "", None
    end_alarm(tx, UNREACHABLE, facts.router.name, note="it answers again")
    if facts.whole:
        same = status.full_at == facts.full_at  # else somebody asked for all to be read again meanwhile
        status.full_at = tx.now if complete and same else None
        _note_plan(tx, status, facts, plan, complete)
    elif not complete:
        status.full_at = None


def _note_plan(tx: Transaction, status: RouterStatus, facts: Facts, plan: Plan, complete: bool) -> None:
    same = facts.digest if complete else ""
    lines: dict[str, Any] = {"lines": plan_lines(plan)[:MOST_LINES], SAME: same}
    status.plan, status.plan_at, status.held = {**counts(plan), **lines}, tx.now, len(plan.held)
    name = facts.router.name
    if plan.held:
        detail = f"{len(plan.held)} rows with our mark that nobody asked for wait to be removed"
        raise_alarm(tx, HELD, name, detail=detail)
    else:
        end_alarm(tx, HELD, name, note="nothing is held any more")


def _locked(tx: Transaction, router_id: int) -> RouterStatus:
    found = tx.session.get(RouterStatus, router_id, with_for_update=True)
    if found is None:
        found = status_of(tx, router_id)
        tx.session.add(found)
    return found
