"""Carrying out a plan on a router: stage after stage, many commands on the way at once, within a time.

What the router refuses is written down for its step and does not stop the others; only what would be wrong without it
is left out: an unused profile goes only when nobody can still need it, a session ends only when its next one would
get what the facts demand. A lost connection ends it all; the router is read again then.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from provisioning.routeros.commands import Sent, commands
from provisioning.routeros.connection import CommandResult, Connection, RouterVersion, Trapped
from provisioning.routeros.cycle.apply_report import ApplyReport, Failure, menu_of, owner_of
from provisioning.routeros.rows import EndSession, Menu, Move, Plan, Remove, Step

AT_ONCE = 200
"""Commands between two looks at the clock."""
_IN_USE = frozenset({Menu.PPP_PROFILE, Menu.PPP_SECRET})


def apply(connection: Connection, plan: Plan, *, until: float) -> ApplyReport:
    """Do what the plan says, up to the instant `until` of `time.monotonic()`. RouterError when the connection fails."""
    report = ApplyReport()
    for stage in plan.stages:
        wanted = [step for step in stage if _sensible(step, report)]
        report.left_out += len(stage) - len(wanted)
        _do(connection, commands(wanted, connection.version), report, until)
    return report


def _sensible(step: Step, report: ApplyReport) -> bool:
    failed = [failure.step for failure in report.failures]
    if isinstance(step, Remove) and step.row.menu is Menu.PPP_PROFILE:
        return report.late == 0 and not any(menu_of(other) in _IN_USE for other in failed)
    if isinstance(step, EndSession):
        return report.late == 0 and not any(
            menu_of(other) is Menu.PPP_PROFILE or owner_of(other) == step.subscription_id for other in failed
        )
    return True


def _do(connection: Connection, wanted: Sequence[Sent], report: ApplyReport, until: float) -> None:
    again: list[Step] = []
    for batch in _batches(wanted):
        if time.monotonic() >= until:
            report.late += sum(len(sent.steps) for sent in batch)
            continue
        results = connection.write([sent.command for sent in batch])
        for sent, result in zip(batch, results, strict=True):
            again += _note(sent, result, report)
    if again:
        _do(connection, _one_by_one(again, connection.version), report, until)


def _note(sent: Sent, result: CommandResult, report: ApplyReport) -> Sequence[Step]:
    """Write down the answer; gives the steps that have to be sent again, each by itself, to find the one at fault."""
    if not isinstance(result, Trapped):
        report.add_done(sent.steps)
    elif len(sent.steps) > 1:
        return sent.steps
    elif "no such item" in result.message and not isinstance(sent.steps[0], Move) and _goes(sent.steps[0]):
        report.unneeded += sent.steps
    else:
        report.failures += [Failure(step, result.message) for step in sent.steps]
    return ()


def _goes(step: Step) -> bool:
    return isinstance(step, Remove | EndSession)


def _one_by_one(steps: Sequence[Step], version: RouterVersion) -> list[Sent]:
    return [sent for step in steps for sent in commands([step], version)]


def _batches(wanted: Sequence[Sent]) -> Iterator[Sequence[Sent]]:
    for start in range(0, len(wanted), AT_ONCE):
        yield wanted[start : start + AT_ONCE]
