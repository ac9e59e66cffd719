"""A full disk is loud: in the metrics, in the health and in the log, although nothing can be written any more."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from bench.host import RadiusHost, free_ports
from bench.ledger import Ledger, accounting_lines
from bench.nas_load import NasLoad
from bench.records import SECRET
from tests.resilience.conftest import SUBSCRIBERS, StartHost
from tests.resilience.test_disk import small_file_system

PACE = 200.0


def get(host: RadiusHost, path: str) -> tuple[int, str]:
    try:
        url = f"http://127.0.0.1:{host.settings.radius_metrics_port}{path}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def failing(host: RadiusHost) -> float | None:
    for family in text_string_to_metric_families(get(host, "/metrics")[1]):
        if family.name == "catraca_radius_spool_failing":
            return family.samples[0].value
    return None


def complaints(host: RadiusHost) -> list[str]:
    status, text = get(host, "/healthz")
    found: list[str] = json.loads(text)["complaints"]
    assert status == (503 if found else 200)
    return found


def fill(path: Path) -> None:
    room = os.statvfs(path.parent)
    with path.open("wb", buffering=0) as file:
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize)


def test_a_full_disk_is_loud_and_so_is_its_end(start_host: StartHost, tmp_path: Path) -> None:
    place = tmp_path / "data" / "radius"
    with small_file_system(place):
        host = start_host(f"sqlite:///{tmp_path / 'catraca.db'}", radius_metrics_port=free_ports(1)[0])
        ledger = Ledger()
        load = NasLoad(
            accounting_lines(SUBSCRIBERS, host.settings.radius_acct_port, ledger), SECRET.encode(), pace=PACE
        )
        load.start()
        host.await_that(lambda: ledger.records > 0, "accounting is acknowledged")
        host.await_that(lambda: failing(host) == 0 and not complaints(host), "all is well")
        os.kill(host.pids("sync")[0], signal.SIGSTOP)  # or it would make room
        fill(place / "ballast")
        host.await_that(lambda: failing(host) == 1, "the metric says so")
        host.await_that(
            lambda: any("acknowledges no accounting" in each for each in complaints(host)), "the health too"
        )
        host.await_that(lambda: "accounting is not acknowledged for" in host.log, "the log again and again")
        (place / "ballast").unlink()
        os.kill(host.pids("sync")[0], signal.SIGCONT)
        host.await_that(lambda: failing(host) == 0, "the metric says that it is over")
        host.await_that(lambda: not complaints(host), "and the health")
        load.stop()
        told = [line for line in host.log.splitlines() if "accounting is not acknowledged" in line]
        host.stop()
    assert "No space left on device" in told[0]
    assert "over after" in told[-1]
    assert all("accounting is not acknowledged for" in line for line in told[1:-1]), "once at its beginning"
