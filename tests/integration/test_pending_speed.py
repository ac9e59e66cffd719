"""A custom speed is shown before it applies: what it changes, what each router will be told, and one confirmation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from core.database import Database, Transaction
from core.errors import InvalidInput, NotAllowed, NotFound
from core.job_queue import Job
from core.secrets import Secret
from provisioning.cancellation import cancel
from provisioning.debts import record_debt
from provisioning.models import SpeedOverrideRow, Subscription
from provisioning.plans import change_plan
from provisioning.speed.commands import end_speed_override, override_speed
from provisioning.speed.models import PendingSpeed
from provisioning.speed.pending import (
    confirm_speed,
    discard_speed,
    pending_speed,
    propose_speed,
    propose_speed_end,
)
from radius.nas import add_nas
from tests.factories import ANA, make_subscription, restrict
from tests.factories_sessions import make_session
from tests.ticking import FakeClock

FAST, SLOW = 900_000_000, 50_000_000
Command = Callable[[Transaction, int], object]


def subscribed(database: Database) -> int:
    with database.transaction(ANA) as tx:
        return make_subscription(tx).id


def connected(database: Database, subscription_id: int, vendor: str = "mikrotik", **values: object) -> int:
    """A live session of the subscription on a NAS of this vendor, running what it should."""
    with database.transaction(ANA) as tx:
        nas = add_nas(tx, name=vendor, network=f"192.0.2.{len(vendor)}", secret=Secret("a secret of it"), vendor=vendor)
        running = tx.session.get_one(Subscription, subscription_id).desired_fingerprint
        given = {"granted_fingerprint": running, "granted_at": tx.now, **values}
        return make_session(tx, nas_id=nas.id, subscription_id=subscription_id, **given).id


def propose(database: Database, subscription_id: int, bps: int = FAST, **values: object) -> PendingSpeed:
    with database.transaction(ANA) as tx:
        return propose_speed(tx, subscription_id=subscription_id, download_bps=bps, upload_bps=bps, **values)  # type: ignore[arg-type]


def confirm(database: Database, row: PendingSpeed) -> PendingSpeed:
    with database.transaction(ANA) as tx:
        return confirm_speed(tx, subscription_id=row.subscription_id, proposal_id=row.id)


def speeds(database: Database, subscription_id: int) -> list[int]:
    with database.reading() as tx:
        rows = tx.session.scalars(select(SpeedOverrideRow).where(SpeedOverrideRow.subscription_id == subscription_id))
        return [row.download_bps for row in rows if row.until is None or row.until > tx.now]


def test_a_proposal_shows_before_after_and_what_is_sent_and_changes_nothing(database: Database) -> None:
    subscription_id = subscribed(database)
    session_id = connected(database, subscription_id)
    row = propose(database, subscription_id, note="festival week")
    assert (row.before["download_bps"], row.before["custom"]) == (500_000_000, False)
    assert (row.after["download_bps"], row.after["custom"], row.after["state"]) == (FAST, True, "ACTIVE")
    assert row.sends == [
        {
            "session_id": session_id,
            "nas": "mikrotik",
            "user_name": row.sends[0]["user_name"],
            "action": "coa",
            "attributes": ["Mikrotik-Rate-Limit = 900M/900M"],
            "reason": "changed while it runs",
        }
    ]
    assert speeds(database, subscription_id) == []
    with database.reading() as tx:
        assert tx.session.scalars(select(Job).where(Job.kind == "converge")).all() == []
        assert pending_speed(tx, subscription_id).id == row.id


def test_each_live_session_is_shown_with_its_own_router(database: Database) -> None:
    subscription_id = subscribed(database)
    connected(database, subscription_id, "mikrotik", granted_fingerprint="of nobody knows what")
    connected(database, subscription_id, "huawei")
    connected(database, subscription_id, "cisco", stopped_at=database.clock())
    sends = propose(database, subscription_id).sends
    assert [(send["nas"], send["action"]) for send in sends] == [("mikrotik", "disconnect"), ("huawei", "coa")]
    assert all(send["attributes"] for send in sends if send["action"] == "coa")


def test_nobody_connected_means_nothing_to_send(database: Database) -> None:
    assert propose(database, subscribed(database)).sends == []


def test_for_a_suspended_subscription_nothing_shows_yet(database: Database) -> None:
    subscription_id = subscribed(database)
    with database.transaction(ANA) as tx:
        restrict(tx, subscription_id)
    connected(database, subscription_id)
    row = propose(database, subscription_id)
    assert (row.before, row.after["state"], row.sends[0]["action"]) == (row.after, "SUSPENDED", "nothing")
    confirm(database, row)
    assert speeds(database, subscription_id) == [FAST]


def test_a_confirmation_applies_once(database: Database) -> None:
    subscription_id = subscribed(database)
    connected(database, subscription_id)
    row = propose(database, subscription_id, until=database.clock() + timedelta(days=2))
    assert confirm(database, row).outcome == "confirmed"
    assert speeds(database, subscription_id) == [FAST]
    with database.reading() as tx:
        assert len(tx.session.scalars(select(Job).where(Job.kind == "converge")).all()) == 1
        with pytest.raises(NotFound):
            pending_speed(tx, subscription_id)
    with pytest.raises(NotAllowed, match="was confirmed by ana"):
        confirm(database, row)
    assert speeds(database, subscription_id) == [FAST]


def test_a_discarded_proposal_cannot_be_confirmed(database: Database) -> None:
    row = propose(database, subscribed(database))
    with database.transaction(ANA) as tx:
        assert discard_speed(tx, subscription_id=row.subscription_id, proposal_id=row.id).outcome == "discarded"
    with pytest.raises(NotAllowed, match="was discarded"):
        confirm(database, row)
    assert speeds(database, row.subscription_id) == []


def test_a_newer_proposal_replaces_the_one_that_waits(database: Database) -> None:
    subscription_id = subscribed(database)
    first, second = propose(database, subscription_id), propose(database, subscription_id, SLOW)
    with pytest.raises(NotAllowed, match="was replaced"):
        confirm(database, first)
    confirm(database, second)
    assert speeds(database, subscription_id) == [SLOW]


@pytest.mark.parametrize(
    ("seconds", "works"), [pytest.param(-1, True, id="a second before"), pytest.param(0, False, id="at its end")]
)
def test_a_proposal_waits_for_a_day(database: Database, clock: FakeClock, seconds: int, works: bool) -> None:
    row = propose(database, subscribed(database))
    clock.advance(days=1, seconds=seconds)
    if works:
        confirm(database, row)
        return
    with pytest.raises(NotAllowed, match="propose it anew"):
        confirm(database, row)
    with database.reading() as tx, pytest.raises(NotFound):
        pending_speed(tx, row.subscription_id)
    propose(database, row.subscription_id)
    with pytest.raises(NotAllowed, match="was expired"):
        confirm(database, row)


def test_a_speed_that_would_be_over_by_now_is_not_confirmed(database: Database, clock: FakeClock) -> None:
    row = propose(database, subscribed(database), until=clock.now + timedelta(hours=1))
    clock.advance(hours=1)
    with pytest.raises(NotAllowed, match="would have ended"):
        confirm(database, row)


CHANGES: dict[str, Command] = {
    "suspended": lambda tx, i: restrict(tx, i),
    "another custom speed": lambda tx, i: override_speed(
        tx, subscription_id=i, download_bps=SLOW, upload_bps=SLOW
    ),
    "another speed of the plan": lambda tx, i: change_plan(
        tx, plan_id=tx.session.get_one(Subscription, i).plan_id, download_bps=SLOW
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_changed_meanwhile_has_to_be_looked_at_anew(database: Database, change: Command) -> None:
    subscription_id = subscribed(database)
    row = propose(database, subscription_id)
    with database.transaction(ANA) as tx:
        change(tx, subscription_id)
    standing = speeds(database, subscription_id)
    with pytest.raises(NotAllowed, match="look at it anew") as caught:
        confirm(database, row)
    assert caught.value.extras["before"] != row.before
    assert speeds(database, subscription_id) == standing
    confirm(database, propose(database, subscription_id))


def test_what_came_back_to_what_it_was_is_confirmed(database: Database) -> None:
    subscription_id = subscribed(database)
    row = propose(database, subscription_id)
    with database.transaction(ANA) as tx:
        restrict(tx, subscription_id)
    with database.transaction(ANA) as tx:
        record_debt(tx, subscription_id=subscription_id, invoice_id=4711, due_on=tx.now.date(), open_cents=0)
    assert confirm(database, row).outcome == "confirmed"


def test_going_back_to_the_plan_is_proposed_in_the_same_way(database: Database) -> None:
    subscription_id = subscribed(database)
    with database.transaction(ANA) as tx:
        override_speed(tx, subscription_id=subscription_id, download_bps=FAST, upload_bps=FAST)
    with database.transaction(ANA) as tx:
        row = propose_speed_end(tx, subscription_id=subscription_id, note="over")
    assert (row.kind, row.before["download_bps"], row.after["download_bps"]) == ("end", FAST, 500_000_000)
    confirm(database, row)
    assert speeds(database, subscription_id) == []


REFUSED: dict[str, tuple[Command, type[Exception]]] = {
    "no custom speed to end": (lambda tx, i: propose_speed_end(tx, subscription_id=i), NotAllowed),
    "too slow": (lambda tx, i: propose_speed(tx, subscription_id=i, download_bps=1, upload_bps=FAST), InvalidInput),
    "over at once": (
        lambda tx, i: propose_speed(tx, subscription_id=i, download_bps=FAST, upload_bps=FAST, until=tx.now),
        InvalidInput,
    ),
    "no such proposal": (lambda tx, i: confirm_speed(tx, subscription_id=i, proposal_id=10**6), NotFound),
}


@pytest.mark.parametrize(("command", "error"), REFUSED.values(), ids=REFUSED.keys())
def test_refusals(database: Database, command: Command, error: type[Exception]) -> None:
    subscription_id = subscribed(database)
    with pytest.raises(error), database.transaction(ANA) as tx:
        command(tx, subscription_id)
    with database.reading() as tx:
        assert tx.session.scalars(select(PendingSpeed)).all() == []


def test_another_subscriptions_proposal_is_not_found(database: Database) -> None:
    row, other = propose(database, subscribed(database)), subscribed(database)
    with pytest.raises(NotFound), database.transaction(ANA) as tx:
        confirm_speed(tx, subscription_id=other, proposal_id=row.id)


def test_a_cancelled_subscription_confirms_nothing(database: Database) -> None:
    row = propose(database, subscribed(database))
    with database.transaction(ANA) as tx:
        cancel(tx, subscription_id=row.subscription_id)
    with pytest.raises(NotAllowed, match="was cancelled"):
        confirm(database, row)


def test_ending_a_speed_directly_settles_what_was_proposed_about_it(database: Database) -> None:
    subscription_id = subscribed(database)
    with database.transaction(ANA) as tx:
        override_speed(tx, subscription_id=subscription_id, download_bps=FAST, upload_bps=FAST)
        row = propose_speed_end(tx, subscription_id=subscription_id)
    with database.transaction(ANA) as tx:
        end_speed_override(tx, subscription_id=subscription_id)
    with pytest.raises(NotAllowed, match="look at it anew"):
        confirm(database, row)
