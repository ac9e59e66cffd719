"""What full comparisons make of sources that fail, are silent or list too little."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

import billing_bridge.intake.tasks  # noqa: F401  (registers the feed)
from billing_bridge.intake.feed_health import watch_sources
from billing_bridge.intake.runs import start_run
from billing_bridge.intake.sources import FEED_EMPTY, FEED_FAILING, change_source
from core.actor import Actor
from core.alarms import open_alarms
from core.errors import Forbidden
from core.runtime import Runtime
from lab.gateways.hubsoft import HubSoftSimulator
from tests.factories_hubsoft import Provider
from tests.factories_intake import make_source
from tests.ticking import FakeClock


@pytest.fixture
def hubsoft() -> Iterator[HubSoftSimulator]:
    with HubSoftSimulator() as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing_bridge.gateways.hubsoft.client.PAUSES", (0.0, 0.0))


@pytest.fixture
def provider(runtime: Runtime, hubsoft: HubSoftSimulator) -> Provider:
    return Provider(runtime, hubsoft)


@pytest.mark.parametrize(
    ("left", "held"),
    [pytest.param(0, True, id="none"), pytest.param(1, True, id="less"), pytest.param(2, False, id="half")],
)
def test_a_listing_that_shrank_too_much_changes_nothing(
    provider: Provider, clock: FakeClock, left: int, held: bool
) -> None:
    bills = [provider.bill(number) for number in range(4)]
    provider.compare()
    clock.now += timedelta(hours=12)
    for bill in bills[left:]:
        del provider.hubsoft.bills[bill.id]
    bills[0].cents = 1
    run = provider.compare()
    assert run.status == ("held" if held else "done")
    assert (provider.alarms() == [FEED_EMPTY]) is held
    if held:
        assert set(provider.mirrors().values()) == {"OPEN"}
        assert "nothing was changed" in run.detail
        assert provider.compare(accept_smaller=True).status == "done"
        assert provider.alarms() == []


def test_believing_a_small_listing_needs_a_permission(provider: Provider) -> None:
    clerk = Actor("clerk", "api", permissions=frozenset({"api"}))
    with provider.runtime.database.transaction(clerk) as tx, pytest.raises(Forbidden, match=r"guard\.approve"):
        start_run(tx, source_id=provider.source, accept_smaller=True)


def test_the_second_failure_is_an_alarm_and_a_success_ends_it(provider: Provider, clock: FakeClock) -> None:
    provider.bill(0)
    for failures, alarms in ((1, []), (2, [FEED_FAILING]), (3, [FEED_FAILING])):
        provider.hubsoft.faults.extend(["500"] * 3)
        run = provider.compare()
        assert (run.status, provider.seen().failures, provider.alarms()) == ("failed", failures, alarms)
        assert "HTTP 500" in run.detail
        clock.now += timedelta(hours=1)
    assert provider.seen().failing_since == clock.now - timedelta(hours=3)
    assert provider.compare().status == "done"
    assert (provider.seen().failures, provider.seen().failing_since, provider.alarms()) == (0, None, [])


def test_an_old_success_makes_the_first_failure_an_alarm(provider: Provider, clock: FakeClock) -> None:
    provider.bill(0)
    provider.compare()
    clock.now += timedelta(hours=26, seconds=1)
    provider.hubsoft.faults.append("garbage")
    assert provider.compare().status == "failed"
    assert provider.alarms() == [FEED_FAILING]


@pytest.mark.parametrize(
    ("hours", "alarms"), [pytest.param(26, [], id="at the limit"), pytest.param(26.01, [FEED_FAILING], id="beyond")]
)
def test_a_source_that_nobody_asks_is_missed(
    provider: Provider, clock: FakeClock, hours: float, alarms: list[str]
) -> None:
    clock.now += timedelta(hours=hours)
    with provider.runtime.database.transaction() as tx:
        watch_sources(tx)
    assert provider.alarms() == alarms
    with provider.runtime.database.transaction() as tx:
        change_source(tx, source_id=provider.source, enabled=False)
    assert provider.alarms() == []


def test_a_source_that_pushes_may_be_silent_unless_told_otherwise(provider: Provider, clock: FakeClock) -> None:
    with provider.runtime.database.transaction() as tx:
        change_source(tx, source_id=provider.source, enabled=False)
        make_source(tx, "quiet")
        make_source(tx, "busy", expect_every_hours=2)
    clock.now += timedelta(hours=2, seconds=1)
    with provider.runtime.database.transaction() as tx:
        watch_sources(tx)
        assert [alarm.subject for alarm in open_alarms(tx)] == ["busy"]
