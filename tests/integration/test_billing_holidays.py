"""The company's own holidays: entries, the calendar of a place, and what they mean for the decision."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select

from billing_bridge.calendar.days import company_today
from billing_bridge.calendar.holiday_book import CalendarDay, add_holiday, calendar_of, remove_holiday
from billing_bridge.dunning.candidates import ALL, candidate_ids, new_orders
from billing_bridge.methods import add_billing_method, change_billing_method, rule_versions
from core.audit import AuditEntry
from core.database import Database, Transaction
from core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from core.runtime import Runtime
from provisioning.facts import Level
from tests.factories import make_subscriber
from tests.factories_api import Client, made, problem
from tests.factories_billing import make_billed, make_invoice, make_method
from tests.ticking import FakeClock

MONDAY = date(2026, 3, 2)


def names(tx: Transaction, day: date, region: str = "", city: str = "") -> list[str]:
    return [item.name for item in calendar_of(tx, day.year, region, city) if item.day == day]


def test_an_entry_is_added_and_removed_with_an_audit(database: Database) -> None:
    day = date(2026, 7, 14)
    with database.transaction() as tx:
        row = add_holiday(tx, day=day, name=" Aniversário ", yearly=True, region="sp", city="Campinas")
        assert (row.region, row.name, names(tx, day, "SP", "CAMPINAS")) == ("SP", "Aniversário", ["Aniversário"])
        assert CalendarDay(day, "Aniversário", True) in calendar_of(tx, 2026, "sp", "campinas")
        remove_holiday(tx, holiday_id=row.id)
        assert names(tx, day, "SP", "Campinas") == []
    with database.reading() as tx:
        entries = tx.session.scalars(
            select(AuditEntry).where(AuditEntry.entity == "company_holiday").order_by(AuditEntry.id)
        ).all()
        told = {
            "day": "2026-07-14", "yearly": True, "name": "Aniversário", "region": "SP", "city": "Campinas",
            "working": False,
        }  # fmt: skip
        assert [(entry.action, entry.before, entry.after) for entry in entries] == [
            ("add", None, told),
            ("remove", told, None),
        ]


@pytest.mark.parametrize(
    ("field", "values"),
    [
        pytest.param("region", {"region": "XX"}, id="no state"),
        pytest.param("region", {"city": "Campinas"}, id="a city without its state"),
        pytest.param("name", {"name": " "}, id="blank name"),
        pytest.param("city", {"region": "SP", "city": "x" * 121}, id="long city"),
        pytest.param("day", {"day": date(1999, 12, 31)}, id="before the first year"),
        pytest.param("day", {"day": date(2101, 1, 1)}, id="after the last year"),
    ],
)
def test_bad_entries_are_refused_by_field(database: Database, field: str, values: dict[str, object]) -> None:
    given: dict[str, object] = {"day": MONDAY, "name": "Festa", **values}
    with database.transaction() as tx, pytest.raises(InvalidInput) as refused:
        add_holiday(tx, **given)  # type: ignore[arg-type]
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("second", "taken"),
    [
        pytest.param({"region": "SP", "city": "sao carlos"}, True, id="the same place"),
        pytest.param({"region": "SP", "city": "São Carlos", "working": True}, True, id="the contrary there"),
        pytest.param({"region": "SP"}, False, id="the whole state"),
        pytest.param({"region": "SP", "city": "Campinas"}, False, id="another city"),
        pytest.param({"region": "SP", "city": "São Carlos", "day": date(2026, 3, 3)}, False, id="another day"),
    ],
)
def test_a_place_has_one_entry_for_a_day(database: Database, second: dict[str, object], taken: bool) -> None:
    with database.transaction() as tx:
        first = add_holiday(tx, day=MONDAY, name="Festa", region="SP", city="São Carlos")
        given: dict[str, object] = {"day": MONDAY, "name": "Outra", **second}
        if not taken:
            add_holiday(tx, **given)  # type: ignore[arg-type]
            return
        with pytest.raises(Conflict) as conflict:
            add_holiday(tx, **given)  # type: ignore[arg-type]
        assert conflict.value.extras["holiday_id"] == first.id
        remove_holiday(tx, holiday_id=first.id)
        add_holiday(tx, **given)  # type: ignore[arg-type]


def test_an_entry_is_removed_once(database: Database) -> None:
    with database.transaction() as tx:
        row = add_holiday(tx, day=MONDAY, name="Festa")
        remove_holiday(tx, holiday_id=row.id)
        with pytest.raises(NotAllowed, match="was removed on 2026-03-02"):
            remove_holiday(tx, holiday_id=row.id)
        with pytest.raises(NotFound, match="company holiday 999"):
            remove_holiday(tx, holiday_id=999)


@pytest.mark.parametrize(
    ("holiday", "expected"),
    [
        pytest.param({"day": MONDAY}, [False, False], id="everywhere today"),
        pytest.param({"day": MONDAY, "region": "SP"}, [False, True], id="in the state of one"),
        pytest.param({"day": MONDAY, "region": "SP", "city": "campinas"}, [False, True], id="in the city of one"),
        pytest.param({"day": MONDAY, "region": "SP", "city": "Santos"}, [True, True], id="in another city"),
        pytest.param({"day": date(2026, 3, 3)}, [False, False], id="everywhere tomorrow: the eve"),
        pytest.param({"day": date(2026, 3, 4)}, [True, True], id="the day after tomorrow"),
        pytest.param({"day": date(2026, 3, 1)}, [True, True], id="yesterday"),
    ],
)
def test_a_subscriber_s_place_decides(database: Database, holiday: dict[str, object], expected: list[bool]) -> None:
    with database.transaction() as tx:
        method = make_method(tx, hold_holidays=True, hold_holiday_eves=True, held_weekdays=(5, 6, 7))
        owners = [make_subscriber(tx, region="SP", city="Campinas"), make_subscriber(tx, region="RJ")]
        late = [make_billed(tx, method, subscriber_id=owner.id) for owner in owners]
        for subscription in late:
            make_invoice(tx, subscription, late=30)
        add_holiday(tx, name="Festa", **holiday)  # type: ignore[arg-type]
        found = {order.subscription_id for order in new_orders(tx, [item.id for item in late], MONDAY)}
        assert [item.id in found for item in late] == expected


@pytest.mark.parametrize(
    ("now", "found"),
    [
        pytest.param(datetime(2026, 3, 5, 12, tzinfo=UTC), True, id="Thursday"),
        pytest.param(datetime(2026, 3, 6, 2, 59, tzinfo=UTC), True, id="23:59 on Thursday in São Paulo"),
        pytest.param(datetime(2026, 3, 6, 3, 0, tzinfo=UTC), False, id="midnight: Friday"),
        pytest.param(datetime(2026, 3, 9, 2, 59, tzinfo=UTC), False, id="23:59 on Sunday"),
        pytest.param(datetime(2026, 3, 9, 3, 0, tzinfo=UTC), True, id="Monday"),
    ],
)
def test_held_weekdays_are_the_company_s(database: Database, clock: FakeClock, now: datetime, found: bool) -> None:
    clock.now = now
    with database.transaction() as tx:
        subscription = make_billed(tx, make_method(tx, held_weekdays=(5, 6, 7)))
        make_invoice(tx, subscription, late=30)
        day = company_today(tx.now, tx.settings.timezone)
        ids = candidate_ids(tx, day, limit=10)
        assert (ids == [subscription.id], len(new_orders(tx, [subscription.id], day))) == (found, int(found))


@pytest.mark.parametrize(
    ("late", "levels", "expected"),
    [
        pytest.param(15, ALL, Level.PARTIAL, id="all levels, partial"),
        pytest.param(30, ALL, Level.TOTAL, id="all levels, total"),
        pytest.param(15, frozenset({Level.TOTAL}), None, id="total only, not that late"),
        pytest.param(30, frozenset({Level.TOTAL}), Level.TOTAL, id="total only"),
        pytest.param(15, frozenset({Level.PARTIAL}), Level.PARTIAL, id="partial only"),
        pytest.param(30, frozenset({Level.PARTIAL}), Level.PARTIAL, id="partial only, late enough for total"),
    ],
)
def test_a_run_of_one_level(database: Database, late: int, levels: frozenset[Level], expected: Level | None) -> None:
    with database.transaction() as tx:
        subscription = make_billed(tx, make_method(tx))
        make_invoice(tx, subscription, late=late)
        ids = candidate_ids(tx, MONDAY, levels=levels, limit=10)
        orders = new_orders(tx, [subscription.id], MONDAY, levels=levels)
        assert ids == ([subscription.id] if expected else [])
        assert [order.level for order in orders] == ([expected] if expected else [])


def test_new_methods_are_lawful_and_every_change_of_the_calendar_is_a_version(database: Database) -> None:
    with database.transaction() as tx:
        method = add_billing_method(tx, name="Boleto")
        assert (sorted(method.rules.held_weekdays), method.rules.notice_days) == ([5, 6, 7], 0)
        assert method.rules.hold_holidays
        assert method.rules.hold_holiday_eves
        for change in ({"held_weekdays": [7, 6]}, {"hold_holidays": False}, {"hold_holiday_eves": False}):
            change_billing_method(tx, billing_method_id=method.id, **change)
        change_billing_method(tx, billing_method_id=method.id, notice_days=15)
        change_billing_method(tx, billing_method_id=method.id, held_weekdays=[6, 7, 7])
    with database.reading() as tx:
        versions = rule_versions(tx, method.id)
        assert [(v.held_weekdays, v.hold_holidays, v.hold_holiday_eves, v.notice_days) for v in versions] == [
            ([5, 6, 7], True, True, 0),
            ([6, 7], True, True, 0),
            ([6, 7], False, True, 0),
            ([6, 7], False, False, 0),
            ([6, 7], False, False, 15),
        ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("held_weekdays", [0], id="no day 0"),
        pytest.param("held_weekdays", [8], id="no day 8"),
        pytest.param("held_weekdays", [1, 2, 3, 4, 5, 6, 7], id="nothing could ever start"),
        pytest.param("held_weekdays", "567", id="text"),
        pytest.param("held_weekdays", [True], id="a switch for a day"),
        pytest.param("notice_days", -1, id="negative notice"),
        pytest.param("notice_days", 366, id="more than a year"),
        pytest.param("hold_holidays", 1, id="a number for a switch"),
    ],
)
def test_bad_rules_of_the_calendar_are_refused(database: Database, field: str, value: object) -> None:
    with database.transaction() as tx:
        method = make_method(tx)
        with pytest.raises(InvalidInput) as refused:
            change_billing_method(tx, billing_method_id=method.id, **{field: value})
        assert refused.value.field == field


def test_the_verbs(runtime: Runtime) -> None:
    client = Client(runtime)
    key = made(
        client.post("/holidays", {"day": "2026-07-14", "name": "Aniversário", "region": "SP", "city": "Campinas"})
    )
    days = client.get("/holidays/calendar", year=2026, region="SP", city="CAMPINAS").content["items"]
    assert {"day": "2026-07-14", "weekday": 2, "name": "Aniversário", "own": True} in days
    assert {"day": "2026-10-12", "weekday": 1, "name": "Nossa Senhora Aparecida", "own": False} in days
    assert [row["id"] for row in client.get("/holidays").content["items"]] == [key]
    assert client.post(f"/holidays/{key}/remove").content["removed_at"]
    assert client.get("/holidays").content["items"] == []
    assert [row["id"] for row in client.get("/holidays", removed=True).content["items"]] == [key]
    problem(client.get("/holidays/calendar", year=2026, region="XX"), 422, "invalid-input")


def test_a_method_s_calendar_over_the_api(runtime: Runtime) -> None:
    client = Client(runtime)
    key = made(client.post("/billing-methods", {"name": "Boleto"}))
    changed = client.patch(f"/billing-methods/{key}", {"held_weekdays": [6, 7], "notice_days": 15})
    assert (changed.content["held_weekdays"], changed.content["notice_days"]) == ([6, 7], 15)
    versions = client.get(f"/billing-methods/{key}/versions").content["items"]
    assert [(row["held_weekdays"], row["hold_holidays"]) for row in versions] == [([5, 6, 7], True), ([6, 7], True)]
