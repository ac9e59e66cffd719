"""`explain` over the API: the language, the evidence of an order, what is open now, and instants of the past."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pytest

from billing_bridge.dunning.candidates import new_orders
from billing_bridge.payments import receive
from core.actor import Actor
from core.database import Transaction
from core.runtime import Runtime
from provisioning.explain.evaluation import explain
from provisioning.models import Subscription
from provisioning.orders import order_restriction
from tests.factories_api import Client
from tests.factories_billing import make_billed, make_invoice, make_method
from tests.ticking import FakeClock

DAY = date(2026, 3, 2)
JOANA = Actor("joana", "api")


def suspended(tx: Transaction) -> tuple[Subscription, int]:
    """By a run of the second of March, a fortnight after Carnival; with the invoice."""
    subscription = make_billed(tx, make_method(tx, hold_holidays=True))
    invoice = make_invoice(tx, subscription, late=30)
    [wanted] = new_orders(tx, [subscription.id], DAY)
    order_restriction(
        tx,
        subscription_id=subscription.id,
        level=wanted.level.value,
        invoice_ids=wanted.invoice_ids,
        minimum_open_cents=wanted.minimum_open_cents,
        rule=wanted.rule,
        run="dunning-1",
        evidence=wanted.evidence,
        rule_version=wanted.rule_version,
    )
    return subscription, invoice.id


def test_the_evidence_is_told_and_less_now_as_well(runtime: Runtime, clock: FakeClock) -> None:
    with runtime.database.transaction() as tx:
        subscription, invoice = suspended(tx)
    words = f"fatura {invoice} venceu em 31/01, 30 dias, R$ 99,90 em aberto (mínimo R$ 10,00)"
    rest = "regra v1; feriados 16/02 e 17/02 não se aplicam."
    with runtime.database.reading() as tx:
        assert explain(tx, subscription.id, tx.now, "pt-BR").sentence == f"Suspenso desde 02/03 09:00: {words}; {rest}"
    ordered_at = clock.now
    clock.advance(hours=1)
    with runtime.database.transaction() as tx:
        receive(tx, invoice_id=invoice, amount_cents=5000)
    with runtime.database.reading() as tx:
        now = explain(tx, subscription.id, tx.now, "pt-BR").sentence
        past = explain(tx, subscription.id, ordered_at, "pt-BR").sentence
    assert now == f"Suspenso desde 02/03 09:00: {words}; agora R$ 49,90 em aberto; {rest}"
    assert past == f"Suspenso desde 02/03 09:00: {words}; {rest}"


def test_a_person_s_order_names_the_person(runtime: Runtime) -> None:
    with runtime.database.transaction(JOANA) as tx:
        subscription = make_billed(tx, make_method(tx))
        invoice = make_invoice(tx, subscription, late=3)
        order_restriction(tx, subscription_id=subscription.id, level="partial", invoice_ids=[invoice.id])
        told = explain(tx, subscription.id, tx.now)
    assert told.sentence == (
        f"REDUCED since 02/03 09:00: invoice {invoice.id} is open, due on 27/02, R$ 99,90 now; ordered by joana"
    )


@pytest.mark.parametrize(
    ("query", "headers", "state"),
    [
        pytest.param({}, {}, "ACTIVE", id="English unless asked"),
        pytest.param({"lang": "pt-BR"}, {}, "Habilitado", id="the parameter"),
        pytest.param({}, {"Accept-Language": "pt-BR,pt;q=0.9"}, "Habilitado", id="the header"),
        pytest.param({"lang": "en"}, {"Accept-Language": "pt-BR"}, "ACTIVE", id="the parameter before the header"),
    ],
)
def test_the_language_of_the_verb(
    runtime: Runtime, query: dict[str, str], headers: Mapping[str, str], state: str
) -> None:
    client = Client(runtime)
    with runtime.database.transaction() as tx:
        key = make_billed(tx, make_method(tx)).id
    answer = client.call("GET", f"/api/v1/subscriptions/{key}/explain", query=query, headers=headers)
    assert (answer.status, answer.content["state"]) == (200, "ACTIVE")
    assert answer.content["sentence"].startswith(f"{state}: ")
    assert client.get(f"/subscriptions/{key}/explain", lang="de").status == 422
