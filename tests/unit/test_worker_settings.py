"""What a worker is told and how it speaks, without the libraries that take long to import."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.settings import Settings
from radius.worker_logs import configure_worker_logs
from radius.worker_settings import WorkerSettings

HEAVY = {"celery", "pydantic", "rich", "sqlalchemy", "structlog"}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"rehearsal_clock": "/tmp/clock", "key_file": "/etc/catraca/keys", "radius_address": "0.0.0.0,::"},
        {"database_url": "postgresql+psycopg://catraca:segredo@db/catraca", "reject_delay_seconds": 0},
    ],
    ids=["defaults", "files named", "a password"],
)
def test_settings_reach_a_worker_and_secrets_do_not(tmp_path: Path, given: dict[str, object]) -> None:
    settings = Settings(data_dir=tmp_path, **given)  # type: ignore[arg-type]
    line = WorkerSettings.of(settings).to_json()
    told = WorkerSettings.from_json(line)
    assert told == WorkerSettings.of(settings)
    for name in WorkerSettings.__slots__:
        assert getattr(told, name) == getattr(settings, name)
    assert b"segredo" not in line


@pytest.mark.parametrize("modules", ["radius.child, radius.auth_worker", "radius.child, radius.acct_worker"])
def test_workers_carry_none_of_the_heavy_libraries(modules: str) -> None:
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys, core.secrets, radius.metrics, radius.reject_events, {modules}; print(*sys.modules)",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    assert not HEAVY & set(told.stdout.split())


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    before = root.handlers, root.level
    yield root
    root.handlers, root.level = before


@pytest.mark.parametrize("style", ["json", "text", "auto"])
def test_a_line_says_who_and_when_and_shows_no_secret(root: logging.Logger, style: str) -> None:
    out = io.StringIO()
    configure_worker_logs("warning", style, out)
    log = logging.getLogger("radius.test")
    log.info("below the level")
    log.error("cannot reach %s", "postgresql://catraca:segredo@db/catraca")
    try:
        raise ValueError("password=segredo")
    except ValueError:
        log.exception("failed")
    text = out.getvalue()
    assert "segredo" not in text
    assert "below" not in text
    assert "radius.test" in text
    if style != "text":
        first, second = map(json.loads, text.splitlines())
        assert (first["event"], first["level"]) == ("cannot reach postgresql://catraca:***@db/catraca", "error")
        assert first["timestamp"].endswith("Z")
        assert "ValueError" in second["exception"]
