"""What can be seen of the RADIUS processes from outside while they work: real processes, sockets, HTTP."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from sqlalchemy import select

from bench.host import free_ports
from core.database import Database
from core.job_queue import Job
from core.runtime import Runtime
from core.settings import Settings
from radius import nas, replica
from radius.attributes import ACCESS_ACCEPT, ACCESS_REJECT
from radius.line import Line
from radius.metrics_listener import MetricsListener
from radius.models import NasSighting
from radius.presence import pack_presence, presence_key
from radius.processes import RadiusNotStarted, RadiusProcesses
from radius.records import pack
from radius.reject_book import last_rejects
from tests.factories_api import Client
from tests.factories_auth import record
from tests.integration.test_processes import SECRET, account, ask, log_in, running, sessions
from tests.scenarios.waiting import until

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def settings(database: Database, migrated_url: str, tmp_path: Path) -> Settings:
    """One NAS, loopback; Ana may log in, Bia has a session elsewhere."""
    with database.transaction() as tx:
        nas.add_nas(tx, name="bras-1", network="127.0.0.0/8", secret=SECRET)
        replica.put(tx, pack(record(), tx.keyring.seal))
        replica.put(tx, pack(record(9, "bia"), tx.keyring.seal))
        replica.put(tx, {presence_key(9): pack_presence([Line(77, b"02:00:5E:10:00:99", b"")])})
    auth, acct = free_ports(2)
    return Settings(
        data_dir=tmp_path,
        database_url=SecretStr(migrated_url),
        radius_address="127.0.0.1",
        radius_auth_port=auth,
        radius_acct_port=acct,
        reject_delay_seconds=0,
        log_level="warning",
    )


@contextmanager
def listening(settings: Settings, processes: RadiusProcesses) -> Iterator[str]:
    """The URL of the listener beside these processes."""
    [port] = free_ports(1)
    listener = MetricsListener(settings.model_copy(update={"radius_metrics_port": port}), processes.alive)
    yield f"http://127.0.0.1:{port}"
    listener.stop()


def get(url: str, token: str = "") -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def samples(url: str) -> Samples:
    status, text = get(f"{url}/metrics")
    assert status == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(url: str, name: str, **labels: str) -> float:
    return samples(url).get((f"catraca_radius_{name}", tuple(sorted(labels.items()))), 0.0)


def complaints(url: str) -> list[str]:
    status, text = get(f"{url}/healthz")
    found: list[str] = json.loads(text)["complaints"]
    assert status == (503 if found else 200)
    return found


def test_what_the_processes_do_is_on_the_page(settings: Settings, database: Database) -> None:
    with running(settings) as processes, listening(settings, processes) as url:
        assert log_in(settings) == ACCESS_ACCEPT
        account(settings, b"s1")
        until(lambda: sessions(database), "the session is in the database")
        accepted = {"worker": "auth-1", "result": "accept", "reason": "pap"}
        until(lambda: value(url, "answers_total", **accepted) == 1, "the answer is counted")
        until(lambda: value(url, "drained_records_total", worker="sync", outcome="written") == 1, "it is drained")
        until(lambda: value(url, "answer_seconds_count", worker="accounting-1") == 1, "its latency is counted")
        found = samples(url)
        for worker in ("auth-1", "accounting-1", "sync"):
            assert found["catraca_radius_up", (("worker", worker),)] == 1
        until(lambda: value(url, "replica_revision") > 0 and value(url, "replica_lag_revisions") == 0, "in step")
        assert value(url, "database_up") == 1
        assert value(url, "spool_failing", worker="accounting-1") == 0
        assert ("catraca_radius_spool_pending_bytes", (("spool", "spool"),)) in samples(url)
        until(lambda: not complaints(url), "everything is well")


def test_the_counters_of_a_worker_that_is_killed_go_on(settings: Settings) -> None:
    with running(settings) as processes, listening(settings, processes) as url:
        log_in(settings)
        accepted = {"worker": "auth-1", "result": "accept", "reason": "pap"}
        until(lambda: value(url, "answers_total", **accepted) == 1, "the answer is counted")
        os.kill(processes.pids()["auth-1"], signal.SIGKILL)
        until(lambda: value(url, "starts_total", worker="auth-1") == 2, "it is back")
        log_in(settings, identifier=9)
        until(lambda: value(url, "answers_total", **accepted) == 2, "it counts on")
        until(lambda: not complaints(url), "everything is well again")


def test_a_process_that_hangs_is_missed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radius.metrics_health.SILENT_SECONDS", 1.5)
    with running(settings) as processes, listening(settings, processes) as url:
        until(lambda: value(url, "up", worker="auth-1") == 1, "it reports")
        os.kill(processes.pids()["auth-1"], signal.SIGSTOP)
        until(lambda: any("auth-1 has not reported" in each for each in complaints(url)), "it is missed")


def test_rejects_and_sightings_reach_the_database(settings: Settings, database: Database) -> None:
    with running(settings) as processes, listening(settings, processes) as url:
        for identifier in range(3):
            assert log_in(settings, b"nobody", identifier=identifier) == ACCESS_REJECT
        until(lambda: rejects(database).get("nobody") == ("unknown_user", 3), "the reject is there")
        fresh = itertools.count(10)
        until(  # until the feeder has heard from the database, limits refuse nobody
            lambda: log_in(settings, b"bia", identifier=next(fresh) % 256) == ACCESS_REJECT, "the session limit refuses"
        )
        until(lambda: rejects(database).get("bia", ("",))[0] == "session_limit", "that reject too")
        until(lambda: "9" in checks(database), "the session in the way is looked at")
        until(lambda: sighting(database) is not None, "the NAS was seen to sign")
        until(lambda: value(url, "reject_notes_total", worker="auth-1", outcome="sent") >= 4, "it is counted")


def rejects(database: Database) -> dict[str, tuple[str, int]]:
    with database.reading() as tx:
        return {row.login: (row.reason, row.times) for row in last_rejects(tx)}


def checks(database: Database) -> list[str]:
    with database.reading() as tx:
        return list(tx.session.scalars(select(Job.key).where(Job.kind == "session.check")))


def sighting(database: Database) -> Any:
    with database.reading() as tx:
        return tx.session.scalar(select(NasSighting.signed_at))


def test_a_spool_that_takes_no_records_is_loud(settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    from tests.factories_accounting import START, acct_attributes, acct_request

    spool = settings.data_dir / "radius" / "spool"
    with running(settings) as processes, listening(settings, processes) as url:
        account(settings, b"s1")
        until(lambda: value(url, "up", worker="accounting-1") == 1, "it reports")
        saved = spool.with_name("put-away")
        os.kill(processes.pids()["accounting-1"], signal.SIGKILL)
        spool.rename(saved)
        spool.write_text("no directory")  # so that nothing can be opened or written, for root either
        until(lambda: value(url, "spool_failing", worker="accounting-1") == 1, "the metric says so")
        until(lambda: any("acknowledges no accounting" in each for each in complaints(url)), "and the health does")
        spool.unlink()
        shutil.move(saved, spool)
        ask(settings.radius_acct_port, acct_request(acct_attributes(START, b"s2", b"ana")))
        until(lambda: value(url, "spool_failing", worker="accounting-1") == 0, "it is over")
        until(lambda: not complaints(url), "and all is well")
    assert "waiting: accounting spool" in capfd.readouterr().err


def test_a_token_closes_the_page_and_not_the_health(settings: Settings) -> None:
    processes = RadiusProcesses(settings)
    closed = settings.model_copy(update={"metrics_token": SecretStr("a-token-for-prometheus")})
    with listening(closed, processes) as url:
        assert get(f"{url}/metrics")[0] == 401
        assert get(f"{url}/metrics", "another-token")[0] == 401
        assert get(f"{url}/metrics", "a-token-for-prometheus")[0] == 200
        assert get(f"{url}/healthz")[0] == 503
        assert get(f"{url}/nothing")[0] == 404


def test_a_port_that_somebody_has_is_told(settings: Settings) -> None:
    processes = RadiusProcesses(settings)
    with listening(settings, processes) as url:
        port = int(url.rpartition(":")[2])
        with pytest.raises(RadiusNotStarted, match=str(port)):
            MetricsListener(settings.model_copy(update={"radius_metrics_port": port}), processes.alive)


def test_the_api_has_the_page_and_the_health_too(runtime: Runtime) -> None:
    client = Client(runtime)
    page = client.call("GET", "/metrics", headers={"Authorization": ""})
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "catraca_radius_spool_limit_bytes" in page.content
    unwell = client.call("GET", "/healthz/radius", headers={"Authorization": ""})
    assert (unwell.status, unwell.content["type"]) == (503, "/problems/radius-unwell")
    assert unwell.content["complaints"] == ["the sync process has not reported yet"]
    closed = runtime.settings.model_copy(update={"metrics_token": SecretStr("a-token-for-prometheus")})
    client = Client(Runtime(closed, runtime.database, runtime.keyring, runtime.clock))
    assert client.call("GET", "/metrics").status == 401
    given = {"Authorization": "Bearer a-token-for-prometheus"}
    assert client.call("GET", "/metrics", headers=given).status == 200


def test_processes_that_do_not_run_are_missed(settings: Settings) -> None:
    with running(settings) as processes, listening(settings, processes) as url:
        until(lambda: value(url, "up", worker="auth-1") == 1, "it reports")
    with listening(settings, processes) as url:
        assert value(url, "up", worker="auth-1") == 0
        assert value(url, "starts_total", worker="auth-1") == 1, "what was counted is still there"
        missed = [each for each in complaints(url) if "does not run" in each]
        assert len(missed) == len(processes.alive())
