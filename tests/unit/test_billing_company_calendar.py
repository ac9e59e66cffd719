"""On which days a restriction may start, by name."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_bridge.calendar.company import FARTHEST, HoldReason, check_day, hold_on
from billing_bridge.calendar.holiday_book import HolidayBook, place_key
from billing_bridge.calendar.models import CompanyHoliday
from billing_bridge.calendar.national import law_holidays
from billing_bridge.dunning.rules import SuspensionRules

LAWFUL = SuspensionRules(
    "Boleto", 1, 30, 15, held_weekdays=frozenset({5, 6, 7}), hold_holidays=True, hold_holiday_eves=True
)
HOLIDAYS_ONLY = SuspensionRules("Boleto", 1, 30, 15, hold_holidays=True)
WEEKDAYS_ONLY = SuspensionRules("Boleto", 1, 30, 15, held_weekdays=frozenset({5, 6, 7}))
OFF = SuspensionRules("Boleto", 1, 30, 15)

WEEKDAY, HOLIDAY, EVE = HoldReason.WEEKDAY, HoldReason.HOLIDAY, HoldReason.EVE


def entry(
    day: str, name: str = "Own", *, yearly: bool = False, place: str = "", working: bool = False
) -> CompanyHoliday:
    """`place` as "SP" or "SP/Campinas"."""
    region, _, city = place.partition("/")
    when = date.fromisoformat(day)
    return CompanyHoliday(id=1, day=when, name=name, yearly=yearly, region=region, city=city, working=working)


def held(
    day: str, rules: SuspensionRules = LAWFUL, place: str = "SP/Campinas", own: tuple[CompanyHoliday, ...] = ()
) -> tuple[HoldReason, str, str] | None:
    """(reason, holiday, next day for a start as month and day) of a place, or None."""
    region, _, city = place.partition("/")
    when = date.fromisoformat(day)
    hold = hold_on(when, rules, HolidayBook(own).around(when, region, city))
    return (hold.reason, hold.name, f"{hold.next_start:%m-%d}") if hold else None


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        pytest.param("2026-10-01", None, id="a Thursday"),
        pytest.param("2026-10-02", (WEEKDAY, "", "10-05"), id="Friday"),
        pytest.param("2026-10-03", (WEEKDAY, "", "10-05"), id="Saturday"),
        pytest.param("2026-10-04", (WEEKDAY, "", "10-05"), id="Sunday"),
        pytest.param("2026-10-05", None, id="Monday"),
        pytest.param("2026-10-09", (WEEKDAY, "", "10-13"), id="Friday before a Monday that is a holiday"),
        pytest.param("2026-10-11", (EVE, "Nossa Senhora Aparecida", "10-13"), id="Sunday, eve of a holiday"),
        pytest.param("2026-10-12", (HOLIDAY, "Nossa Senhora Aparecida", "10-13"), id="holiday"),
        pytest.param("2026-10-13", None, id="the day after a holiday"),
        pytest.param("2026-04-01", None, id="Wednesday before Good Friday"),
        pytest.param("2026-04-02", (EVE, "Sexta-feira Santa", "04-06"), id="Thursday before Good Friday"),
        pytest.param("2026-04-03", (HOLIDAY, "Sexta-feira Santa", "04-06"), id="Good Friday"),
        pytest.param(
            "2026-12-31", (EVE, "Confraternização Universal", "01-04"), id="New Year's Eve looks into next year"
        ),
        pytest.param("2026-12-24", (EVE, "Natal", "12-28"), id="Christmas Eve"),
        pytest.param("2026-02-16", (HOLIDAY, "Carnaval", "02-18"), id="Carnival counts"),
        pytest.param("2026-02-18", None, id="Ash Wednesday does not"),
        pytest.param("2026-06-03", (EVE, "Corpus Christi", "06-08"), id="Corpus Christi counts"),
        pytest.param("2026-10-28", None, id="Public Servant's Day does not"),
        pytest.param("2028-02-29", (HOLIDAY, "Carnaval", "03-01"), id="29 February"),
    ],
)
def test_the_law_s_days(day: str, expected: object) -> None:
    assert held(day) == expected


@pytest.mark.parametrize(
    ("day", "rules", "expected"),
    [
        pytest.param("2026-10-12", OFF, None, id="all off: holiday"),
        pytest.param("2026-10-02", OFF, None, id="all off: Friday"),
        pytest.param("2026-10-12", WEEKDAYS_ONLY, None, id="only weekdays: a holiday on a Monday"),
        pytest.param("2026-10-11", WEEKDAYS_ONLY, (WEEKDAY, "", "10-12"), id="only weekdays: Sunday"),
        pytest.param("2026-10-11", HOLIDAYS_ONLY, None, id="only holidays: their eve"),
        pytest.param("2026-10-12", HOLIDAYS_ONLY, (HOLIDAY, "Nossa Senhora Aparecida", "10-13"), id="only holidays"),
    ],
)
def test_each_rule_is_switched_apart(day: str, rules: SuspensionRules, expected: object) -> None:
    assert held(day, rules) == expected


@pytest.mark.parametrize(
    ("day", "place", "expected"),
    [
        pytest.param("2026-07-09", "SP/Campinas", "Revolução Constitucionalista", id="state holiday"),
        pytest.param("2026-07-09", "RJ/Niterói", None, id="state holiday of another state"),
        pytest.param("2026-04-23", "RJ", "São Jorge", id="of Rio de Janeiro"),
        pytest.param("2026-07-09", "", None, id="no state: national ones only"),
        pytest.param("2026-11-02", "", "Finados", id="national without a state"),
        pytest.param("2026-11-02", "XX", "Finados", id="a state that is none"),
        pytest.param("2027-01-25", "SP/SAO PAULO", "Aniversário da Cidade de São Paulo", id="of the capital"),
        pytest.param("2027-01-25", "SP/Campinas", None, id="of the capital, in another city"),
    ],
)
def test_holidays_by_state_and_city(day: str, place: str, expected: str | None) -> None:
    found = held(day, HOLIDAYS_ONLY, place)
    assert (found and found[1]) == expected


TOWN = (entry("2025-07-14", "Aniversário", yearly=True, place="SP/São Carlos"),)


@pytest.mark.parametrize(
    ("day", "place", "own", "expected"),
    [
        pytest.param("2026-07-14", "SP/São Carlos", TOWN, "Aniversário", id="municipal, every year"),
        pytest.param("2026-07-14", "SP/sao  CARLOS ", TOWN, "Aniversário", id="without accents and case"),
        pytest.param("2026-07-14", "SP/Campinas", TOWN, None, id="another city"),
        pytest.param("2026-07-14", "MG/São Carlos", TOWN, None, id="a city of that name elsewhere"),
        pytest.param("2026-07-14", "", TOWN, None, id="no place"),
        pytest.param("2026-08-19", "RJ", (entry("2026-08-19"),), "Own", id="everywhere"),
        pytest.param("2027-08-19", "RJ", (entry("2026-08-19"),), None, id="a single day, a year later"),
        pytest.param("2026-08-19", "SP/Campinas", (entry("2026-08-19", place="SP"),), "Own", id="the whole state"),
        pytest.param("2026-10-12", "SP", (entry("2026-10-12", working=True),), None, id="a working day everywhere"),
        pytest.param(
            "2026-07-09", "SP/Campinas", (entry("2020-07-09", yearly=True, place="SP/Campinas", working=True),), None,
            id="a working day of a city",
        ),
        pytest.param(
            "2026-07-09", "SP/Santos", (entry("2020-07-09", yearly=True, place="SP/Campinas", working=True),),
            "Revolução Constitucionalista", id="a working day of another city",
        ),
        pytest.param(
            "2026-08-19", "SP/Campinas",
            (entry("2026-08-19", "Festa", place="SP/Campinas"), entry("2026-08-19", working=True)), "Festa",
            id="the narrower place is right",
        ),
        pytest.param(
            "2026-08-19", "SP", (entry("2026-08-19", working=True), entry("2020-08-19", yearly=True)), None,
            id="the single day is right",
        ),
        pytest.param("2028-02-29", "SP", (entry("2024-02-29", yearly=True, name="Bissexto"),), "Bissexto", id="29 Feb"),
        pytest.param("2027-02-28", "SP", (entry("2024-02-29", yearly=True),), None, id="29 Feb in a common year"),
        pytest.param("2027-03-01", "SP", (entry("2024-02-29", yearly=True),), None, id="29 Feb is no 1 March"),
    ],
)  # fmt: skip
def test_own_holidays_and_working_days(
    day: str, place: str, own: tuple[CompanyHoliday, ...], expected: str | None
) -> None:
    found = held(day, HOLIDAYS_ONLY, place, own)
    assert (found and found[1]) == expected


def test_the_eve_of_a_day_that_was_made_working_is_free() -> None:
    own = (entry("2026-10-12", working=True),)
    assert held("2026-10-12", LAWFUL, "SP", own) is None
    assert held("2026-10-11", LAWFUL, "SP", own) == (WEEKDAY, "", "10-12")


def test_the_evidence_names_what_is_near_and_what_applies() -> None:
    day = date(2026, 10, 11)
    near = {
        day + timedelta(days=shift): name for shift, name in ((-16, "a"), (-15, "b"), (1, "c"), (15, "d"), (16, "e"))
    }
    check = check_day(day, LAWFUL, near)
    assert check.hold is not None
    assert check.evidence == {
        "weekday": 7,
        "held_weekdays": [5, 6, 7],
        "hold_holidays": True,
        "hold_holiday_eves": True,
        "holidays": [
            {"day": "2026-09-26", "name": "b", "applies": False},
            {"day": "2026-10-12", "name": "c", "applies": True},
            {"day": "2026-10-26", "name": "d", "applies": False},
        ],
    }


@pytest.mark.parametrize(
    ("day", "sentence"),
    [
        pytest.param(
            "2026-10-02", "2026-10-02 is a Friday: no restriction starts then; from 2026-10-05 on it may", id="w"
        ),
        pytest.param(
            "2026-11-02",
            "2026-11-02 is a holiday, Finados: no restriction starts then; from 2026-11-03 on it may",
            id="h",
        ),
        pytest.param(
            "2026-12-24",
            "2026-12-24 is the eve of Natal: no restriction starts then; from 2026-12-28 on it may",
            id="e",
        ),
    ],
)
def test_a_hold_in_words(day: str, sentence: str) -> None:
    when = date.fromisoformat(day)
    hold = hold_on(when, LAWFUL, law_holidays(2026))
    assert hold is not None
    assert hold.sentence == sentence


def test_a_hold_without_an_end_in_sight_says_no_day() -> None:
    day = date(2026, 1, 1)
    holidays = {day + timedelta(days=n): "x" for n in range(FARTHEST.days + 2)}
    hold = hold_on(day, HOLIDAYS_ONLY, holidays)
    assert hold is not None
    assert hold.next_start is None


DAYS = st.dates(date(2024, 1, 1), date(2031, 12, 31))
WEEK = st.frozensets(st.integers(1, 7), max_size=6)


@given(DAYS, WEEK, st.booleans(), st.booleans(), st.sampled_from(["", "SP", "RJ", "BA"]))
def test_the_next_day_is_the_first_that_is_free(
    day: date, week: frozenset[int], holidays: bool, eves: bool, region: str
) -> None:
    rules = SuspensionRules("x", 1, 30, 15, held_weekdays=week, hold_holidays=holidays, hold_holiday_eves=eves)
    book = HolidayBook(())
    hold = hold_on(day, rules, book.around(day, region, ""))
    if hold is None:
        return
    assert hold.next_start is not None
    later = day + timedelta(days=1)
    while later < hold.next_start:
        assert hold_on(later, rules, book.around(later, region, "")) is not None
        later += timedelta(days=1)
    assert hold_on(later, rules, book.around(later, region, "")) is None


@pytest.mark.parametrize(
    ("city", "key"),
    [("São José  dos Campos ", "sao jose dos campos"), ("BELÉM", "belem"), ("", ""), ("Açu", "acu")],
)
def test_a_city_s_key(city: str, key: str) -> None:
    assert place_key(city) == key
