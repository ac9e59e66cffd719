"""The routines that an installation begins with, so that it suspends and restores without anybody setting it up.

Each is seeded once, by its name: who changes, switches off or removes one keeps it so. An installation whose people
made routines of their own before is given none. A default whose task is not known (yet) waits until it is; one of
`ON_DEMAND` waits until somebody sets up what it is for.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from core.database import Transaction
from provisioning.routines.commands import add_routine
from provisioning.routines.models import Routine
from provisioning.routines.tasks import TASKS


@dataclass(frozen=True, slots=True)
class Seed:
    """`task` also is the seed's name; `hours` empty: every hour."""

    task: str
    description: str
    hours: tuple[int, ...]
    minutes: tuple[int, ...]


SEEDS = (
    Seed("notify", "Avisos de suspensão", (5,), (0,)),
    Seed("suspend-and-reduce", "Suspensão diária", (6,), (0,)),
    Seed("enable", "Habilitação diária", (6,), (30,)),
    Seed("sweep-stale-sessions", "Limpeza de sessões mudas", (), (0,)),
)

ON_DEMAND = {"sync": Seed("sync", "Comparação com as outras cobranças", (2, 14), (15,))}


def seed_on_demand(tx: Transaction, task: str) -> None:
    """Add this default unless a routine has its task, or it was there once and somebody removed it."""
    known = select(Routine.id).where((Routine.seed == task) | ((Routine.task == task) & Routine.removed_at.is_(None)))
    if task in TASKS and tx.session.scalar(known.limit(1)) is None:
        _add(tx, ON_DEMAND[task])


def missing_seeds(tx: Transaction) -> list[Seed]:
    """The defaults that are to be added now."""
    rows = set(tx.session.scalars(select(Routine.seed).distinct())) - set(ON_DEMAND)
    if rows == {None}:  # only routines of people's own
        return []
    return [seed for seed in SEEDS if seed.task in TASKS and seed.task not in rows]


def seed_routines(tx: Transaction) -> list[Routine]:
    """Add the missing defaults; another scheduler that is quicker adds them instead."""
    added = []
    for seed in missing_seeds(tx):
        try:
            with tx.session.begin_nested():
                added.append(_add(tx, seed))
        except IntegrityError:
            continue
    return added


def _add(tx: Transaction, seed: Seed) -> Routine:
    return add_routine(
        tx,
        description=seed.description,
        task=seed.task,
        hours=seed.hours,
        minutes=seed.minutes,
        seed=seed.task,
    )
