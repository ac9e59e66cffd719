"""Routines and scheduled changes through the API and the command line: what is refused, and in which words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api.cli import main
from core.runtime import Runtime
from tests.factories_api import Client, made, opened, problem
from tests.factories_routines import carry_out
from tests.ticking import FakeClock

DAILY = {"description": "Habilitação", "task": "enable", "hours": [6], "minutes": [0]}
PAUSE = {"action": "pause", "due_at": "2026-03-10T12:00:00Z"}


@pytest.fixture
def client(runtime: Runtime) -> Client:
    return Client(runtime)


def deep(levels: int) -> Any:
    return {"city": deep(levels - 1)} if levels else 1


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        pytest.param({"task": "mow-the-lawn"}, "task", "one of", id="unknown task"),
        pytest.param({"task": "enable", "parameters": {"colour": 1}}, "parameters", "it takes none", id="parameter"),
        pytest.param({"hours": [24]}, "hours", "from 0 to 23", id="hour"),
        pytest.param({"days": [30], "months": [2]}, "days", "never does", id="30 February"),
        pytest.param({"weekdays": [0]}, "weekdays", "1 (Monday) to 7 (Sunday)", id="weekday"),
        pytest.param({"minutes": [*range(60), 0]}, "minutes", "at most 60", id="too many minutes"),
        pytest.param({"parameters": {"city": "a\x00b"}}, "parameters", "control characters", id="NUL"),
        pytest.param({"parameters": {"a\x00b": 1}}, "parameters", "control characters", id="NUL in a name"),
        pytest.param({"parameters": {"city": ["\ud800"]}}, "parameters", "Unicode", id="half a character"),
        pytest.param({"parameters": deep(7)}, "parameters", "nested", id="nested"),
        pytest.param({"parameters": {"city": "x" * 2000, "b": ["y" * 1999] * 5}}, "parameters", "octets", id="long"),
    ],
)
def test_a_routine_that_is_refused(client: Client, values: dict[str, Any], field: str, words: str) -> None:
    content = problem(client.post("/routines", {**DAILY, **values}), 422, "invalid-input")
    [entry] = content["errors"]
    assert entry["field"] == field
    assert words in entry["rule"]
    assert client.get("/routines").content["items"] == []


def test_hours_have_to_be_said(client: Client) -> None:
    content = problem(client.post("/routines", {"description": "x", "task": "enable"}), 422, "invalid-input")
    assert [entry["field"] for entry in content["errors"]] == ["hours", "minutes"]


def test_a_routine_that_goes_on_is_not_run_beside_itself(client: Client, runtime: Runtime) -> None:
    key = made(client.post("/routines", DAILY))
    run = made(client.post(f"/routines/{key}/run"))
    content = problem(client.post(f"/routines/{key}/run"), 409, "not-allowed")
    assert content["run_id"] == run
    carry_out(runtime)
    made(client.post(f"/routines/{key}/run"))


@pytest.mark.parametrize("path", ["", "/next", "/runs", "/rehearsal"])
def test_a_routine_that_is_not_there(client: Client, path: str) -> None:
    problem(client.get(f"/routines/4711{path}"), 404, "not-found")


def test_runs_and_routines_come_in_pages(client: Client, runtime: Runtime) -> None:
    keys = [made(client.post("/routines", DAILY)) for _ in range(3)]
    first = client.get("/routines", limit=2).content
    assert [item["id"] for item in first["items"]] == keys[:2]
    rest = client.get("/routines", limit=2, after=first["next"]).content
    assert ([item["id"] for item in rest["items"]], rest["next"]) == (keys[2:], None)
    runs = []
    for _ in range(3):
        runs.append(made(client.post(f"/routines/{keys[0]}/run")))
        carry_out(runtime)
    newest = client.get(f"/routines/{keys[0]}/runs", limit=2).content
    assert [item["id"] for item in newest["items"]] == runs[:0:-1]
    assert [item["last_status"] for item in client.get("/routines").content["items"]] == ["done", "", ""]


@pytest.mark.parametrize(
    ("values", "status", "slug", "field"),
    [
        pytest.param({"action": "fly"}, 422, "invalid-input", "action", id="no such action"),
        pytest.param({"due_at": "2026-03-02T12:00:00Z"}, 422, "invalid-input", "due_at", id="now"),
        pytest.param({"due_at": "2026-03-02T11:59:59Z"}, 422, "invalid-input", "due_at", id="the past"),
        pytest.param({"arguments": {"until": "soon"}}, 422, "invalid-input", "arguments.until", id="argument"),
        pytest.param({"arguments": {"until": "a\x00b"}}, 422, "invalid-input", "arguments", id="NUL"),
        pytest.param({"action": "switch-plan", "arguments": {"plan_id": 9**9}}, 404, "not-found", None, id="no plan"),
    ],
)
def test_a_change_that_is_refused(
    client: Client, values: dict[str, Any], status: int, slug: str, field: str | None
) -> None:
    key = opened(client)
    content = problem(client.post(f"/subscriptions/{key}/changes", {**PAUSE, **values}), status, slug)
    assert [entry["field"] for entry in content.get("errors", [])] == ([field] if field else [])
    assert client.get(f"/subscriptions/{key}/changes").content["items"] == []


def test_a_change_that_is_over_takes_no_edit(client: Client, runtime: Runtime, clock: FakeClock) -> None:
    change = made(client.post(f"/subscriptions/{opened(client)}/changes", PAUSE))
    clock.advance(days=8)
    carry_out(runtime, "change.due")
    content = problem(client.patch(f"/changes/{change}", {"note": "later"}), 409, "not-allowed")
    assert content["detail"] == f"scheduled change {change} is done: state PAUSED"
    problem(client.post(f"/changes/{change}/cancel", {}), 409, "not-allowed")
    problem(client.patch("/changes/4711", {"note": "later"}), 404, "not-found")


def test_a_change_is_scheduled_once_for_one_key(client: Client) -> None:
    key = opened(client)
    answers = [made(client.post(f"/subscriptions/{key}/changes", PAUSE, key="once")) for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(client.get(f"/subscriptions/{key}/changes").content["items"]) == 1


@pytest.mark.usefixtures("command_line")
def test_the_command_line_has_them_too(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--description", "Habilitação", "--task", "enable", "--hours", "6", "--minutes", "0", "--parameters", "{}"]
    days = ["--weekdays", "1", "--weekdays", "5", "--days", "-1"]
    assert main(["routine", "add", *words, *days, "--json"]) == 0
    added = json.loads(capsys.readouterr().out)
    assert (added["weekdays"], added["days"], added["palavras"]) == (
        [1, 5], [-1], "último dia do mês, se for segunda ou sexta, às 06:00",
    )  # fmt: skip
    key = str(opened(client))
    change = ["--action", "pause", "--due-at", "2999-07-01T00:00:00-03:00", "--note", "travelling"]
    capsys.readouterr()
    assert main(["subscription", "schedule-change", key, *change, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "waiting"
