"""Mass plan changes: preview, start, chunk by chunk, through crashes and cancellations, never a row twice."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import func, select, update

from core.database import Database
from core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from core.job_queue import Job
from core.runtime import Runtime
from provisioning.cancellation import cancel
from provisioning.mass_change.commands import (
    CONTINUE,
    cancel_mass_change,
    get_mass_change,
    preview_mass_change,
    rows_of,
    start_mass_change,
)
from provisioning.mass_change.models import MassChangeRow
from provisioning.mass_change.work import work_on
from provisioning.models import Subscription, TimelineEntry
from provisioning.moves.migration import start_migration
from provisioning.plans import change_plan
from provisioning.prices import price_of
from provisioning.subscriptions import change_price, switch_plan
from tests.factories import ANA, make_plan, make_subscriber, make_subscription
from tests.factories_billing import download_of
from tests.factories_moves import follow_up, told_of


class Base:
    """`count` subscriptions of one plan, and the plan that they are to move to."""

    def __init__(self, database: Database, count: int = 3) -> None:
        with database.transaction(ANA) as tx:
            self.old = make_plan(tx, name="20 Mega", price_cents=7990, download_bps=20_000_000, technology="Radio").id
            self.new = make_plan(tx, name="50 Mega", price_cents=9990, download_bps=50_000_000, technology="FTTH").id
            self.ids = [make_subscription(tx, plan_id=self.old).id for _ in range(count)]

    def start(self, database: Database, *, change_price: bool = True, **selection: object) -> int:
        wanted = selection or {"plan_id": self.old}
        with database.transaction(ANA) as tx:
            digest = preview_mass_change(tx, plan_id=self.new, selection=wanted, change_price=change_price).digest
            return start_mass_change(
                tx, plan_id=self.new, selection=wanted, digest=digest, change_price=change_price, note="upgrade"
            ).id


def statuses(database: Database, change_id: int) -> dict[int, str]:
    with database.reading() as tx:
        return {row.subscription_id: row.status for row in rows_of(tx, change_id)}


def switches(database: Database) -> Counter[int]:
    """How often each subscription was told of a switch."""
    told = select(TimelineEntry.subscription_id).where(TimelineEntry.event == "plan.switched")
    with database.reading() as tx:
        return Counter(tx.session.scalars(told))


@pytest.mark.parametrize(("change", "cents"), [(True, 9990), (False, 7990)])
def test_all_of_a_plan(database: Database, runtime: Runtime, change: bool, cents: int) -> None:
    base = Base(database)
    with database.reading() as tx:
        shown = preview_mass_change(tx, plan_id=base.new, selection={"plan_id": base.old}, change_price=change)
        assert (shown.total, shown.to_change, shown.warnings) == (3, 3, {})
        assert (shown.before_cents, shown.after_cents) == (3 * 7990, 3 * cents)
        row = shown.rows[0]
        assert (row.plan_name, row.new_plan_name, row.cents, row.new_cents) == ("20 Mega", "50 Mega", 7990, cents)
        assert (row.download_bps, row.new_download_bps) == (20_000_000, 50_000_000)
    change_id = base.start(database, change_price=change)
    assert follow_up(runtime, CONTINUE) == ["Applied"]
    with database.reading() as tx:
        done = get_mass_change(tx, change_id)
        assert (done.status, done.total, done.done, done.left, done.actor) == ("done", 3, 3, 0, "ana")
        rows = [tx.session.get_one(Subscription, key) for key in base.ids]
        assert [(row.plan_id, price_of(row)) for row in rows] == [(base.new, cents)] * 3
    for key in base.ids:
        assert download_of(database, key) == 50_000_000
        [entry] = told_of(database, key, "plan.switched")
        assert entry.details["change_price"] is change
        assert entry.details["price"] == ("price of the new plan" if change else "price kept")
        assert (entry.details["run"], entry.note, entry.actor) == (f"mass change {change_id}", "upgrade", "ana")


def test_some_by_their_ids_and_what_is_skipped(database: Database, runtime: Runtime) -> None:
    base = Base(database, 5)
    gone, there, moving, plain, other = base.ids
    with database.transaction(ANA) as tx:
        cancel(tx, subscription_id=gone)
        switch_plan(tx, subscription_id=there, plan_id=base.new)
        waiting = start_migration(tx, subscription_id=moving, plan_id=make_plan(tx).id).id
        shown = preview_mass_change(
            tx, plan_id=base.new, selection={"include": [*base.ids, waiting], "exclude": [other]}
        )
        assert [row.subscription_id for row in shown.rows if row.changes] == [moving, plain, waiting]
        assert {text.split(":")[0]: count for text, count in shown.warnings.items()} == {
            "cancelled": 1,
            "on this plan already": 1,
            "not installed yet": 1,
            "another subscription waits to take its place": 1,
        }
    change_id = base.start(database, include=[*base.ids, waiting], exclude=[other])
    follow_up(runtime, CONTINUE)
    assert statuses(database, change_id) == {
        gone: "skipped", there: "skipped", moving: "done", plain: "done", waiting: "done",
    }  # fmt: skip
    with database.reading() as tx:
        details = {row.subscription_id: row.detail for row in rows_of(tx, change_id)}
        assert details[plain] == "20 Mega → 50 Mega; R$ 79,90 → R$ 99,90 (price of the new plan)"
        assert details[there] == "on 50 Mega already"
        assert [row.subscription_id for row in rows_of(tx, change_id, status="skipped")] == [gone, there]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        pytest.param({"city": "ITU"}, [0], id="city, in any letters"),
        pytest.param({"city": "Águas"}, [1], id="a city with an accent"),
        pytest.param({"region": "SP"}, [0, 1], id="region"),
        pytest.param({"region": "SP", "states": ["PENDING_INSTALL"]}, [1], id="two conditions"),
        pytest.param({"states": ["CANCELLED"]}, [3], id="cancelled ones when they are named"),
        pytest.param({"technology": "Radio"}, [0, 1, 2], id="technology of the present plan"),
        pytest.param({"technology": "radio", "group": "rural"}, [], id="nobody"),
    ],
)
def test_who_is_selected(database: Database, selection: dict[str, object], expected: list[int]) -> None:
    base = Base(database, 0)
    with database.transaction(ANA) as tx:
        places = [("Itu", "SP", True), ("Águas", "SP", False), ("Paraty", "RJ", True), ("Itu", "SP", True)]
        ids = [
            make_subscription(
                tx, plan_id=base.old, active=active, subscriber_id=make_subscriber(tx, city=city, region=region).id
            ).id
            for city, region, active in places
        ]
        cancel(tx, subscription_id=ids[3])
        shown = preview_mass_change(tx, plan_id=base.new, selection=selection)
        assert [row.subscription_id for row in shown.rows] == [ids[number] for number in expected]
        by_owner = {"subscriber_ids": [tx.session.get_one(Subscription, ids[2]).subscriber_id]}
        shown = preview_mass_change(tx, plan_id=base.new, selection=by_owner)
        assert [row.subscription_id for row in shown.rows] == [ids[2]]


@pytest.mark.parametrize("what", ["a new one", "one gone", "its price", "its plan", "the plan", "the switch"])
def test_a_start_is_about_what_the_preview_showed(database: Database, what: str) -> None:
    base = Base(database)
    selection = {"plan_id": base.old}
    with database.transaction(ANA) as tx:
        digest = preview_mass_change(tx, plan_id=base.new, selection=selection).digest
        first = base.ids[0]
        match what:
            case "a new one":
                make_subscription(tx, plan_id=base.old)
            case "one gone":
                cancel(tx, subscription_id=first)
            case "its price":
                change_price(tx, subscription_id=first, price_cents=1)
            case "its plan":
                switch_plan(tx, subscription_id=first, plan_id=base.new)
            case "the plan":
                change_plan(tx, plan_id=base.new, price_cents=10990)
        wanted = {"plan_id": base.new, "selection": selection, "digest": digest}
        with pytest.raises(Conflict, match="look at the preview again"):
            start_mass_change(tx, **wanted, change_price=what != "the switch")  # type: ignore[arg-type]
        assert tx.session.scalar(select(func.count()).select_from(MassChangeRow)) == 0


def test_the_preview_comes_in_pages(database: Database) -> None:
    base = Base(database, 3)
    with database.reading() as tx:
        selection = {"plan_id": base.old}
        first = preview_mass_change(tx, plan_id=base.new, selection=selection, limit=2)
        rest = preview_mass_change(tx, plan_id=base.new, selection=selection, limit=2, after=base.ids[1])
        assert [row.subscription_id for row in (*first.rows, *rest.rows)] == base.ids
        assert (first.total, first.digest) == (rest.total, rest.digest)


@pytest.mark.parametrize("crashed", [pytest.param(False, id="committed"), pytest.param(True, id="rolled back")])
def test_it_goes_on_after_a_crash_and_never_twice(database: Database, runtime: Runtime, crashed: bool) -> None:
    """The worker dies before or after the commit of a chunk; its job is run again either way."""
    base = Base(database, 7)
    change_id = base.start(database)
    for _ in range(2):
        try:
            with database.transaction(ANA) as tx:
                work_on(tx, change_id, chunk=3)
                if crashed:
                    raise InterruptedError
        except InterruptedError:
            pass
    counts = Counter(statuses(database, change_id).values())
    assert counts == ({"waiting": 7} if crashed else {"done": 6, "waiting": 1})
    follow_up(runtime, CONTINUE)
    assert set(statuses(database, change_id).values()) == {"done"}
    with database.transaction(ANA) as tx:
        assert work_on(tx, change_id).done == 7
    assert switches(database) == dict.fromkeys(base.ids, 1)


def test_a_row_that_breaks_fails_alone(database: Database, runtime: Runtime) -> None:
    """Its password is of no key that we have: no record can be made of it."""
    base = Base(database, 3)
    change_id = base.start(database)
    broken = base.ids[1]
    with database.transaction(ANA) as tx:
        tx.session.connection().exec_driver_sql(f"UPDATE subscription SET password = 'unreadable' WHERE id = {broken}")
    assert follow_up(runtime, CONTINUE) == ["Retry"]
    assert set(statuses(database, change_id).values()) == {"waiting"}
    with database.transaction(ANA) as tx:
        tx.session.execute(update(Job).values(due_at=tx.now))
    assert follow_up(runtime, CONTINUE) == ["Applied"]
    first, _, last = base.ids
    assert statuses(database, change_id) == {first: "done", broken: "failed", last: "done"}
    with database.reading() as tx:
        change = get_mass_change(tx, change_id)
        assert (change.status, change.done, change.failed, change.left) == ("done", 2, 1, 0)
        [row] = rows_of(tx, change_id, status="failed")
        assert row.detail
        assert tx.session.scalar(select(Subscription.plan_id).where(Subscription.id == broken)) == base.old
    assert switches(database) == {first: 1, last: 1}


def test_cancelling_leaves_the_rest_as_it_is(database: Database, runtime: Runtime) -> None:
    base = Base(database, 5)
    change_id = base.start(database)
    with database.transaction(ANA) as tx:
        work_on(tx, change_id, chunk=2)
        stopped = cancel_mass_change(tx, mass_change_id=change_id, note="wrong plan")
        assert (stopped.status, stopped.done, stopped.left) == ("cancelled", 2, 3)
        with pytest.raises(NotAllowed, match="cancelled"):
            cancel_mass_change(tx, mass_change_id=change_id)
    follow_up(runtime, CONTINUE)
    assert switches(database) == dict.fromkeys(base.ids[:2], 1)
    with database.reading() as tx:
        plans = [tx.session.get_one(Subscription, key).plan_id for key in base.ids]
        assert plans == [base.new] * 2 + [base.old] * 3


def test_what_is_refused(database: Database) -> None:
    base = Base(database, 1)
    with database.transaction(ANA) as tx:
        with pytest.raises(InvalidInput, match="at least one condition"):
            preview_mass_change(tx, plan_id=base.new, selection={})
        with pytest.raises(NotFound):
            preview_mass_change(tx, plan_id=10**9, selection={"plan_id": base.old})
        with pytest.raises(NotFound):
            rows_of(tx, 10**9)
        selection = {"plan_id": base.new}
        digest = preview_mass_change(tx, plan_id=base.new, selection=selection).digest
        with pytest.raises(NotAllowed, match="none of the 0"):
            start_mass_change(tx, plan_id=base.new, selection=selection, digest=digest)
