"""The database is away under load: subscribers are accepted, and accounting waits until it is back."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from bench.ledger import shortened
from bench.outage import Outage, through_an_outage
from tests.postgres import PostgresServer
from tests.resilience.conftest import StartHost

SECONDS = 4.0


def test_postgresql_crashes_and_comes_back(own_postgres: PostgresServer, start_host: StartHost) -> None:
    with own_postgres.database() as url:
        host = start_host(url)
        nobody_noticed(through_an_outage(host, own_postgres.stop, own_postgres.start, SECONDS))
        host.stop()


def test_sqlite_is_locked_by_somebody_else(start_host: StartHost, tmp_path: Path) -> None:
    path = tmp_path / "catraca.db"
    host = start_host(f"sqlite:///{path}")
    locker = sqlite3.connect(path, isolation_level=None, timeout=60, check_same_thread=False)

    def away() -> None:
        locker.execute("BEGIN IMMEDIATE")

    def back() -> None:
        locker.execute("ROLLBACK")

    nobody_noticed(through_an_outage(host, away, back, SECONDS))
    locker.close()


def nobody_noticed(outage: Outage) -> None:
    assert outage.failed == 0
    assert outage.accepted > 500
    assert outage.records > 1_000
    assert not outage.disagreements, shortened(outage.disagreements)
