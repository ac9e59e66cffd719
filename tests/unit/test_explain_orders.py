"""Why an order restricts, in both languages: by its evidence, by what is open now, and without either."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from billing_bridge.calendar.company import check_day
from billing_bridge.dunning.rules import OpenInvoice, SuspensionRules, decide
from provisioning.explain.orders import Background, OpenDebt, tell_order
from provisioning.explain.words import ENGLISH, PORTUGUESE, Voice
from provisioning.facts import Level, RestrictionOrder

ZONE = ZoneInfo("America/Sao_Paulo")
AT = datetime(2026, 10, 5, 12, tzinfo=UTC)
SINCE = datetime(2026, 10, 3, 9, tzinfo=UTC)
DUE, YOUNGER = date(2026, 9, 18), date(2026, 9, 25)


def order(*invoices: int, rule: str = "", run: str = "") -> RestrictionOrder:
    return RestrictionOrder(Level.TOTAL, SINCE, None, invoices or (4711,), rule, run, 9)


def evidence(**changes: Any) -> dict[str, Any]:
    """What decided the suspension of the third of October."""
    return {
        "method": "Boleto",
        "version": 3,
        "level": "total",
        "day": "2026-10-03",
        "days": 15,
        "days_late": 15,
        "oldest": {"invoice": 4711, "due_on": "2026-09-18", "open_cents": 9990},
        "invoices": [{"invoice": 4711, "due_on": "2026-09-18", "open_cents": 9990}],
        "open_cents": 9990,
        "minimum_open_cents": 1000,
        "notice": None,
        "calendar": None,
        **changes,
    }


def calendar(*days: str, applies: bool = False, holidays: bool = True, eves: bool = True) -> dict[str, Any]:
    found = [{"day": item, "name": "x", "applies": applies} for item in days]
    return {"weekday": 6, "held_weekdays": [], "hold_holidays": holidays, "hold_holiday_eves": eves, "holidays": found}


TWO = {
    "invoices": [
        {"invoice": 4711, "due_on": "2026-09-18", "open_cents": 9990},
        {"invoice": 4750, "due_on": "2026-09-25", "open_cents": 5000},
    ],
    "open_cents": 14990,
}
ONE_EN = "invoice 4711 was due on 18/09, 15 days ago, R$ 99,90 open (minimum R$ 10,00)"
ONE_PT = "fatura 4711 venceu em 18/09, 15 dias, R$ 99,90 em aberto (mínimo R$ 10,00)"
TWO_EN = "invoices 4711 and 4750 are late, the oldest due on 18/09, 15 days ago, R$ 149,90 open (minimum R$ 10,00)"
TWO_PT = "faturas 4711 e 4750 em atraso, a mais antiga venceu em 18/09, 15 dias, R$ 149,90 em aberto (mínimo R$ 10,00)"
FULL, PART, MORE = (OpenDebt(DUE, cents) for cents in (9990, 5000, 12000))

CASES = {
    "one invoice": (evidence(), {}, f"{ONE_EN}; rule v3.", f"{ONE_PT}; regra v3."),
    "a holiday near": (
        evidence(calendar=calendar("2026-10-12")), {},
        f"{ONE_EN}; rule v3; holiday 12/10 does not apply.",
        f"{ONE_PT}; regra v3; feriado 12/10 não se aplica.",
    ),
    "two holidays near": (
        evidence(calendar=calendar("2026-10-12", "2027-01-01")), {},
        f"{ONE_EN}; rule v3; holidays 12/10 and 01/01/2027 do not apply.",
        f"{ONE_PT}; regra v3; feriados 12/10 e 01/01/2027 não se aplicam.",
    ),
    "a holiday that applies": (
        evidence(calendar=calendar("2026-10-03", applies=True)), {},
        f"{ONE_EN}; rule v3; holiday 03/10 applies.",
        f"{ONE_PT}; regra v3; feriado 03/10 se aplica.",
    ),
    "no holiday near": (evidence(calendar=calendar()), {}, f"{ONE_EN}; rule v3.", f"{ONE_PT}; regra v3."),
    "rules that look at no holiday": (
        evidence(calendar=calendar("2026-10-12", holidays=False, eves=False)), {},
        f"{ONE_EN}; rule v3.",
        f"{ONE_PT}; regra v3.",
    ),
    "rules that look at eves only": (
        evidence(calendar=calendar("2026-10-12", holidays=False)), {},
        f"{ONE_EN}; rule v3; holiday 12/10 does not apply.",
        f"{ONE_PT}; regra v3; feriado 12/10 não se aplica.",
    ),
    "a notice": (
        evidence(notice={"on": "2026-09-10", "days": 15}), {},
        f"{ONE_EN}; notice given on 10/09; rule v3.",
        f"{ONE_PT}; avisado em 10/09; regra v3.",
    ),
    "two invoices": (evidence(**TWO), {}, f"{TWO_EN}; rule v3.", f"{TWO_PT}; regra v3."),
    "no minimum": (
        evidence(minimum_open_cents=0, days_late=1), {},
        "invoice 4711 was due on 18/09, 1 day ago, R$ 99,90 open; rule v3.",
        "fatura 4711 venceu em 18/09, 1 dia, R$ 99,90 em aberto; regra v3.",
    ),
    "due in another year": (
        evidence(oldest={"invoice": 4711, "due_on": "2025-12-18", "open_cents": 9990}, minimum_open_cents=0), {},
        "invoice 4711 was due on 18/12/2025, 15 days ago, R$ 99,90 open; rule v3.",
        "fatura 4711 venceu em 18/12/2025, 15 dias, R$ 99,90 em aberto; regra v3.",
    ),
    "as much open now": (evidence(), {4711: FULL}, f"{ONE_EN}; rule v3.", f"{ONE_PT}; regra v3."),
    "partly paid": (
        evidence(), {4711: PART},
        f"{ONE_EN}; R$ 50,00 open now; rule v3.",
        f"{ONE_PT}; agora R$ 50,00 em aberto; regra v3.",
    ),
    "one of two paid": (
        evidence(**TWO), {4711: FULL, 4750: OpenDebt(YOUNGER, 0)},
        f"{TWO_EN}; R$ 99,90 open now; rule v3.",
        f"{TWO_PT}; agora R$ 99,90 em aberto; regra v3.",
    ),
    "more open now": (evidence(), {4711: MORE}, f"{ONE_EN}; rule v3.", f"{ONE_PT}; regra v3."),
    "a new invoice open now": (
        evidence(), {4711: PART, 4800: MORE},
        f"{ONE_EN}; R$ 50,00 open now; rule v3.",
        f"{ONE_PT}; agora R$ 50,00 em aberto; regra v3.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("found", "debts", "english", "portuguese"), CASES.values(), ids=CASES.keys())
def test_an_order_with_evidence(
    found: dict[str, Any], debts: dict[int, OpenDebt], english: str, portuguese: str
) -> None:
    background = Background({9: found}, {9: "daily-dunning"}, debts)
    told = [tell_order(Voice(language, ZONE, AT), order(), background) for language in (ENGLISH, PORTUGUESE)]
    assert told == [english, portuguese]


OLD_CASES = {
    "nothing known": (order(), {}, {}, "invoice 4711 is open", "fatura 4711 em aberto"),
    "two invoices": (order(4711, 4712), {}, {}, "invoices 4711 and 4712 are open", "faturas 4711 e 4712 em aberto"),
    "its rule": (
        order(rule="Boleto v1: total after 15 days", run="dunning-3"), {}, {9: "ana"},
        "invoice 4711 is open; Boleto v1: total after 15 days",
        "fatura 4711 em aberto; Boleto v1: total after 15 days",
    ),
    "a person's": (
        order(), {}, {9: "ana"},
        "invoice 4711 is open; ordered by ana",
        "fatura 4711 em aberto; por ordem de ana",
    ),
    "a run's without a rule": (
        order(run="dunning-3"), {}, {9: "daily-dunning"}, "invoice 4711 is open", "fatura 4711 em aberto",
    ),
    "what is open now": (
        order(), {4711: FULL}, {},
        "invoice 4711 is open, due on 18/09, R$ 99,90 now",
        "fatura 4711 em aberto, venceu em 18/09, agora R$ 99,90",
    ),
    "what is open now of two": (
        order(4711, 4712), {4711: FULL, 4712: OpenDebt(YOUNGER, 10)}, {9: "ana"},
        "invoices 4711 and 4712 are open, the oldest due on 18/09, R$ 100,00 now; ordered by ana",
        "faturas 4711 e 4712 em aberto, a mais antiga venceu em 18/09, agora R$ 100,00; por ordem de ana",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("given_order", "debts", "ordered_by", "english", "portuguese"), OLD_CASES.values(), ids=OLD_CASES.keys()
)
@pytest.mark.parametrize(
    "found",
    [
        pytest.param({}, id="no evidence"),
        pytest.param({"day": "2026-10-03"}, id="evidence that lacks the most"),
        pytest.param(evidence(oldest=None), id="evidence of another shape"),
        pytest.param(evidence(calendar={}), id="a calendar of another shape"),
    ],
)
def test_an_order_without_evidence(
    found: dict[str, Any],
    given_order: RestrictionOrder,
    debts: dict[int, OpenDebt],
    ordered_by: dict[int, str],
    english: str,
    portuguese: str,
) -> None:
    background = Background({9: found}, ordered_by, debts)
    told = [tell_order(Voice(language, ZONE, AT), given_order, background) for language in (ENGLISH, PORTUGUESE)]
    assert told == [english, portuguese]


def test_the_evidence_that_the_decision_gives_is_understood() -> None:
    day = date(2026, 10, 5)
    rules = SuspensionRules("Boleto", 3, 15, 5, 1000, 10, frozenset({5, 6, 7}), True, True)
    check = check_day(day, rules, {date(2026, 10, 12): "Nossa Senhora Aparecida"})
    [wanted] = decide({7: [OpenInvoice(4711, DUE, 9990)]}, {7: rules}, day, {7: {4711: date(2026, 9, 20)}}, {7: check})
    told = tell_order(Voice(PORTUGUESE, ZONE, AT), order(), Background({9: dict(wanted.evidence)}))
    assert told == (
        "fatura 4711 venceu em 18/09, 17 dias, R$ 99,90 em aberto (mínimo R$ 10,00); avisado em 20/09; regra v3; "
        "feriado 12/10 não se aplica."
    )
