"""What a person asks of a router: plan, apply, approval, status, check; by the API and on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from api.cli import main
from api.tokens import create_token
from core.runtime import Runtime
from provisioning.routeros.routers import change_router, get_router, start_maintenance
from tests.factories_api import Client, problem
from tests.factories_cycle import Site, site
from tests.factories_routers import waiting
from tests.ticking import FakeClock


@pytest.fixture
def borda(runtime: Runtime, clock: FakeClock) -> Iterator[Site]:
    with site(runtime, clock, {"ppp": 2, "static": 1}) as made:
        yield made


@pytest.fixture
def client(runtime: Runtime) -> Client:
    return Client(runtime)


def name_of(borda: Site) -> str:
    return borda.standing().name


def test_a_plan_is_looked_at_done_and_then_empty(borda: Site, client: Client) -> None:
    name = name_of(borda)
    planned = client.get(f"/routers/{name}/plan").content
    assert (planned["in_step"], planned["summary"]["add"] > 3, planned["summary"]["change"]) == (False, True, 0)
    assert borda.marked("/ppp/secret") == [], "nothing was written"
    applied = client.post(f"/routers/{name}/apply", {}).content
    assert (applied["in_step"], applied["left"], applied["refused"]) == (True, 0, [])
    assert applied["done"] == planned["summary"]["add"]
    assert applied["words"] == planned["words"]
    assert client.get(f"/routers/{name}/plan").content["in_step"]


def test_no_secret_is_in_a_plan(borda: Site, client: Client) -> None:
    answer = client.get(f"/routers/{name_of(borda)}/plan")
    assert "pass0" not in json.dumps(answer.content)
    assert "•••" in json.dumps(answer.content, ensure_ascii=False)


def test_the_words_are_portuguese_for_who_asks(borda: Site, client: Client) -> None:
    words = client.get(f"/routers/{name_of(borda)}/plan", language="pt").content["words"]
    assert any("a incluir" in line for line in words)


def test_a_router_that_is_away_is_told_with_its_last_plan(borda: Site, client: Client) -> None:
    borda.settle()
    borda.emulator.faults.refuse()
    for answer in (
        client.get(f"/routers/{borda.router_id}/plan"),
        client.post(f"/routers/{borda.router_id}/apply", {}),
    ):
        told = problem(answer, 503, "unavailable")
        assert "out of reach" in told["detail"]
        assert told["last_plan_at"].startswith("2026-03-02T12:00")
        assert len(told["last_plan"]) > 3


def test_in_maintenance_an_apply_is_refused_and_says_how_to_end_it(borda: Site, client: Client) -> None:
    with borda.runtime.database.transaction() as tx:
        start_maintenance(tx, borda.router_id)
    told = problem(client.post(f"/routers/{borda.router_id}/apply", {}), 409, "not-allowed")
    assert "router end-maintenance" in told["detail"]
    assert client.get(f"/routers/{borda.router_id}/plan").content["in_step"] is False


def test_a_disabled_router_is_neither_applied_nor_checked(borda: Site, client: Client) -> None:
    with borda.runtime.database.transaction() as tx:
        change_router(tx, borda.router_id, enabled=False)
    for verb in ("apply", "check"):
        problem(client.post(f"/routers/{borda.router_id}/{verb}", {}), 409, "not-allowed")


def test_held_removals_need_the_permission_and_the_number(borda: Site, client: Client, runtime: Runtime) -> None:
    borda.settle()
    for number in range(11):
        row = {"name": f"old{number}", "password": "x", "comment": f"catraca:s{9000 + number}:secret"}
        borda.emulator.by_hand("/ppp/secret/add", **row)
    path = f"/routers/{borda.router_id}/apply"
    assert client.post(path, {}).content["held"] == 11
    with runtime.database.transaction() as tx:
        _, secret = create_token(tx, name="desk", operator="bia", permissions=["api"])
    desk = {"Authorization": f"Bearer {secret.reveal()}"}
    problem(client.post(path, {"approve_removals": 11}, **desk), 403, "forbidden")
    assert client.post(path, {"approve_removals": 10}).content["held"] == 11
    done = client.post(path, {"approve_removals": 11}).content
    assert (done["done"], done["held"], done["in_step"]) == (11, 0, True)


def test_what_an_apply_leaves_is_done_by_the_next_turn(borda: Site, client: Client) -> None:
    borda.emulator.faults.trap("/ppp/secret/add", "failure: not now", times=2)
    applied = client.post(f"/routers/{borda.router_id}/apply", {}).content
    assert (applied["refused"], applied["left"], applied["in_step"]) == (["failure: not now"], 2, False)
    with borda.runtime.database.reading() as tx:
        assert str(borda.router_id) in waiting(tx)
    borda.settle()
    assert borda.planned() == []


def test_status_shows_who_differs_since_when_and_why(borda: Site, client: Client) -> None:
    borda.emulator.by_hand("/ppp/secret/add", name=borda.login(borda.ids[0]), password="theirs")
    (before,) = client.get("/router-status").content["items"]
    assert (before["in_step"], before["touched"], before["services"]) == (False, 3, 3)
    borda.settle()
    (after,) = client.get("/router-status", name=name_of(borda)).content["items"]
    assert (after["in_step"], after["touched"], after["differing"]) == (False, 0, 1)
    assert after["differs_since"] == "2026-03-02T12:00:00Z"
    assert sum(after["reasons"].values()) == 1
    assert any("adopt it" in why for why in after["reasons"])
    assert client.get("/router-status", name="nobody").status == 404


def test_a_check_has_all_of_it_read(borda: Site, client: Client) -> None:
    borda.settle()
    reads = borda.emulator.sentences["/ip/firewall/filter/print"]
    client.post(f"/routers/{borda.router_id}/check")
    with borda.runtime.database.reading() as tx:
        assert get_router(tx, borda.router_id).name == name_of(borda)
        assert str(borda.router_id) in waiting(tx)
    borda.settle()
    assert borda.emulator.sentences["/ip/firewall/filter/print"] == reads + 1


@pytest.mark.usefixtures("command_line")
def test_on_a_terminal_a_plan_is_lines_of_words(borda: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["router", "plan", name_of(borda)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.strip().startswith("+ /ppp/secret") for line in lines)
    assert not any(line.startswith("plan ") for line in lines), "the plan for machines is for --json"
    assert main(["router", "plan", name_of(borda), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["plan"]
