"""Payments that race with a dunning run: nobody who has paid is left restricted, whoever was first."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.postgres import PostgresServer
from tests.scenarios.installation import Installation, installed
from tests.scenarios.line import Line
from tests.scenarios.provider import Customer, found, invoice, sign_up
from tests.scenarios.waiting import until

ROUNDS, PAYERS = 20, 5


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
    paid, all_paid = (dict.fromkeys(ids(who), "ACTIVE") for who in (payers, [*payers, debtor]))
    with ExitStack() as connections:
        racers = [connections.enter_context(installation.http()) for _ in range(PAYERS + 1)]
        for racer in racers:
            racer.get("/plans")
        for turn in range(ROUNDS):
            bills = [invoice(api, installation.clock, who, due_in_days=-20) for who in payers]
            unpaid = invoice(api, installation.clock, debtor, due_in_days=-20)
            race(racers, bills, spread=turn % 5 * 0.004)
            assert states(installation) == {**paid, debtor.subscription_id: "SUSPENDED"}
            api.post(f"/invoices/{unpaid}/pay")
            assert states(installation) == all_paid
    for key in all_paid:
        assert api.get(f"/subscriptions/{key}/explain")["state"] == "ACTIVE"
    lines = [Line(installation.radclient(), who.login) for who in (*payers, debtor)]
    until(
        lambda: {line.asks().get("Mikrotik-Rate-Limit") for line in lines} == {"250M/500M"},
        "RADIUS gives everybody who paid the full speed",
    )


def race(racers: Sequence[httpx.Client], bills: Sequence[int], spread: float) -> None:
    """Run the dunning and pay the bills at the same moment, on connections that are there already.

    Each payment comes `spread` seconds after the one before, so that all parts of the run are met by some.
    """
    start = threading.Barrier(len(racers))

    def post(http: httpx.Client, path: str, body: dict[str, object], wait: float) -> None:
        start.wait(60)
        time.sleep(wait)
        answer = http.post(path, json=body)
        assert answer.status_code == 201, answer.text

    requests: list[tuple[str, dict[str, object], float]] = [("/dunning/runs", {"approve": True}, 0)]
    requests += [(f"/invoices/{bill}/pay", {"method": "pix"}, at * spread) for at, bill in enumerate(bills)]
    with ThreadPoolExecutor(len(racers)) as pool:
        racing = [pool.submit(post, http, *request) for http, request in zip(racers, requests, strict=True)]
        for each in racing:
            each.result()


def ids(customers: Sequence[Customer]) -> list[int]:
    return [customer.subscription_id for customer in customers]


def states(installation: Installation) -> dict[int, str]:
    return {row["id"]: row["state"] for row in installation.api.get("/subscriptions")["items"]}
