"""The verbs about proof: what does not run as it should, how long changes take, and warnings before them."""

from __future__ import annotations

from core.runtime import Runtime
from provisioning.latency.waits import prove
from provisioning.models import Divergence
from radius.models import Session
from tests.factories import make_subscription, restrict
from tests.factories_proof import make_nas, make_online
from tests.verbs_guards import Do


def prove_changes(do: Do, runtime: Runtime) -> None:
    """A restriction is on the list until it is proven, and then in the histogram."""
    with runtime.database.transaction() as tx:
        nas = make_nas(tx)
        subscription, session = make_online(tx, nas)
        restrict(tx, subscription.id)
        tx.session.add(
            Divergence(
                session_id=session.id, subscription_id=subscription.id, nas_id=nas.id, desired_fingerprint="x",
                since=tx.now, status="pending",
            )
        )  # fmt: skip
        key, nas_id, session_id = subscription.id, nas.id, session.id
    [listed] = do("convergence.list", nas_id=nas_id, reason="pending")["items"]
    assert (listed["subscription_id"], listed["session_id"], listed["login"]) == (key, session_id, subscription.login)
    summary = do("convergence.summary", nas_id=nas_id)
    assert {tally["reason"]: tally["count"] for tally in summary["reasons"] if tally["count"]} == {"pending": 1}
    assert do("convergence.latency")["waiting"]["restricted"] >= 1
    with runtime.database.transaction() as tx:
        tx.session.get_one(Session, session_id).stopped_at = tx.now
        tx.session.delete(tx.session.get_one(Divergence, session_id))
        prove(tx, [key])
    found = {(item["kind"], item["path"]): item for item in do("convergence.latency")["items"]}
    assert found["restricted", "radius"]["buckets"][0] == {"seconds": 0.05, "count": 1}


def warn_before(do: Do, runtime: Runtime) -> None:
    """Somebody is warned, and then not any more."""
    with runtime.database.transaction() as tx:
        key = make_subscription(tx).id
    given = do("subscription.warn", key, body={"cause": "the invoice of March is late"})
    assert (given["subscription_id"], given["given_by"], given["ended_at"]) == (key, "ana", None)
    assert do("subscription.end-warning", key, body={"note": "a mistake"})["end_reason"] == "ended"
