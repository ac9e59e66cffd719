"""The command line: the API's verbs without a server, readable or as JSON, with exit codes for scripts."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from api.cli import HAND_WRITTEN, main
from api.cli.groups import GROUPS
from core.runtime import Runtime


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture
def run(
    command_line: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """`catraca …` on the test's installation; `typed` is its standard input."""
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("SUDO_USER", "ana")

    def catraca(*words: str, typed: str = "") -> Result:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        capsys.readouterr()
        code = main(words)
        return Result(code, *capsys.readouterr())

    return catraca


PLAN = ("plan", "add", "--name", "Fibra", "--price-cents", "9990", "--download-bps", "50M", "--upload-bps", "20000000")


def test_help_names_every_verb_by_hand_and_every_group(run: Run) -> None:
    result = run("--help")
    assert result.code == 0
    for name in (*HAND_WRITTEN, *GROUPS):
        assert f"  {name} " in result.out


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from api.cli import main; main(['--help']);"
        "heavy = {'fastapi', 'sqlalchemy', 'celery', 'pydantic', 'httpx'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


def test_an_answer_is_readable_with_money_rates_and_local_time(run: Run) -> None:
    result = run(*PLAN)
    assert (result.code, result.err) == (0, "")
    shown = {line[:22].strip(): line[22:].strip() for line in result.out.splitlines()}
    assert shown["price_cents"] == "R$ 99,90"
    assert shown["download_bps"] == "50M"
    assert shown["reduced_upload_bps"] == "–"
    assert shown["created_at"].endswith("-0300")


def test_json_is_the_answer_of_the_api(run: Run) -> None:
    result = run(*PLAN, "--json")
    assert (result.json["price_cents"], result.json["upload_bps"]) == (9990, 20_000_000)
    assert run("plan", "show", str(result.json["id"]), "--json").json == result.json
    assert run("plan", "list", "--json").json == {"items": [result.json], "next": None}


def test_a_list_is_a_table_and_says_how_to_go_on(run: Run) -> None:
    for name in ("A", "B", "C"):
        run(*PLAN[:3], name, *PLAN[4:])
    first = run("plan", "list", "--limit", "2")
    lines = first.out.splitlines()
    assert lines[0].split() == ["id", "name", "price", "download", "upload", "technology"]
    assert lines[1].split()[1:] == ["A", "R$", "99,90", "50M", "20M", "–"]
    assert first.err.startswith("more: --after ")
    rest = run("plan", "list", "--limit", "2", "--after", first.err.split()[-1])
    assert [line.split()[1] for line in rest.out.splitlines()[1:]] == ["C"]
    assert rest.err == ""


def test_an_empty_list_says_so(run: Run) -> None:
    assert run("plan", "list").out == "none\n"


def test_a_refusal_names_field_rule_and_example_and_exits_with_1(run: Run) -> None:
    result = run("subscriber", "register", "--name", "Maria", "--document", "123", "--region", "SP")
    assert (result.code, result.out) == (1, "")
    assert "document" in result.err
    assert "check digits" in result.err
    assert "for example 390.533.447-05" in result.err


def test_a_refusal_as_json_is_the_problem(run: Run) -> None:
    result = run("plan", "show", "77", "--json")
    assert (result.code, result.out) == (1, "")
    assert json.loads(result.err)["type"] == "/problems/not-found"


def test_a_conflict_says_who_has_it(run: Run) -> None:
    words = ("subscriber", "register", "--document", "390.533.447-05", "--name")
    run(*words, "Maria")
    result = run(*words, "Ana")
    assert result.code == 1
    assert "subscriber_name: Maria" in result.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["nonsense"], "No such command 'nonsense'", id="unknown group"),
        pytest.param(["plan", "nonsense"], "No such command 'nonsense'", id="unknown verb"),
        pytest.param(["plan", "add", "--name", "A"], "Missing option '--price-cents'", id="missing option"),
        pytest.param(["plan", "add", "--colour", "red"], "No such option", id="unknown option"),
        pytest.param(["plan", "list", "--limit", "many"], "'many' is not a whole number", id="word for a number"),
        pytest.param(["plan", "show"], "Missing argument", id="missing argument"),
        pytest.param(
            ["nas", "add", "--name", "a", "--network", "192.0.2.1", "--secret", "typed-in-history"],
            "a secret is not typed here",
            id="secret on the command line",
        ),
    ],
)
def test_wrong_usage_exits_with_2(run: Run, words: list[str], said: str) -> None:
    result = run(*words)
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert "typed-in-history" not in result.err


def test_a_password_is_read_from_standard_input(run: Run, runtime: Runtime) -> None:
    subscriber = run("subscriber", "register", "--name", "Maria", "--document", "390.533.447-05", "--json").json["id"]
    plan = run(*PLAN, "--json").json["id"]
    words = ["--subscriber-id", str(subscriber), "--plan-id", str(plan), "--login", "maria@x", "--password", "-"]
    opened = run("subscription", "open", *words, "--json", typed="s3nha-longa\n")
    assert opened.json["login"] == "maria@x"
    from provisioning.subscriptions import get_subscription

    with runtime.database.reading() as tx:
        password = get_subscription(tx, opened.json["id"]).password
        assert password is not None
        assert password.reveal() == "s3nha-longa"
    assert "s3nha-longa" not in opened.out + opened.err


