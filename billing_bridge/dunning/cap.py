"""How many may be restricted without anybody's approval: the cap holds for all runs of a company day together.

A routine that runs every minute, or two runs side by side, would else turn a cap for each run into none. Runs decide
about the cap one after the other (`take_turn`), and one that has begun to order counts with all that it still may.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import floor

from sqlalchemy import case, func, select

from billing_bridge.dunning.candidates import count_active
from billing_bridge.dunning.runs import RUNNING
from billing_bridge.models import DunningRun
from core.database import Transaction
from core.settings import Settings
from core.turns import take_turn

TURN = "dunning"


@dataclass(frozen=True, slots=True)
class Cap:
    """`taken` of `cap` are used up today by runs without approval; `active` is what the share is of."""

    cap: int
    taken: int
    active: int

    def exceeded_by(self, count: int) -> bool:
        """Whether so many more need approval."""
        return count > 0 and self.taken + count > self.cap


def take_cap_turn(tx: Transaction) -> None:
    """Nobody else decides about the cap or a waiting run until this transaction ends; before any row is locked."""
    take_turn(tx, TURN)


def cap_today(tx: Transaction, day: date, *, apart_from: int = 0) -> Cap:
    """The cap of that company day, and what other runs than `apart_from` have used of it."""
    active = count_active(tx)
    ordered = DunningRun.ordered_total + DunningRun.ordered_partial
    planned = DunningRun.planned_total + DunningRun.planned_partial
    used = case((DunningRun.status == RUNNING, planned - DunningRun.skipped - DunningRun.dismissed), else_=ordered)
    query = select(func.coalesce(func.sum(used), 0)).where(
        DunningRun.day == day, DunningRun.approved.is_(False), DunningRun.id != apart_from
    )
    return Cap(cap_of(tx.settings, active), int(tx.session.scalar(query) or 0), active)


def cap_of(settings: Settings, active: int) -> int:
    """How many subscriptions may be restricted without approval."""
    share = floor(round(active * settings.suspension_cap_percent / 100, 6))
    return max(settings.suspension_cap_minimum, share)
