"""The smallest plan that brings a router from what was observed to what is desired. Pure.

Only rows that bear our mark are in it. Rows of ours that nobody asked for go within the guard (`removal_cap`); beyond
it they are held until somebody approves. Giving service back is never held.
"""

from __future__ import annotations

from provisioning.routeros.menus import MENUS
from provisioning.routeros.plan.matching import Matching, match
from provisioning.routeros.plan.order import block_steps
from provisioning.routeros.plan.owners import leave_to_owners
from provisioning.routeros.plan.stages import profile_rates, stages
from provisioning.routeros.plan.steps import changes, default_removal_cap, removals, unseen
from provisioning.routeros.rows import (
    Add,
    Desired,
    DesiredRow,
    Menu,
    Move,
    Observed,
    ObservedRow,
    Plan,
)
from provisioning.routeros.sessions import session_steps

__all__ = ["default_removal_cap", "garden_blocks", "plan"]
_DIALLING = (Menu.PPP_SECRET, Menu.PPP_PROFILE)


def plan(desired: Desired, observed: Observed, *, removal_cap: int | None = None) -> Plan:
    """The plan; empty when nothing is left to do. `removal_cap` None: the product's own, by the rows of ours there."""
    found = match(desired, observed)
    leave_to_owners(desired, observed, found)
    going, held = removals(desired, observed, found, removal_cap)
    done = stages(
        [Add(row) for row in found.missing if not MENUS[row.menu].ordered],
        list(changes(found)),
        garden_blocks(observed, found),
        going,
        frozenset(row.id for row in found.cleared),
        profile_rates([row.fields for row in _profiles(desired, observed)]),
    )
    ending = tuple(session_steps(desired, observed, _blocked(found)))
    problems = (*desired.problems, *found.problems, *unseen(found))
    return Plan(tuple(stage for stage in (*done, ending) if stage), tuple(held), problems)


def garden_blocks(observed: Observed, found: Matching) -> list[Add | Move]:
    """The moves and additions of the menus where the order counts, a block for each."""
    steps: list[Add | Move] = []
    for menu in (menu for menu in Menu if MENUS[menu].ordered and menu in observed.menus):
        own = {row.key: there for row, there in found.pairs if row.menu is menu}
        block = [row for row in (*(row for row, _ in found.pairs), *found.missing) if row.menu is menu]
        there = sorted((row for row in observed.rows if row.menu is menu), key=lambda row: row.position)
        going = frozenset(row.id for row in (*found.extra, *found.cleared))
        steps += block_steps(sorted(block, key=lambda row: row.key), there, own, going)
    return steps


def _profiles(desired: Desired, observed: Observed) -> list[DesiredRow | ObservedRow]:
    every: list[DesiredRow | ObservedRow] = [row for row in observed.rows if row.menu is Menu.PPP_PROFILE]
    return [*every, *(row for row in desired.rows if row.menu is Menu.PPP_PROFILE)]


def _blocked(found: Matching) -> frozenset[int]:
    return frozenset(row.subscription_id for row in found.blocked if row.subscription_id and row.menu in _DIALLING)
