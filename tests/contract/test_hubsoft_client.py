"""The client against a server that keeps to HubSoft's contract, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from billing_bridge.gateways.hubsoft.client import PAUSES, HubSoft
from billing_bridge.gateways.hubsoft.contract import BY_DUE, BY_ENTRY, BY_PAYMENT, Question
from billing_bridge.gateways.hubsoft.mapping import step_of
from billing_bridge.gateways.listing import FeedError, Listed
from core.secrets import Secret
from lab.gateways.hubsoft import HubSoftSimulator

DAY = date(2026, 3, 10)
MARCH = step_of(Question(BY_DUE, date(2026, 3, 1), date(2026, 3, 30)))


@pytest.fixture
def hubsoft() -> Iterator[HubSoftSimulator]:
    with HubSoftSimulator() as simulator:
        maria = simulator.add_client("Maria", "39053344705", "maria@provedor", "maria-loja@provedor")
        simulator.add_bill(maria, 9990, DAY)
        yield simulator


class Waits:
    """How long the client paused, without waiting."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self.now = 0.0

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def seconds(self) -> float:
        return self.now


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def client(hubsoft: HubSoftSimulator, waits: Waits) -> Iterator[HubSoft]:
    opened = connected(hubsoft, waits)
    yield opened
    opened.close()


def connected(hubsoft: HubSoftSimulator, waits: Waits, **other: Any) -> HubSoft:
    given = {**hubsoft.credentials, **other}
    return HubSoft(
        hubsoft.url,
        given["client_id"],
        Secret(given["client_secret"]),
        given["username"],
        Secret(given["password"]),
        read_seconds=given.get("read_seconds", 5.0),
        pause=waits.pause,
        seconds=waits.seconds,
    )


def everything(client: HubSoft, step: dict[str, Any] = MARCH) -> list[Listed]:
    found: list[Listed] = []
    page, more = 0, True
    while more:
        answer = client.fetch(step, page)
        found += answer.invoices
        page, more = page + 1, answer.more
    return found


def test_an_invoice_is_read_in_both_notations(hubsoft: HubSoftSimulator, client: HubSoft) -> None:
    maria = hubsoft.clients[1]
    hubsoft.add_bill(maria, 123_456, DAY, paid_on=DAY, paid_cents=123_456, brazilian=True)
    hubsoft.add_bill(maria, 5000, DAY, cancelled=True)
    seen = [item.snapshot for item in everything(client)]
    assert [(item.amount_cents, item.open_cents, item.status) for item in seen if item] == [
        (9990, 9990, "open"),
        (123_456, 0, "paid"),
        (5000, 0, "cancelled"),
    ]
    assert {item.due_on for item in seen if item} == {DAY}
    assert {(item.subscription.external_id, item.subscription.document) for item in seen if item} == {
        ("100", "39053344705")
    }


def test_services_tell_who_is_who_and_no_password(client: HubSoft) -> None:
    page = client.fetch({"ask": "services"}, 0)
    assert [(item.external_id, item.login, item.document) for item in page.services] == [
        ("100", "maria@provedor", "39053344705"),
        ("101", "maria-loja@provedor", "39053344705"),
    ]
    assert "senha-do-cliente" not in repr(page)


def test_every_page_is_read_once(hubsoft: HubSoftSimulator, client: HubSoft) -> None:
    hubsoft.page_limit = 7
    for number in range(20):
        hubsoft.add_bill(hubsoft.clients[1], 100 + number, DAY + timedelta(days=number))
    ids = [item.external_id for item in everything(client)]
    assert sorted(ids) == sorted(str(key) for key in hubsoft.bills)
    assert sum("financeiro/fatura" in path for path in hubsoft.asked) == 3


@pytest.mark.parametrize("by", [BY_DUE, BY_PAYMENT, BY_ENTRY])
def test_each_kind_of_date_is_asked_for(hubsoft: HubSoftSimulator, client: HubSoft, by: str) -> None:
    hubsoft.bills.clear()
    dates = {BY_DUE: "due_on", BY_PAYMENT: "paid_on", BY_ENTRY: "entered_on"}
    values = {"due_on": date(2026, 1, 1), "entered_on": date(2026, 1, 1), dates[by]: DAY}
    wanted = hubsoft.add_bill(hubsoft.clients[1], 100, **values)
    day = step_of(Question(by, DAY, DAY))
    assert [item.external_id for item in everything(client, day)] == [str(wanted.id)]
    for other in (DAY - timedelta(days=1), DAY + timedelta(days=1)):
        assert everything(client, step_of(Question(by, other, other))) == []


