"""Settings: where they come from, what is refused, and the page that documents them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from core.settings import Settings, settings_page

ROOT = Path(__file__).parents[2]
CANARY = "Kanarienvogel9f3x"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the developer's own, and a working directory without a file."""
    for name in [name for name in os.environ if name.startswith("CATRACA_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def refusal(**given: Any) -> str:
    with pytest.raises(ValidationError) as error:
        Settings(**given)
    return str(error.value)


def test_defaults_work() -> None:
    settings = Settings()
    assert settings.resolved_database_url == "sqlite:///catraca-data/catraca.db"
    assert settings.resolved_key_file == Path("catraca-data/keys")
    assert settings.embedded


def test_the_stronger_source_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    named = tmp_path / "of-the-company.toml"
    named.write_text('http_port = 1001\nradius_workers = 2\ntimezone = "America/Bahia"\n')
    Path("catraca.toml").write_text("http_port = 1002\ntrust_max_days = 3\n")
    assert (Settings().http_port, Settings().trust_max_days) == (1002, 3)

    monkeypatch.setenv("CATRACA_CONFIG", str(named))
    assert (Settings().http_port, Settings().radius_workers, Settings().timezone) == (1001, 2, "America/Bahia")
    assert Settings().trust_max_days == 10, "the named file replaces the one of the working directory"

    monkeypatch.setenv("CATRACA_HTTP_PORT", "1003")
    assert (Settings().http_port, Settings().radius_workers) == (1003, 2)
    assert Settings(http_port=1004).http_port == 1004


BAD = [
    pytest.param({"http_port": 65536}, "http_port", "less than or equal to 65535", id="port too high"),
    pytest.param({"http_port": "eighty"}, "http_port", "valid integer", id="port in words"),
    pytest.param({"radius_workers": 0}, "radius_workers", "greater than or equal to 1", id="no worker"),
    pytest.param({"suspension_cap_percent": 101}, "suspension_cap_percent", "less than", id="more than all"),
    pytest.param({"timezone": "Mars/Olympus"}, "timezone", "America/Sao_Paulo", id="unknown time zone"),
    pytest.param({"timezone": "../../etc/passwd"}, "timezone", "America/Sao_Paulo", id="a path for a time zone"),
    pytest.param({"timezone": "America"}, "timezone", "America/Sao_Paulo", id="half a time zone"),
    pytest.param({"log_level": "loud"}, "log_level", "'debug', 'info', 'warning'", id="unknown level"),
    pytest.param({"http_prot": 80}, "http_prot", "not permitted", id="misspelt name"),
]


@pytest.mark.parametrize(("given", "field", "rule"), BAD)
def test_a_bad_value_is_refused_by_name_and_rule(given: dict[str, Any], field: str, rule: str) -> None:
    message = refusal(**given)
    assert field in message
    assert rule in message


def test_a_bad_value_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATRACA_COA_TRIES", "many")
    assert "coa_tries" in refusal()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(f'databse_url = "postgresql://u:{CANARY}@h/db"', id="misspelt name"),
        pytest.param(f'database_url = ["postgresql://u:{CANARY}@h/db"]', id="wrong type"),
    ],
)
def test_a_refusal_does_not_repeat_a_secret(line: str) -> None:
    Path("catraca.toml").write_text(line)
    assert CANARY not in refusal()


def test_the_named_file_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATRACA_CONFIG", "/nowhere/catraca.toml")
    with pytest.raises(ValueError, match=r"/nowhere/catraca\.toml"):
        Settings()


def test_a_file_that_is_not_toml_is_refused() -> None:
    Path("catraca.toml").write_text("http_port: 80")
    with pytest.raises(ValueError, match="line 1"):
        Settings()


def test_urls_with_passwords_are_not_shown() -> None:
    settings = Settings(
        database_url=f"postgresql+psycopg://u:{CANARY}@h/db",
        broker_url=f"redis://:{CANARY}@h/0",
    )
    assert CANARY not in f"{settings!r} {settings}"
    assert CANARY in settings.resolved_database_url
    assert not settings.embedded


def test_the_page_is_what_the_class_says() -> None:
    written = (ROOT / "docs" / "settings.md").read_text()
    assert written == settings_page(), "generate docs/settings.md anew; CONTRIBUTING.md says how"


def test_the_page_has_one_described_row_for_each_setting() -> None:
    rows = re.findall(r"^\| `CATRACA_([A-Z_]+)` \| `([a-z_]+)` \| (\S.*?) \| (.+) \|$", settings_page(), re.MULTILINE)
    assert [field for _, field, _, _ in rows] == list(Settings.model_fields)
    assert all(variable == field.upper() for variable, field, _, _ in rows)
    assert all(meaning != "None" for _, _, _, meaning in rows)
