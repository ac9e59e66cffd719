"""Waits for a proof that were overlooked, or that no proof will end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, select

from core.database import Transaction
from core.jobs import every
from core.runtime import Runtime
from provisioning.latency.buckets import OFFLINE, RADIUS, RESTORED, ROUTER, UNPROVEN
from provisioning.latency.models import ProofWait
from provisioning.latency.observers import connected, held_by_router
from provisioning.latency.waits import give_up, prove
from provisioning.routeros.readback.models import SessionReadback
from radius.models import Session

OFFLINE_AFTER = timedelta(minutes=10)
"""A subscriber whose session was ended to restore them, and who has not come back by then, is not waiting for us."""
UNPROVEN_AFTER = timedelta(days=1)
MOST = 5_000


@every(60, "proofs")
def look_after_waits(runtime: Runtime) -> None:
    """Level-triggered, as the proofs themselves: whatever told nobody is found here a minute later."""
    with runtime.database.transaction() as tx:
        old = _older_than(tx, timedelta(minutes=1))
        served = held_by_router(tx, [wait.subscription_id for wait in old])
        prove(tx, [wait.subscription_id for wait in old if wait.subscription_id in served], ROUTER)
        prove(tx, [wait.subscription_id for wait in old if wait.subscription_id not in served], RADIUS)
    with runtime.database.transaction() as tx:
        end_waits(tx)
        forget_readings(tx)


def end_waits(tx: Transaction) -> None:
    """Give up those that are a day old, and the restored who are not connected any more."""
    stale = _older_than(tx, UNPROVEN_AFTER)
    if stale:
        give_up(tx, stale, UNPROVEN)
    restored = [wait for wait in _older_than(tx, OFFLINE_AFTER) if wait.kind == RESTORED]
    ids = [wait.subscription_id for wait in restored]
    here = connected(tx, ids) | held_by_router(tx, ids) if ids else set()
    away = [wait for wait in restored if wait.subscription_id not in here]
    if away:
        give_up(tx, away, OFFLINE)


def forget_readings(tx: Transaction) -> None:
    """What was read of sessions that are over says nothing any more."""
    live = select(Session.id).where(Session.id == SessionReadback.session_id, Session.stopped_at.is_(None))
    tx.session.execute(delete(SessionReadback).where(~live.exists()), execution_options={"synchronize_session": False})


def _older_than(tx: Transaction, age: timedelta) -> Sequence[ProofWait]:
    """The oldest of them; who changes one at this moment keeps it."""
    query = select(ProofWait).where(ProofWait.began_at <= tx.now - age)
    query = query.order_by(ProofWait.began_at, ProofWait.subscription_id).limit(MOST)
    return tx.session.scalars(query.with_for_update(skip_locked=True)).all()