def test_a_token_is_used_until_it_expires(hubsoft: HubSoftSimulator, client: HubSoft, waits: Waits) -> None:
    hubsoft.token_seconds = 3600
    everything(client)
    waits.now = 3539
    everything(client)
    assert hubsoft.logins == 1
    waits.now = 3540
    everything(client)
    assert hubsoft.logins == 2


def test_a_token_that_was_revoked_is_replaced_once(hubsoft: HubSoftSimulator, client: HubSoft) -> None:
    everything(client)
    hubsoft.revoke_tokens()
    assert len(everything(client)) == 1
    assert hubsoft.logins == 2


def test_credentials_that_are_refused_are_not_tried_again(hubsoft: HubSoftSimulator, waits: Waits) -> None:
    client = connected(hubsoft, waits, password="wrong-password")
    with pytest.raises(FeedError, match="credentials were refused: HTTP 401") as refused:
        client.fetch(MARCH, 0)
    client.close()
    assert "wrong-password" not in str(refused.value)
    assert (hubsoft.logins, waits.pauses) == (1, [])


@pytest.mark.parametrize("fault", ["500", "429", "reset"])
def test_what_may_pass_is_tried_again(hubsoft: HubSoftSimulator, client: HubSoft, waits: Waits, fault: str) -> None:
    everything(client)
    hubsoft.faults.extend([fault, fault])
    assert len(everything(client)) == 1
    assert waits.pauses == list(PAUSES)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param("500", "HTTP 500", id="500"),
        pytest.param("429", "HTTP 429", id="429"),
        pytest.param("reset", "no answer", id="reset"),
    ],
)
def test_what_does_not_pass_is_an_error(
    hubsoft: HubSoftSimulator, client: HubSoft, waits: Waits, fault: str, words: str
) -> None:
    everything(client)
    hubsoft.faults.extend([fault] * 3)
    with pytest.raises(FeedError, match=words):
        client.fetch(MARCH, 0)
    assert waits.pauses == list(PAUSES)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param("garbage", "did not answer JSON", id="cut off"),
        pytest.param("html", "did not answer JSON", id="a page for people"),
        pytest.param("list", "did not answer an object", id="a list"),
        pytest.param("nothing", "no list", id="no rows"),
        pytest.param("error", "answered an error: Erro ao consultar", id="the envelope's error"),
    ],
)
def test_what_is_no_answer_is_an_error(
    hubsoft: HubSoftSimulator, client: HubSoft, waits: Waits, fault: str, words: str
) -> None:
    everything(client)
    hubsoft.faults.append(fault)
    with pytest.raises(FeedError, match=words) as refused:
        client.fetch(MARCH, 0)
    assert "sim-client-secret" not in str(refused.value)
    assert waits.pauses == []


def test_a_server_that_is_slow_is_given_up(hubsoft: HubSoftSimulator, waits: Waits) -> None:
    client = connected(hubsoft, waits, read_seconds=0.05)
    everything(client)
    hubsoft.faults.extend(["slow"] * 3)
    with pytest.raises(FeedError, match="ReadTimeout"):
        client.fetch(MARCH, 0)
    client.close()


def test_a_server_that_is_not_there_is_an_error(hubsoft: HubSoftSimulator, waits: Waits) -> None:
    client = HubSoft("http://127.0.0.1:1", "12", Secret("s"), "u", Secret("p"), pause=waits.pause)
    with pytest.raises(FeedError, match="no answer"):
        client.fetch(MARCH, 0)
    client.close()


def test_the_simulator_refuses_what_hubsoft_would(hubsoft: HubSoftSimulator, client: HubSoft) -> None:
    too_long = step_of(Question(BY_DUE, DAY, DAY + timedelta(days=30)))
    with pytest.raises(FeedError, match="HTTP 400"):
        client.fetch(too_long, 0)
    assert client.fetch(step_of(Question(BY_DUE, DAY, DAY + timedelta(days=29))), 0).invoices
