"""Payments that race with a dunning run: nobody who has paid is left restricted, whoever was first."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.postgres import PostgresServer
from tests.scenarios.installation import Installation, installed
from tests.scenarios.line import Line
from tests.scenarios.provider import Customer, found, invoice, sign_up
from tests.scenarios.waiting import until

ROUNDS, PAYERS = 20, 6


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    if request.param == "sqlite":
        with installed(tmp_path) as made:
            yield made
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    with postgres.database() as url, installed(tmp_path, {"CATRACA_DATABASE_URL": url}) as made:
        yield made


def test_who_pays_while_a_run_is_under_way_is_not_left_restricted(installation: Installation) -> None:
    api = installation.api
    provider = found(api)
    payers = [sign_up(api, provider, f"paga{number}@lab") for number in range(PAYERS)]
    debtor = sign_up(api, provider, "devedor@lab")
    for _ in range(ROUNDS):
        bills = [invoice(api, installation.clock, who, due_in_days=-20) for who in payers]
        unpaid = invoice(api, installation.clock, debtor, due_in_days=-20)
        race(installation, bills)
        assert states(installation, payers) == ["ACTIVE"] * PAYERS
        assert states(installation, [debtor]) == ["SUSPENDED"], "the run was in earnest"
        api.post(f"/invoices/{unpaid}/pay")
        assert states(installation, [debtor]) == ["ACTIVE"]
    lines = [Line(installation.radclient(), who.login) for who in (*payers, debtor)]
    until(
        lambda: {line.asks().get("Mikrotik-Rate-Limit") for line in lines} == {"250M/500M"},
        "RADIUS gives everybody who paid the full speed",
    )


def race(installation: Installation, bills: Sequence[int]) -> None:
    """Run the dunning and pay the bills, all at the same moment."""
    start = threading.Barrier(len(bills) + 1)

    def post(path: str, body: dict[str, object]) -> None:
        with installation.http() as http:
            http.get("/plans")  # a connection that is there already makes the race closer
            start.wait(60)
            answer = http.post(path, json=body)
            assert answer.status_code == 201, answer.text

    with ThreadPoolExecutor(len(bills) + 1) as pool:
        racing = [pool.submit(post, "/dunning/runs", {"approve": True})]
        racing += [pool.submit(post, f"/invoices/{bill}/pay", {"method": "pix"}) for bill in bills]
        for each in racing:
            each.result()


def states(installation: Installation, customers: Sequence[Customer]) -> list[str]:
    """As the facts demand (explain) and as lists and RADIUS see it (the stored state), which must be the same."""
    found_states = []
    for customer in customers:
        path = f"/subscriptions/{customer.subscription_id}"
        stored, explained = installation.api.get(path)["state"], installation.api.get(f"{path}/explain")["state"]
        assert stored == explained
        found_states.append(stored)
    return found_states