def test_null_empties_a_field_and_flags_have_two_ways(run: Run) -> None:
    top = run("folder", "add", "--name", "Top", "--json").json["id"]
    below = run("folder", "add", "--name", "Below", "--parent-id", str(top), "--json").json["id"]
    assert run("folder", "change", str(below), "--parent-id", "null", "--json").json["parent_id"] is None
    method = run("billing-method", "add", "--name", "Pix", "--no-total-enabled", "--json").json
    assert (method["total_enabled"], method["partial_enabled"]) == (False, True)
    assert run("folder", "delete", str(below)).out == "done\n"


def test_a_list_is_given_by_repeating_the_option_and_emptied_by_null(run: Run) -> None:
    method = run(
        "billing-method", "add", "--name", "Pix", "--held-weekdays", "7", "--held-weekdays", "6", "--json"
    ).json
    assert method["held_weekdays"] == [6, 7]
    changed = run("billing-method", "change", str(method["id"]), "--held-weekdays", "null", "--json").json
    assert (changed["held_weekdays"], changed["hold_holidays"]) == ([], True)


def test_lists_of_ids_are_given_by_repeating_the_option(run: Run) -> None:
    result = run("invoice", "issue", "--charge-ids", "1", "--charge-ids", "2", "--due-on", "2026-03-10")
    assert result.code == 1
    assert "there is no charge 1" in result.err


def test_a_nested_answer_is_shown_whole(run: Run) -> None:
    folder = run("folder", "add", "--name", "Top", "--json").json["id"]
    words = ["--folder-id", str(folder), "--name", "Homes", "--cidr", "100.64.0.0/24"]
    subnet = run("subnet", "add", *words, "--json").json["id"]
    run("subnet", "reserve", str(subnet), "--first", "100.64.0.2", "--last", "100.64.0.9", "--purpose", "[bold]tower")
    shown = run("subnet", "show", str(subnet)).out
    assert "  reserved     8" in shown
    assert "[bold]tower" in shown, "what people typed is not markup"


def test_the_audit_trail_names_the_person_and_the_command_line(run: Run) -> None:
    run(*PLAN)
    [entry] = run("audit", "list", "--json").json["items"]
    assert (entry["actor"], entry["source"]) == ("ana", "cli")


def test_help_of_a_verb_explains_its_fields(run: Run) -> None:
    shown = " ".join(run("subscription", "trust-unblock", "--help").out.split())
    assert "--until INSTANT When the trust ends; for example 2026-03-05T18:00:00-03:00 [required]" in shown


def test_where_nothing_is_installed_it_says_how_to_begin(
    tmp_path: Path, keep_logging: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CATRACA_DATABASE_URL", raising=False)
    assert main(["--data-dir", str(tmp_path / "new"), "plan", "list"]) == 1
    assert "catraca up" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
    assert main(["--data-dir", str(tmp_path / "new"), "migrate"]) == 0
    assert main(["--data-dir", str(tmp_path / "new"), "plan", "list"]) == 0
    assert main(["--data-dir", str(tmp_path / "new"), "migrate"]) == 0
    assert "already" in capsys.readouterr().out


def test_settings_are_shown_without_their_secrets(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATRACA_BROKER_URL", "redis://:hunter2@127.0.0.1/0")
    monkeypatch.setenv("CATRACA_TRUST_MAX_DAYS", "4")
    result = run("settings")
    assert result.code == 0
    assert "hunter2" not in result.out
    assert run("settings", "--json").json["trust_max_days"] == 4


@pytest.mark.parametrize(
    ("name", "value"), [("CATRACA_HTTP_PORT", "many"), ("CATRACA_HTTP_PORT", "70000"), ("CATRACA_LOG_LEVEL", "loud")]
)
def test_a_wrong_setting_is_named(run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    result = run("plan", "list")
    assert result.code == 2
    assert name.removeprefix("CATRACA_").lower() in result.err


def test_the_version_is_shown(run: Run) -> None:
    assert run("version").out.startswith("catraca ")
    assert run("version", "--json").json["version"]


def test_records_are_written_anew(run: Run) -> None:
    assert run("recompile").out == "0 access records written\n"


def test_keys_are_rotated(run: Run, runtime: Runtime) -> None:
    run("nas", "add", "--name", "a", "--network", "192.0.2.1", "--secret", "-", typed="a-shared-secret\n")
    result = run("secrets", "rotate")
    assert result.code == 0
    assert "1 stored secrets encrypted" in result.out
    assert len(runtime.settings.resolved_key_file.read_text().splitlines()) == 2
    refused = run("secrets", "rotate", "--drop-old")
    assert refused.code == 1
    assert "too young" in refused.err


def test_a_key_file_that_holds_no_key_is_told(run: Run, runtime: Runtime) -> None:
    runtime.settings.resolved_key_file.write_text("not a key\n")
    result = run("plan", "list")
    assert result.code == 1
    assert "line 1 of the key file is not a key" in result.err
