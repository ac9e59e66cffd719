"""Everybody dials in at once; records change while everybody asks: `bench.storm` and `bench.visibility` in small."""

from __future__ import annotations

import os
import shutil

import pytest

from bench import storm, visibility
from bench.host import RadiusHost
from core.runtime import Runtime
from radius.sessions import open_sessions
from tests.resilience.conftest import SUBSCRIBERS, StartHost

CHANGES = 5


def opened(host: RadiusHost) -> set[str]:
    runtime = Runtime.open(host.settings)
    try:
        with runtime.database.reading() as tx:
            return {session.user_name for session in open_sessions(tx)}
    finally:
        runtime.close()


def test_a_reconnect_storm(start_host: StartHost, migrated_url: str) -> None:
    if shutil.which("gcc") is None:
        if os.environ.get("CI"):
            pytest.fail("the reconnect storm may not be skipped in CI: install gcc")
        pytest.skip("no gcc")
    host = start_host(migrated_url)
    found = storm.storm(host, SUBSCRIBERS, print)
    assert 0 < found.half_on <= found.all_on
    assert opened(host) == {f"user{number:06d}" for number in range(1, SUBSCRIBERS + 1)}


def test_a_change_reaches_every_worker(start_host: StartHost, migrated_url: str) -> None:
    host = start_host(migrated_url, radius_workers=visibility.WORKERS)
    assert len(visibility.delays(host, CHANGES)) == CHANGES, "each was seen through every port"
