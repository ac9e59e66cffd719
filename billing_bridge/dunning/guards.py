"""What holds new restrictions back: open alarms about the clock and about where the bills come from.

Any of them holds every run, whoever is fed by what: a clock or a feed that is wrong makes people look late who are not.
Restoring is never asked here. A person's single order is not either: somebody looked at that one.
"""

from __future__ import annotations

from core.alarms import Alarm, clear_alarm, get_alarm, open_alarms
from core.database import Transaction
from core.errors import NeedsApproval
from provisioning.checks import required_text

HOLDING = ("clock-jump", "feed-empty", "feed-failing", "gateway-failing")
APPROVE = "guard.approve"
"""The permission to take a guard away."""


def restriction_hold(tx: Transaction) -> str | None:
    """Why no new restriction may start now, in a sentence that says how to mend it; None: they may."""
    alarms = open_alarms(tx, HOLDING)
    if not alarms:
        return None
    named = "; ".join(f"alarm {alarm.id} ({_name(alarm)}): {alarm.detail}" for alarm in alarms[:3])
    more = f" and {len(alarms) - 3} more" if len(alarms) > 3 else ""
    return f"no restriction starts while {named}{more}; look into it, then clear it: catraca alarm clear {alarms[0].id}"


def refuse_held(tx: Transaction) -> None:
    """NeedsApproval while restrictions are held back; approving a run does not help, clearing the alarm does."""
    if hold := restriction_hold(tx):
        raise NeedsApproval(hold, alarms=[alarm.id for alarm in open_alarms(tx, HOLDING)])


def clear_guard(tx: Transaction, *, alarm_id: int, note: str) -> Alarm:
    """A person has looked at the alarm. One that holds restrictions back asks for the permission `guard.approve`."""
    text = required_text(note, "note", 2000, "the time server was wrong; mended")
    if get_alarm(tx, alarm_id).kind in HOLDING:
        tx.require(APPROVE)
    return clear_alarm(tx, alarm_id=alarm_id, note=text)


def _name(alarm: Alarm) -> str:
    return f"{alarm.kind} {alarm.subject}".strip()
