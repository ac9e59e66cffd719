"""What a subscriber portal or a telephone system may see and do: no more than one person's own, and not too often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from api.tokens import create_token
from api.tries import TRIES, SelfServiceWindow, count_try
from core.database import Database
from core.errors import TooManyTries
from core.permissions import SELF_SERVICE
from core.runtime import Runtime
from provisioning.cancellation import cancel
from provisioning.models import TimelineEntry, TrustUnblockRow
from provisioning.trust.rule_book import set_trust_rules
from tests.factories import ANA, cpf, make_subscriber, make_subscription, restrict
from tests.factories_api import Client, problem
from tests.ticking import FakeClock

DOCUMENT, OTHER, UNKNOWN = cpf(111_222_333), cpf(111_222_334), cpf(111_222_335)


@pytest.fixture
def portal(runtime: Runtime) -> Client:
    client = Client(runtime)
    with runtime.database.transaction(ANA) as tx:
        _, secret = create_token(tx, name="portal", operator="portal", permissions=[SELF_SERVICE])
    client.token = secret.reveal()
    return client


@pytest.fixture
def late(runtime: Runtime) -> int:
    """A suspended subscription of the subscriber with DOCUMENT; OTHER has one too, and UNKNOWN nothing."""
    with runtime.database.transaction(ANA) as tx:
        kept = [make_subscription(tx, subscriber_id=make_subscriber(tx, document=it).id) for it in (DOCUMENT, OTHER)]
        restrict(tx, kept[0].id)
        return kept[0].id


def ask(portal: Client, subscription_id: int, document: str = DOCUMENT, **more: Any) -> Any:
    body = {"subscription_id": subscription_id, "document": document, **more}
    return portal.post("/self-service/trust-unblock", body)


def spelled(document: str) -> str:
    """The document with its usual punctuation."""
    return f"{document[:3]}.{document[3:6]}.{document[6:9]}-{document[9:]}"


def rules(runtime: Runtime, **changes: Any) -> None:
    with runtime.database.transaction(ANA) as tx:
        set_trust_rules(tx, **changes)


def test_the_status_says_state_debt_and_what_is_possible(portal: Client, late: int) -> None:
    [service] = portal.get("/self-service/status", document=spelled(DOCUMENT)).content["services"]
    assert (service["subscription_id"], service["state"], service["open_cents"]) == (late, "SUSPENDED", 9990)
    assert service["words"]["pt_br"] == "Seu serviço está suspenso por fatura em aberto."
    assert service["trust"] == {
        "possible": True,
        "most_days": 3,
        "words": {
            "pt_br": "Você pode pedir o desbloqueio por até 3 dias.",
            "en": "You may ask for a trust unblock of up to 3 days.",
        },
    }
    assert portal.get("/self-service/status", login=service["login"]).content["services"] == [service]
    [other] = portal.get("/self-service/status", document=OTHER).content["services"]
    assert (other["state"], other["trust"]["possible"], other["trust"]["words"]["en"]) == (
        "ACTIVE", False, "There is nothing to unblock.",
    )  # fmt: skip


def test_a_subscriber_unblocks_until_the_end_of_the_last_day(portal: Client, runtime: Runtime, late: int) -> None:
    answer = ask(portal, late)
    assert answer.status == 201, answer.content
    given = answer.content
    assert (given["state"], given["until"]) == ("ACTIVE", "2026-03-06T03:00:00Z")
    assert given["words"]["pt_br"] == (
        f"Seu serviço está liberado até 06/03/2026 às 00:00. Protocolo {given['protocol']}."
    )
    with runtime.database.reading() as tx:
        row = tx.session.scalars(select(TrustUnblockRow)).one()
        assert (row.channel, row.granted_by, row.protocol) == ("self-service", "portal", given["protocol"])
        told = tx.session.scalars(select(TimelineEntry).where(TimelineEntry.event == "trust.granted")).one()
        assert told.note == "asked for by the subscriber through portal"


@pytest.mark.parametrize(
    ("days", "until"),
    [pytest.param(1, "2026-03-04T03:00:00Z", id="one"), pytest.param(3, "2026-03-06T03:00:00Z", id="all")],
)
def test_as_many_days_as_asked_for(portal: Client, late: int, days: int, until: str) -> None:
    assert ask(portal, late, days=days).content["until"] == until


@pytest.mark.parametrize("days", [0, 4])
def test_no_day_and_a_day_too_many_are_refused(portal: Client, late: int, days: int) -> None:
    [entry] = problem(ask(portal, late, days=days), 422, "invalid-input")["errors"]
    assert (entry["field"], entry["example"]) == ("days", 3)


def test_the_operators_limit_holds_for_subscribers_too(portal: Client, runtime: Runtime, late: int) -> None:
    rules(runtime, max_days=5, self_service_max_days=5)
    rules(runtime, self_service_max_days=2)
    assert problem(ask(portal, late, days=3), 422, "invalid-input")["errors"][0]["example"] == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"self_service": False}, "Trust unblock is not offered here.", id="switched off"),
        pytest.param({"self_service_max_days": 0}, "Trust unblock is not offered here.", id="no days"),
        pytest.param({"uses": 0}, "Not possible: the limit of trust unblocks is reached.", id="no uses"),
        pytest.param(
            {"minimum_age_days": 1}, "Not possible: the service is too new. Possible from 2026-03-03 on.", id="too new"
        ),
    ],
)
def test_what_the_rules_refuse_is_said_before_and_after_asking(
    portal: Client, runtime: Runtime, late: int, changes: dict[str, int], words: str
) -> None:
    rules(runtime, **changes)
    [service] = portal.get("/self-service/status", document=DOCUMENT).content["services"]
    assert (service["trust"]["possible"], service["trust"]["words"]["en"]) == (False, words)
    refused = problem(ask(portal, late), 409, "not-allowed")
    assert refused["words"] == service["trust"]["words"]


def test_asking_twice_grants_once(portal: Client, runtime: Runtime, late: int) -> None:
    assert ask(portal, late).status == 201
    assert problem(ask(portal, late), 409, "not-allowed")["words"]["en"] == "There is nothing to unblock."
    with runtime.database.reading() as tx:
        assert tx.session.scalar(select(func.count()).select_from(TrustUnblockRow)) == 1


def test_the_same_key_gives_the_same_answer(portal: Client, late: int) -> None:
    body = {"subscription_id": late, "document": DOCUMENT}
    answers = [portal.post("/self-service/trust-unblock", body, key="call-7") for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert [answer.status for answer in answers] == [201, 201]


PROBES = [
    pytest.param(UNKNOWN, id="nobody's"),
    pytest.param("111.111.111-11", id="check digits that do not fit"),
    pytest.param("x", id="not a document"),
    pytest.param(OTHER, id="somebody else's"),
]


@pytest.mark.parametrize("document", PROBES)
def test_who_is_not_found_learns_nothing_by_asking(portal: Client, late: int, document: str) -> None:
    """Also with a subscription that exists, but is not theirs."""
    content = problem(ask(portal, late, document), 404, "not-found")
    content.pop("request_id")
    assert content == {
        "type": "/problems/not-found",
        "title": "There is no such thing",
        "status": 404,
        "detail": "there is no service of this document or login",
        "kind": "service",
        "key": "of this document or login",
    }


def test_an_unknown_document_and_an_unknown_login_have_the_same_status(portal: Client, late: int) -> None:
    asked = [{"document": UNKNOWN}, {"document": "1"}, {"login": "nobody@x"}, {"login": "x" * 128}]
    answers = [problem(portal.get("/self-service/status", **words), 404, "not-found") for words in asked]
    assert len({answer["detail"] for answer in answers}) == 1


@pytest.mark.parametrize(
    "words", [pytest.param({}, id="neither"), pytest.param({"document": DOCUMENT, "login": "x"}, id="both")]
)
def test_either_a_document_or_a_login(portal: Client, words: dict[str, str]) -> None:
    [entry] = problem(portal.get("/self-service/status", **words), 422, "invalid-input")["errors"]
    assert entry["field"] == "document"


@pytest.mark.parametrize("document", [DOCUMENT, UNKNOWN], ids=["known", "unknown"])
def test_the_eleventh_try_within_an_hour_is_refused(portal: Client, clock: FakeClock, late: int, document: str) -> None:
    for number in range(10):
        assert portal.get("/self-service/status", document=spelled(document) if number % 2 else document).status in (
            200,
            404,
        )
    clock.advance(minutes=59, seconds=59)
    answer = portal.get("/self-service/status", document=document)
    problem(answer, 429, "too-many-tries")
    assert answer.headers["retry-after"] == "1"
    problem(ask(portal, late, document), 429, "too-many-tries")
    assert portal.get("/self-service/status", document=OTHER).status == 200
    clock.advance(seconds=1)
    assert portal.get("/self-service/status", document=document).status in (200, 404)


def test_a_try_that_is_refused_counts_too(portal: Client, late: int) -> None:
    for _ in range(10):
        problem(ask(portal, late, days=99), 422, "invalid-input")
    problem(ask(portal, late), 429, "too-many-tries")


def test_of_many_tries_at_once_ten_are_let_through(runtime: Runtime, database: Database) -> None:
    def one_try(_number: int) -> bool:
        try:
            with database.transaction(ANA) as tx:
                count_try(tx, "document:x")
        except TooManyTries:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one_try, range(24))) == TRIES


def test_the_counter_keeps_no_document_and_forgets_after_an_hour(
    portal: Client, runtime: Runtime, clock: FakeClock, late: int
) -> None:
    portal.get("/self-service/status", document=DOCUMENT)
    with runtime.database.reading() as tx:
        [row] = tx.session.scalars(select(SelfServiceWindow)).all()
        assert DOCUMENT not in row.subject
    clock.advance(hours=1)
    portal.get("/self-service/status", document=OTHER)
    with runtime.database.reading() as tx:
        assert [item.subject for item in tx.session.scalars(select(SelfServiceWindow))] != [row.subject]
        assert tx.session.scalar(select(func.count()).select_from(SelfServiceWindow)) == 1


def test_a_cancelled_subscription_is_nobodys(portal: Client, runtime: Runtime, late: int) -> None:
    with runtime.database.transaction(ANA) as tx:
        cancel(tx, subscription_id=late)
    problem(portal.get("/self-service/status", document=DOCUMENT), 404, "not-found")
    problem(ask(portal, late), 404, "not-found")
