"""kill -9 of an accounting worker, of the drainer and of everything: what was acknowledged is there, once."""

from __future__ import annotations

from bench.kills import TARGETS, kill_under_load
from bench.ledger import shortened
from tests.resilience.conftest import SUBSCRIBERS, StartHost

KILLS = 6


def test_nothing_acknowledged_is_lost_or_counted_twice(start_host: StartHost, migrated_url: str) -> None:
    host = start_host(migrated_url)
    found = kill_under_load(host, KILLS, lines=SUBSCRIBERS, pace=800.0, records_between=100)
    assert found.kills == dict.fromkeys(TARGETS, KILLS // len(TARGETS))
    assert found.records > KILLS * 100
    assert not found.disagreements, shortened(found.disagreements)
