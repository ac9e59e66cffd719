"""From a fact to its proof: how long it takes until the network provably runs what a change of state asks for.

A wait begins in the transaction of the fact, where a refresh changes a state, and ends in the one that proves it. Of
several observers the slowest counts: a wait ends when every live session of the subscription provably runs the present
policy (RADIUS) and no router that serves it has anything left to do for it (the routers' own rows).

Whether it is so is looked at last of all (`Transaction.at_commit`), when nothing else will be waited for; waits that
somebody else has in hand are passed over. So nobody waits for anybody because of a measurement, except for the few rows
of the histogram, which all take in one order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, text

from core.among import among
from core.database import Transaction
from provisioning.latency.buckets import (
    OFFLINE,
    RADIUS,
    RESTORED,
    UNCOUNTED,
    bucket_of,
    kind_of_change,
    was_in_service,
)
from provisioning.latency.models import ProofWait
from provisioning.latency.observers import connected, held_by_router, unproven
from radius.models import Session

_PENDING, _ENDED = "provisioning.proofs", "provisioning.proofs.ended"
_CHUNK = 5_000
_ADD = text(
    "INSERT INTO proof_latency (kind, path, bucket, times, seconds) VALUES (:kind, :path, :bucket, :times, :seconds) "
    "ON CONFLICT (kind, path, bucket) DO UPDATE SET times = proof_latency.times + excluded.times, "
    "seconds = proof_latency.seconds + excluded.seconds"
)


@dataclass(frozen=True, slots=True)
class Moved:
    """A subscription's state before and after a refresh, and the policy that it should run now."""

    before: str
    after: str
    desired_fingerprint: str


def begin_waits(tx: Transaction, moved: Mapping[int, Moved]) -> None:
    """Begin the waits of these changes of state; those that they overtake end uncounted.

    Where nobody is connected and no router has rows of the subscription, nothing has to change: counted as offline.
    """
    known = sorted(key for key, change in moved.items() if was_in_service(change.before))
    if not known:
        return
    tx.session.execute(delete(ProofWait).where(among(tx.session, ProofWait.subscription_id, known)))
    kinds = {key: kind for key in known if (kind := kind_of_change(moved[key].before, moved[key].after))}
    seen = connected(tx, kinds) | held_by_router(tx, kinds)
    rows = [
        {
            "subscription_id": key,
            "kind": kind,
            "began_at": tx.now,
            "desired_fingerprint": moved[key].desired_fingerprint,
        }
        for key, kind in kinds.items()
        if key in seen
    ]
    if rows:
        tx.session.execute(insert(ProofWait), rows)
    _count(tx, ((kind, OFFLINE, 0.0) for key, kind in kinds.items() if key not in seen))


def prove(tx: Transaction, subscription_ids: Iterable[int], path: str = RADIUS) -> None:
    """Some observer (`path`: radius, router) has proven something of these subscriptions: end the waits that are over.

    It may be said before or after the proof is written, in the same transaction; a wait for which another observer is
    not through goes on.
    """
    ids = dict.fromkeys(subscription_ids, path)
    if ids:
        tx.session.info.setdefault(_PENDING, {}).update(ids)
        tx.at_commit("proof", _settle)


def prove_at_nas(tx: Transaction, nas_id: int) -> None:
    """The sessions of this NAS were looked at: `prove` for whoever waits and is, or was, connected there."""
    there = select(Session.id).where(Session.subscription_id == ProofWait.subscription_id, Session.nas_id == nas_id)
    prove(tx, tx.session.scalars(select(ProofWait.subscription_id).where(there.exists())))


def give_up(tx: Transaction, waits: Collection[ProofWait], reason: str) -> None:
    """End waits that no proof will come for, or none came in time; they are counted by `reason`, apart."""
    if reason not in UNCOUNTED:
        raise ValueError(f"a wait ends without a proof as one of {', '.join(UNCOUNTED)}")
    ids = [wait.subscription_id for wait in waits]
    tx.session.execute(delete(ProofWait).where(among(tx.session, ProofWait.subscription_id, ids)))
    _count(tx, ((wait.kind, reason, 0.0) for wait in waits))


def _count(tx: Transaction, ended: Iterable[tuple[str, str, float]]) -> None:
    """Add (kind, path, seconds) to the histogram, at the end of the transaction."""
    kept = tx.session.info.setdefault(_ENDED, [])
    kept.extend(ended)
    if kept:
        tx.at_commit("proof", _settle)


def _settle(tx: Transaction) -> None:
    paths: dict[int, str] = tx.session.info.pop(_PENDING, {})
    ended: list[tuple[str, str, float]] = tx.session.info.pop(_ENDED, [])
    ids = sorted(paths)
    for start in range(0, len(ids), _CHUNK):
        proven = _proven(tx, ids[start : start + _CHUNK])
        gone = [wait.subscription_id for wait in proven]
        if gone:
            tx.session.execute(delete(ProofWait).where(among(tx.session, ProofWait.subscription_id, gone)))
        ended += [(wait.kind, paths[wait.subscription_id], _seconds(wait.began_at, tx.now)) for wait in proven]
    _write(tx, ended)


def _proven(tx: Transaction, ids: Collection[int]) -> list[Any]:
    """The waits among `ids` that are over; locked, so that no newer change gets in between."""
    query = select(ProofWait.subscription_id, ProofWait.kind, ProofWait.began_at)
    query = query.where(among(tx.session, ProofWait.subscription_id, ids)).order_by(ProofWait.subscription_id)
    waits = tx.session.execute(query.with_for_update(skip_locked=True)).all()
    waiting = [wait.subscription_id for wait in waits]
    if not waiting:
        return []
    open_yet = unproven(tx, waiting)
    # Service is back with the session that has it, not with the end of the one that had less.
    back = connected(tx, waiting) | held_by_router(tx, waiting)
    return [
        wait
        for wait in waits
        if wait.subscription_id not in open_yet and (wait.kind != RESTORED or wait.subscription_id in back)
    ]


def _seconds(began_at: datetime, now: datetime) -> float:
    return max(0.0, (now - began_at).total_seconds())


def _write(tx: Transaction, ended: Iterable[tuple[str, str, float]]) -> None:
    times: Counter[tuple[str, str, int]] = Counter()
    seconds: dict[tuple[str, str, int], float] = defaultdict(float)
    for kind, path, took in ended:
        key = kind, path, bucket_of(took) if path not in UNCOUNTED else 0
        times[key] += 1
        seconds[key] += took
    rows = [
        {"kind": key[0], "path": key[1], "bucket": key[2], "times": times[key], "seconds": seconds[key]}
        for key in sorted(times)
    ]
    if rows:
        tx.session.execute(_ADD, rows)
