"""What is too old goes, what is under a legal hold stays, and both are written down."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from sqlalchemy import select

from core.audit import AuditEntry
from core.database import Database
from core.errors import CatracaError, InvalidInput, NotAllowed, NotFound
from core.jobs import SCHEDULES
from core.runtime import Runtime
from radius import history_retention
from radius.history_archive import prepare
from radius.history_holds import live_holds, place_hold, release_hold
from radius.history_jobs import purge_address_history
from radius.history_models import LegalHold
from radius.history_months import Month
from radius.history_partitions import make_partitions, months_kept
from radius.history_retention import Purgeable, kept_from, preview
from tests.factories_history import drop_partitions, kept_users, make_use, remember
from tests.ticking import START, FakeClock

OLD = -420 * 24
"""Hours before START, well beyond a year."""


@pytest.fixture(autouse=True)
def whole(database: Database) -> Iterator[None]:
    yield
    drop_partitions(database)


@pytest.fixture(params=["months", "one table"])
def months(request: pytest.FixtureRequest, runtime: Runtime) -> bool:
    """Whether old months have their partition, as they do after a year of service, or lie in the default one."""
    with runtime.database.transaction() as tx:
        if request.param == "months":
            make_partitions(tx, [Month(2024, 11).after(count) for count in range(18)])
    return bool(request.param == "months" and runtime.database.dialect == "postgresql")


def hold(database: Database, **values: Any) -> int:
    given = {"reference": "Ofício 1", "since": START - timedelta(days=800), "until": START, **values}
    with database.transaction() as tx:
        return place_hold(tx, **given).id


def users_after_purge(runtime: Runtime) -> list[str]:
    purge_address_history(runtime)
    with runtime.database.reading() as tx:
        return kept_users(tx)


def hours(count: float) -> datetime:
    return START + timedelta(hours=count)


def test_what_is_older_than_the_setting_goes(runtime: Runtime, clock: FakeClock, months: bool) -> None:
    clock.advance(days=10)
    ages = {"old": OLD, "year": -360 * 24, "young": -350 * 24, "new": -24}
    remember(runtime.database, *(make_use(began=began, user_name=name) for name, began in ages.items()))
    left = users_after_purge(runtime)
    assert left == (["new", "year", "young"] if months else ["new", "young"]), "a month goes when all of it is old"
    assert users_after_purge(runtime) == left


def test_it_is_done_every_hour_by_one_process_at_a_time() -> None:
    schedule = SCHEDULES["purge-address-history"]
    assert (schedule.run, schedule.seconds, schedule.exclusive) == (purge_address_history, 3600, True)


def test_a_longer_setting_keeps_longer(runtime: Runtime, months: bool) -> None:
    runtime.database.settings.history_keep_days = 500
    remember(runtime.database, make_use(began=OLD, user_name="old"))
    assert users_after_purge(runtime) == ["old"]


def test_a_year_later_all_of_it_is_gone(runtime: Runtime, clock: FakeClock, months: bool) -> None:
    remember(runtime.database, *(make_use(began=-24 * day, user_name=f"d{day}") for day in range(0, 400, 40)))
    clock.advance(days=366 + 31)
    assert users_after_purge(runtime) == []
    if months:
        with runtime.database.reading() as tx:
            assert months_kept(tx)[0] >= Month.of(kept_from(tx))


HELD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "everything": ({}, ["ana", "bia", "caio", "v6"]),
    "an address": ({"address": ip_address("100.64.0.9")}, ["ana", "caio"]),
    "an address in a prefix": ({"address": ip_address("2001:db8:0:42::5")}, ["v6"]),
    "a subscription": ({"subscription_id": 8}, ["bia"]),
    "both": ({"subscription_id": 7, "address": ip_address("100.64.0.9")}, ["ana"]),
    "an instant of one": ({"since": hours(OLD + 0.5), "until": hours(OLD + 0.6)}, ["ana", "bia", "v6"]),
    "another time": ({"since": hours(OLD - 100), "until": hours(OLD)}, []),
    "nobody's address": ({"address": ip_address("100.64.0.77")}, []),
}


@pytest.mark.parametrize(("values", "users"), HELD.values(), ids=HELD.keys())
def test_what_is_held_stays(runtime: Runtime, months: bool, values: dict[str, Any], users: list[str]) -> None:
    uses = (
        make_use("100.64.0.9", began=OLD, user_name="ana", subscription_id=7),
        make_use("100.64.0.10", began=OLD, user_name="bia", subscription_id=8),
        make_use("100.64.0.9", began=OLD + 5, user_name="caio", subscription_id=None),
        make_use("2001:db8::/56", began=OLD, user_name="v6", subscription_id=None),
    )
    remember(runtime.database, *uses)
    number = hold(runtime.database, **values)
    assert users_after_purge(runtime) == users
    assert users_after_purge(runtime) == users, "twice takes no more"
    with runtime.database.transaction() as tx:
        release_hold(tx, hold_id=number, note="no order came")
    assert users_after_purge(runtime) == []


def test_a_purge_says_before_and_after_what_it_takes(runtime: Runtime, months: bool) -> None:
    database = runtime.database
    remember(database, *(make_use(began=OLD + hour, user_name=f"h{hour}", subscription_id=hour) for hour in range(5)))
    hold(database, subscription_id=3)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")
    what = "address_history_2025_01" if months else "rows"
    with database.reading() as tx:
        found = [item for item in preview(tx, kept_from(tx)) if item.rows]
        assert found == [Purgeable(what, 5, 1, estimated=months)]
    assert users_after_purge(runtime) == ["h3"]
    with database.reading() as tx:
        entries = tx.session.scalars(select(AuditEntry).where(AuditEntry.action == "purge")).all()
        said = [(entry.entity_id, entry.after) for entry in entries]
        assert (what, 4) in [(name, after["deleted"]) for name, after in said if after is not None]
        assert {entry.actor for entry in entries} == {"catraca"}
        [rest] = preview(tx, kept_from(tx))
        assert (rest.what, rest.rows, rest.held) == ("rows", 1, 1)


def test_rows_go_in_chunks(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_retention, "_CHUNK", 3)
    remember(runtime.database, *(make_use(began=OLD + hour, user_name=f"old{hour}") for hour in range(10)))
    remember(runtime.database, *(make_use(began=hour, user_name=f"new{hour}") for hour in range(4)))
    assert users_after_purge(runtime) == ["new0", "new1", "new2", "new3"]


def test_many_held_rows_in_front_hide_nothing(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_retention, "_CHUNK", 3)
    remember(runtime.database, *(make_use(began=OLD + n, user_name=f"held{n}", subscription_id=7) for n in range(8)))
    remember(runtime.database, make_use(began=OLD + 20, user_name="old"))
    hold(runtime.database, subscription_id=7)
    assert users_after_purge(runtime) == [f"held{n}" for n in range(8)]


def test_a_hold_and_its_release_are_in_the_audit_trail(database: Database) -> None:
    number = hold(database, subscription_id=7, note="expected by 1 May")
    with database.transaction() as tx:
        assert [each.id for each in live_holds(tx)] == [number]
        release_hold(tx, hold_id=number, note="none came")
        assert live_holds(tx) == []
        row = tx.session.get_one(LegalHold, number)
        assert (row.released_at, row.released_by) == (START, "catraca")
    with database.reading() as tx:
        entries = tx.session.scalars(
            select(AuditEntry).where(AuditEntry.entity == "legal_hold").order_by(AuditEntry.id)
        )
        assert [(entry.action, entry.note) for entry in entries] == [
            ("place", "expected by 1 May"),
            ("release", "none came"),
        ]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a span that ends before it begins": ({"until": START - timedelta(days=900)}, "until"),
    "no reference": ({"reference": "  "}, "reference"),
    "a reference without end": ({"reference": "x" * 121}, "reference"),
}


@pytest.mark.parametrize(("values", "field"), REFUSED.values(), ids=REFUSED.keys())
def test_a_hold_that_says_too_little_is_refused(database: Database, values: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        hold(database, **values)
    assert caught.value.field == field


RELEASES: dict[str, tuple[int, str, type[CatracaError]]] = {
    "no such hold": (99, "why", NotFound),
    "no reason": (1, " ", InvalidInput),
    "twice": (1, "again", NotAllowed),
}


@pytest.mark.parametrize(("number", "note", "error"), RELEASES.values(), ids=RELEASES.keys())
def test_a_release_is_refused(database: Database, number: int, note: str, error: type[CatracaError]) -> None:
    first = hold(database)
    with database.transaction() as tx:
        release_hold(tx, hold_id=first, note="over")
    with database.transaction() as tx, pytest.raises(error):
        release_hold(tx, hold_id=first if number == 1 else number, note=note)


def test_the_coming_months_are_made_ahead(runtime: Runtime, clock: FakeClock) -> None:
    for expected in (["2026_03", "2026_04", "2026_05"], ["2026_03", "2026_04", "2026_05", "2026_06"]):
        with runtime.database.transaction() as tx:
            prepare(tx, kept_from(tx))
        if runtime.database.dialect == "postgresql":
            with runtime.database.reading() as tx:
                names = [month.partition.removeprefix("address_history_") for month in months_kept(tx)]
                assert names == expected
        clock.advance(days=31)
