"""`explain` prints the evaluation: the step that decided is the cause of the state."""

from __future__ import annotations

import string
from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.explain.evaluation import explain_facts
from provisioning.explain.words import ENGLISH, PHRASES, PORTUGUESE, Voice, choose_language
from provisioning.facts import Facts, Pause, ServiceState, TrustUnblock
from provisioning.service_state import service_state
from tests.unit.test_service_state import (
    RULES,
    T0,
    any_facts,
    custom,
    day,
    facts,
    partial,
    paused,
    total,
    trust,
)

ZONE = ZoneInfo("America/Sao_Paulo")
EN, PT = Voice(ENGLISH, ZONE, T0), Voice(PORTUGUESE, ZONE, T0)
NOTED = Pause(day(-1), day(5), "viagem")
LAST_YEAR = datetime(2025, 12, 31, 23, 0, tzinfo=UTC)

SENTENCES = {
    "nothing holds": (
        facts(), "active",
        "ACTIVE: no restriction holds",
        "Habilitado: nenhuma restrição vigora",
    ),
    "an order": (
        facts(orders=(total(-1),)), "total order",
        "SUSPENDED since 01/03 09:00: invoice 1 is open",
        "Suspenso desde 01/03 09:00: fatura 1 em aberto",
    ),
    "a partial order": (
        facts(orders=(partial(-1),)), "partial order",
        "REDUCED since 01/03 09:00: invoice 1 is open",
        "Suspenso parcialmente desde 01/03 09:00: fatura 1 em aberto",
    ),
    "an order of last year": (
        facts(orders=(replace(total(-1), since=LAST_YEAR),)), "total order",
        "SUSPENDED since 31/12/2025 20:00: invoice 1 is open",
        "Suspenso desde 31/12/2025 20:00: fatura 1 em aberto",
    ),
    "trust": (
        facts(orders=(total(-9),), trusts=(trust(-1, 1),)), "trust unblock",
        "ACTIVE on trust until 03/03 09:00: promised",
        "Habilitado em confiança até 03/03 09:00: promised",
    ),
    "trust into another year": (
        facts(trusts=(TrustUnblock(day(-1), datetime(2027, 1, 1, 12, tzinfo=UTC), "paga em janeiro"),)),
        "trust unblock",
        "ACTIVE on trust until 01/01/2027 09:00: paga em janeiro",
        "Habilitado em confiança até 01/01/2027 09:00: paga em janeiro",
    ),
    "a pause": (
        facts(pauses=(paused(-1),)), "paused",
        "PAUSED since 01/03 09:00 at the subscriber's request",
        "Suspenso a pedido do cliente desde 01/03 09:00",
    ),
    "a pause with an end and a note": (
        facts(pauses=(NOTED,)), "paused",
        "PAUSED since 01/03 09:00 at the subscriber's request, until 07/03 09:00: viagem",
        "Suspenso a pedido do cliente desde 01/03 09:00, até 07/03 09:00: viagem",
    ),
    "cancelled": (
        facts(cancelled_at=day(-1)), "cancelled",
        "CANCELLED since 01/03 09:00",
        "Cancelado desde 01/03 09:00",
    ),
    "not installed": (
        facts(installed_at=None), "pending",
        "PENDING_INSTALL: the installation is not done yet",
        "Aguardando instalação: a instalação ainda não foi concluída",
    ),
    "installed tomorrow": (
        facts(installed_at=day(1)), "pending",
        "PENDING_INSTALL: installed only on 03/03 09:00",
        "Aguardando instalação: instalado somente em 03/03 09:00",
    ),
    "a migration": (
        facts(installed_at=None, awaits_migration=True, migrates_from_id=12), "pending",
        "PENDING_MIGRATION: awaiting migration from subscription 12",
        "Aguardando migração: aguarda a migração do serviço 12",
    ),
    "a migration of nobody knows what": (
        facts(installed_at=None, awaits_migration=True), "pending",
        "PENDING_MIGRATION: the migration is not done yet",
        "Aguardando migração: a migração ainda não foi concluída",
    ),
    "a custom speed": (
        facts(overrides=(custom(-1, 1),)), "active",
        "ACTIVE: no restriction holds; custom speed, until 03/03 09:00",
        "Habilitado: nenhuma restrição vigora; navegação customizada, até 03/03 09:00",
    ),
    "a custom speed without an end": (
        facts(overrides=(custom(-1),)), "active",
        "ACTIVE: no restriction holds; custom speed",
        "Habilitado: nenhuma restrição vigora; navegação customizada",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("given_facts", "decider", "english", "portuguese"), SENTENCES.values(), ids=SENTENCES.keys())
def test_the_decider_and_the_sentence(given_facts: Facts, decider: str, english: str, portuguese: str) -> None:
    explained = explain_facts(7, given_facts, RULES, EN)
    assert [step.rule for step in explained.steps if step.decided] == [decider]
    assert (explained.sentence, explain_facts(7, given_facts, RULES, PT).sentence) == (english, portuguese)


def test_every_state_has_a_sentence_in_the_table() -> None:
    assert {service_state(row[0], RULES, T0).state for row in SENTENCES.values()} == set(ServiceState)


SPEEDS = {
    "plan": (facts(), "500M down, 250M up (plan)", "500M de download, 250M de upload (plano)"),
    "custom": (
        facts(overrides=(custom(-1, 1),)),
        "50M down, 50M up (custom speed, until 03/03 09:00)",
        "50M de download, 50M de upload (navegação customizada, até 03/03 09:00)",
    ),
    "reduced": (
        facts(orders=(partial(-1),)),
        "2M down, 1M up (reduced speed of the plan)",
        "2M de download, 1M de upload (velocidade reduzida do plano)",
    ),
    "reduced by the company": (
        facts(orders=(partial(-1),), reduced_speed=None),
        "1M down, 1M up (reduced speed of the company)",
        "1M de download, 1M de upload (velocidade reduzida da empresa)",
    ),
    "suspended": (
        facts(orders=(total(-1),)),
        "256k down, 256k up (speed of SUSPENDED)",
        "256k de download, 256k de upload (velocidade do status Suspenso)",
    ),
    "none": (facts(cancelled_at=day(-1)), "no service", "sem serviço"),
}


@pytest.mark.parametrize(("given_facts", "english", "portuguese"), SPEEDS.values(), ids=SPEEDS.keys())
def test_where_the_speed_comes_from(given_facts: Facts, english: str, portuguese: str) -> None:
    told = [explain_facts(7, given_facts, RULES, voice).speed for voice in (EN, PT)]
    assert told == [english, portuguese]


STEPS = {
    "a suspension with a past": (
        facts(orders=(partial(-9), total(-5)), trusts=(trust(-3, -1),)),
        ["não cancelado", "instalado em 31/01 09:00", "nenhum", "encerrado: desde 27/02 09:00, até 01/03 09:00",
         "vigente: desde 25/02 09:00", "vigente: desde 21/02 09:00", "algo acima vigora"],
    ),
    "a migration": (
        facts(installed_at=None, awaits_migration=True, migrates_from_id=12),
        ["não cancelado", "aguarda a migração do serviço 12", *["nenhum"] * 4, "algo acima vigora"],
    ),
    "nothing": (facts(), ["não cancelado", "instalado em 31/01 09:00", *["nenhum"] * 4, "nada acima vigora"]),
}  # fmt: skip


@pytest.mark.parametrize(("given_facts", "findings"), STEPS.values(), ids=STEPS.keys())
def test_the_steps_in_portuguese(given_facts: Facts, findings: list[str]) -> None:
    steps = explain_facts(7, given_facts, RULES, PT).steps
    assert [step.rule for step in steps] == [
        "cancelado", "aguardando", "suspenso a pedido", "desbloqueio em confiança", "ordem total", "ordem parcial",
        "habilitado",
    ]  # fmt: skip
    assert [step.finding for step in steps] == findings


@given(any_facts(), st.integers(-45, 45), st.sampled_from(sorted(PHRASES)))
def test_exactly_one_step_decides_and_the_state_is_the_engine_s(given_facts: Facts, start: int, language: str) -> None:
    explained = explain_facts(7, given_facts, RULES, Voice(language, ZONE, day(start)))
    assert explained.state is service_state(given_facts, RULES, day(start)).state
    assert sum(step.decided for step in explained.steps) == 1
    assert explained.sentence.startswith(PHRASES[language][f"state.{explained.state.value}"])


def test_both_languages_have_the_same_phrases_with_the_same_fields() -> None:
    fields = {
        language: {
            key: sorted(name for _, name, _, _ in string.Formatter().parse(text) if name) for key, text in table.items()
        }
        for language, table in PHRASES.items()
    }
    assert fields[ENGLISH] == fields[PORTUGUESE]
    assert {f"state.{state.value}" for state in ServiceState} <= fields[ENGLISH].keys()


@pytest.mark.parametrize(
    ("wanted", "accepted", "language"),
    [
        pytest.param(None, None, ENGLISH, id="nothing asked"),
        pytest.param(None, "", ENGLISH, id="an empty header"),
        pytest.param("pt-BR", "en", PORTUGUESE, id="the parameter is stronger"),
        pytest.param("en", "pt-BR", ENGLISH, id="both ways"),
        pytest.param(None, "pt-BR,pt;q=0.9,en;q=0.8", PORTUGUESE, id="a browser of Brazil"),
        pytest.param(None, "pt", PORTUGUESE, id="any Portuguese"),
        pytest.param(None, "PT-br", PORTUGUESE, id="case does not matter"),
        pytest.param(None, "en-US,en;q=0.9,pt;q=0.8", ENGLISH, id="English first"),
        pytest.param(None, "en;q=0.2, pt;q=0.7", PORTUGUESE, id="weights count, not order"),
        pytest.param(None, "pt;q=0", ENGLISH, id="not wanted at all"),
        pytest.param(None, "de, fr;q=0.5", ENGLISH, id="neither"),
        pytest.param(None, "*", ENGLISH, id="any"),
        pytest.param(None, "pt;q=x", ENGLISH, id="nonsense"),
    ],
)
def test_the_language(wanted: str | None, accepted: str | None, language: str) -> None:
    assert choose_language(wanted, accepted) == language


@pytest.mark.parametrize(
    ("count", "english", "portuguese"),
    [
        pytest.param(1, "1", "1", id="one"),
        pytest.param(2, "1 and 2", "1 e 2", id="two"),
        pytest.param(5, "1, 2, 3, 4 and 5", "1, 2, 3, 4 e 5", id="five"),
        pytest.param(6, "1, 2, 3, 4, 5 and 1 more", "1, 2, 3, 4, 5 e mais 1", id="six"),
        pytest.param(40, "1, 2, 3, 4, 5 and 35 more", "1, 2, 3, 4, 5 e mais 35", id="forty"),
    ],
)
def test_lists(count: int, english: str, portuguese: str) -> None:
    assert [voice.listed(range(1, count + 1)) for voice in (EN, PT)] == [english, portuguese]


@pytest.mark.parametrize(
    ("when", "text"),
    [(date(2026, 1, 1), "01/01"), (date(2026, 12, 31), "31/12"), (date(2025, 12, 31), "31/12/2025")],
)
def test_the_year_is_written_where_it_is_another(when: date, text: str) -> None:
    assert PT.day(when) == text


def test_the_year_is_the_company_s() -> None:
    new_year = Voice(PORTUGUESE, ZONE, datetime(2027, 1, 1, 2, 59, tzinfo=UTC))  # still 2026 in São Paulo
    assert new_year.day(date(2026, 12, 30)) == "30/12"
