"""HubSoft's rows and the questions of a window."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_bridge.gateways.hubsoft.contract import BY_DUE, MOST_DAYS
from billing_bridge.gateways.hubsoft.mapping import cents, day, listed, plan, question_of, services_of, split
from billing_bridge.gateways.listing import FeedError, Window

ROW: dict[str, Any] = {
    "id_fatura": 62636,
    "nosso_numero": "1900247",
    "data_vencimento": "2020-04-05",
    "data_pagamento": None,
    "valor": "119.9",
    "valor_pago": None,
    "cliente": {"cpf_cnpj": "390.533.447-05"},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("99.90", 9990), ("99,90", 9990), ("119.9", 11990), ("100", 10000), ("0,05", 5), ("1.234,56", 123456),
        (132.5, 13250), (10, 1000), ("1234567.89", 123456789), (" 10 ", 1000),
    ],
)  # fmt: skip
def test_amounts_are_read(text: object, expected: int) -> None:
    assert cents(text, "valor") == expected


@pytest.mark.parametrize("text", ["", None, True, "free", "1,234.56", "1.2.3", "9.999", "1e3", "R$ 10", "--1", "NaN"])
def test_what_is_no_amount_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="valor is no amount"):
        cents(text, "valor")


@given(st.integers(0, 10**9))
def test_an_amount_in_either_notation_is_the_same(amount: int) -> None:
    whole, rest = divmod(amount, 100)
    assert cents(f"{whole}.{rest:02d}", "valor") == cents(f"{whole},{rest:02d}", "valor") == amount
    assert cents(f"{whole:,}".replace(",", ".") + f",{rest:02d}", "valor") == amount


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-10", date(2026, 3, 10)), ("10/03/2026", date(2026, 3, 10)), (None, None), ("", None),
        ("2026-03-10 12:52:12", date(2026, 3, 10)), ("10/03/2026 12:52", date(2026, 3, 10)),
    ],
)  # fmt: skip
def test_days_are_read(text: object, expected: date | None) -> None:
    assert day(text, "data_vencimento") == expected


@pytest.mark.parametrize("text", ["2026-02-30", "31/02/2026", "tomorrow", 20260310, "10-03-2026", "2026/03/10"])
def test_what_is_no_day_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="data_vencimento"):
        day(text, "data_vencimento")


@pytest.mark.parametrize(
    ("fields", "status", "open_cents"),
    [
        pytest.param({}, "open", 11990, id="open"),
        pytest.param({"data_pagamento": "2020-04-06"}, "paid", 0, id="a day of payment"),
        pytest.param({"data_pagamento": "2020-04-06", "quitado": False, "valor_pago": "100"}, "open", 1990, id="part"),
        pytest.param({"valor_pago": "19,90"}, "open", 10000, id="part without a day"),
        pytest.param({"valor_pago": "119,90"}, "paid", 0, id="the whole amount"),
        pytest.param({"valor_pago": "150,00"}, "paid", 0, id="with interest"),
        pytest.param({"quitado": True}, "paid", 0, id="said to be settled"),
        pytest.param({"status": "cancelado"}, "cancelled", 0, id="cancelled"),
        pytest.param({"data_cancelamento": "2020-04-06"}, "cancelled", 0, id="a day of cancellation"),
    ],
)
def test_what_is_open(fields: dict[str, Any], status: str, open_cents: int) -> None:
    snapshot = listed({**ROW, **fields}).snapshot
    assert snapshot is not None
    assert (snapshot.status, snapshot.open_cents, snapshot.amount_cents) == (status, open_cents, 11990)


@pytest.mark.parametrize(
    ("fields", "login", "external_id"),
    [
        pytest.param({}, "", "", id="document only"),
        pytest.param({"id_cliente_servico": 77}, "", "77", id="its id"),
        pytest.param({"cliente_servico": {"id_cliente_servico": 77, "login_radius": "m"}}, "m", "77", id="nested"),
        pytest.param({"login_radius": "m"}, "m", "", id="login"),
    ],
)
def test_who_is_meant(fields: dict[str, Any], login: str, external_id: str) -> None:
    snapshot = listed({**ROW, **fields}).snapshot
    assert snapshot is not None
    ref = snapshot.subscription
    assert (ref.login, ref.external_id, ref.document) == (login, external_id, "39053344705")


@pytest.mark.parametrize(
    "fields",
    [{"valor": "free"}, {"valor": "0"}, {"data_vencimento": None}, {"data_vencimento": "x"}, {"cliente": None}],
)
def test_a_row_that_cannot_be_read_is_listed_with_its_trouble(fields: dict[str, Any]) -> None:
    item = listed({**ROW, **fields})
    assert (item.external_id, item.snapshot) == ("62636", None)
    assert item.trouble


@pytest.mark.parametrize("row", [None, [], {}, {"id_fatura": None}, {"id_fatura": True}, "x"])
def test_a_row_without_an_id_spoils_the_listing(row: object) -> None:
    with pytest.raises(FeedError):
        listed(row)


def test_services_without_a_login_say_nothing() -> None:
    row = {
        "cpf_cnpj": "1",
        "servicos": [{"id_cliente_servico": 1}, {"login": "x"}, {"id_cliente_servico": 2, "login": "y"}],
    }
    assert [(item.external_id, item.login) for item in services_of(row)] == [("2", "y")]
    with pytest.raises(FeedError):
        services_of({"servicos": "none"})


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 400))
def test_questions_cover_every_day_once(first: date, days: int) -> None:
    last = first + timedelta(days=days)
    questions = list(split(BY_DUE, first, last))
    covered = [item.first + timedelta(days=n) for item in questions for n in range((item.last - item.first).days + 1)]
    assert covered == [first + timedelta(days=n) for n in range(days + 1)]
    assert all((item.last - item.first).days < MOST_DAYS for item in questions)


def test_a_plan_asks_who_is_who_and_then_for_every_date() -> None:
    today = date(2026, 3, 2)
    steps = plan(Window(today - timedelta(days=100), today + timedelta(days=62), today - timedelta(days=20), today))
    assert [step["ask"] for step in steps] == ["services", *["data_vencimento"] * 6, "data_pagamento", "data_cadastro"]
    assert question_of(steps[1]).first == today - timedelta(days=100)
    assert question_of(steps[6]).last == today + timedelta(days=62)
