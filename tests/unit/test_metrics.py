"""What processes show: a file that needs no room and survives its writer, sums over lives, the page, the verdict."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from radius.metrics import Shown, add_reports, born_at, forget_others, read_shown, snapshot_writer
from radius.metrics_file import LARGEST, SLOT_BYTES, MetricsFile, read_metrics_file
from radius.metrics_health import SILENT_SECONDS, STALE_SECONDS, complaints
from radius.metrics_page import COUNTERS, GAUGES, page
from radius.spool import LIMIT_BYTES
from radius.worker_report import LATENCY_BOUNDS, WorkerReport
from tests.factories_metrics import NOW, latency, report, shown

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics" / "auth-1.metrics"


def test_what_is_written_is_read_and_the_file_never_grows(path: Path) -> None:
    file = MetricsFile(path)
    before = path.stat()
    for number in range(50):
        file.write(b"%d" % number * 1_000)
        assert read_metrics_file(path) == b"%d" % number * 1_000
    file.write(b"x" * LARGEST)
    after = path.stat()
    assert (after.st_size, after.st_blocks) == (before.st_size, before.st_blocks)
    with pytest.raises(ValueError, match="at most"):
        file.write(b"x" * (LARGEST + 1))
    file.close()


def test_a_write_that_was_cut_short_leaves_the_one_before(path: Path) -> None:
    file = MetricsFile(path)
    for content in (b"one", b"two", b"three"):
        file.write(content)
    file.close()
    newest = 3 % 2 * SLOT_BYTES
    damaged = bytearray(path.read_bytes())
    damaged[newest + 18] ^= 1
    path.write_bytes(damaged)
    assert read_metrics_file(path) == b"two"
    again = MetricsFile(path)
    assert again.content == b"two", "the next life goes on from there"
    again.write(b"four")
    again.close()
    assert read_metrics_file(path) == b"four"


@pytest.mark.parametrize("content", [b"", b"short", bytes(2 * SLOT_BYTES), os.urandom(2 * SLOT_BYTES)])
def test_a_file_that_holds_no_numbers_is_empty(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    assert read_metrics_file(path) == b""


LIFE = """
import sys
from pathlib import Path
from radius.metrics import snapshot_writer
from radius.worker_report import WorkerReport
snapshot_writer(Path(sys.argv[1]), "auth-1")(WorkerReport("auth-1", {("accept", "pap"): 5}, gauges={"held_rejects": 3}))
"""


def test_counters_go_on_where_the_former_process_stood(tmp_path: Path) -> None:
    for _ in range(2):
        subprocess.run([sys.executable, "-c", LIFE, str(tmp_path)], check=True)
    [last] = read_shown(tmp_path)
    assert not last.running
    write = snapshot_writer(tmp_path, "auth-1", lambda: {("note", "sent"): 4})
    for _ in range(3):  # a report counts from the start of its process, so telling it again adds nothing
        write(report("auth-1"))
    [now] = read_shown(tmp_path)
    assert now.report.counters["accept", "pap"] == 15
    assert now.report.counters["note", "sent"] == 4
    assert now.report.gauges == {"held_rejects": 2}
    assert (now.starts, now.running, now.pid) == (3, True, os.getpid())
    assert now.cpu_seconds > last.cpu_seconds > 0


def test_where_nothing_can_be_written_nobody_is_troubled(tmp_path: Path) -> None:
    (tmp_path / "metrics").write_text("a file where the directory should be")
    write = snapshot_writer(tmp_path, "auth-1")
    write(report())
    (tmp_path / "metrics").unlink()
    write(report())
    assert [each.report.name for each in read_shown(tmp_path)] == ["auth-1"], "as soon as it can be"


def test_files_of_processes_that_are_no_more_are_taken_away(tmp_path: Path) -> None:
    for name in ("auth-2", "auth-10", "auth-1", "sync", "auth-3"):
        snapshot_writer(tmp_path, name)(report(name))
    forget_others(tmp_path, ["auth-1", "auth-2", "auth-10", "sync"])
    assert [each.report.name for each in read_shown(tmp_path)] == ["auth-1", "auth-2", "auth-10", "sync"]
    forget_others(tmp_path / "not there", ["sync"])


def test_labels_stay_bounded_over_many_lives() -> None:
    total = WorkerReport("auth-1")
    for life in range(40):
        total = add_reports(total, report(counters={("reject", f"reason {life}-{n}"): 1 for n in range(50)}))
    assert len(total.counters) <= 514
    assert sum(total.counters.values()) == 2_000


def test_latency_with_other_bounds_is_not_added() -> None:
    old = report(latency=latency(1)).__class__("auth-1", latency=latency(1).__class__((1, 2, 3), 0.5))
    assert add_reports(old, report()).latency == report().latency


def test_more_nas_than_a_page_should_have_are_left_out_and_the_rest_is_kept(tmp_path: Path) -> None:
    many = dict.fromkeys(range(10**12, 10**12 + 5000), (10**15, 10**15, 10**15))
    write = snapshot_writer(tmp_path, "auth-1")
    write(report(sightings=many))
    [told] = read_shown(tmp_path)
    assert 0 < len(told.report.sightings) <= 500
    assert told.report.counters["accept", "pap"] == 5


def test_a_process_is_known_by_its_birth() -> None:
    assert born_at(os.getpid())
    assert born_at(2**22 + 1) is None
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended_at = born_at(ended.pid)
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    assert ended_at
    assert born_at(ended.pid) is None, "a zombie runs no more"
    ended.wait()


def samples(data_dir: Path) -> Samples:
    text = page(data_dir).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    return found[f"catraca_radius_{name}", tuple(sorted(labels.items()))]


def test_the_page_is_what_prometheus_reads(tmp_path: Path) -> None:
    host = tmp_path / "radius"
    snapshot_writer(host, "auth-1")(report(sightings={3: (7, 2, 1)}))
    gauges = {
        "feed_revision": 12, "replica_revision": 10, "in_step_at": 0, "heard_at": NOW, "database_up": 1,
        "spool_pending_bytes:spool": 512, "spool_pending_records:spool": 3, 'live_sessions:pop "centro"\\': 40,
    }  # fmt: skip
    snapshot_writer(host, "sync")(WorkerReport("sync", {("drained", "written"): 9}, gauges=gauges))
    (host / "spool").mkdir()
    (host / "spool" / "000000000001.seg").write_bytes(bytes(700))
    found = samples(tmp_path)
    assert value(found, "answers_total", worker="auth-1", result="accept", reason="pap") == 5
    assert value(found, "answers_total", worker="auth-1", result="reject", reason="wrong_password") == 2
    assert value(found, "ignored_total", worker="auth-1", reason="short_datagram") == 4
    assert value(found, "unknown_clients_total", worker="auth-1") == 1
    assert ("catraca_radius_ignored_total", (("reason", "unknown_client"), ("worker", "auth-1"))) not in found
    assert value(found, "duplicates_total", worker="auth-1", reason="answered") == 1
    assert value(found, "held_rejects", worker="auth-1") == 2
    assert value(found, "nas_requests_total", worker="auth-1", nas_id="3", kind="unsigned") == 2
    assert value(found, "drained_records_total", worker="sync", outcome="written") == 9
    assert value(found, "replica_lag_revisions") == 2
    assert value(found, "replica_lag_seconds") > 1e9
    assert value(found, "spool_pending_bytes", spool="spool") == 512
    assert value(found, "spool_disk_bytes", spool="spool") == 700
    assert value(found, "live_sessions", nas='pop "centro"\\') == 40
    assert value(found, "up", worker="auth-1") == 1
    assert value(found, "resident_memory_bytes", worker="auth-1") > 1 << 20
    assert value(found, "starts_total", worker="sync") == 1


def test_latency_is_a_histogram(tmp_path: Path) -> None:
    snapshot_writer(tmp_path / "radius", "auth-1")(report(latency=latency(5, 2, seconds=0.25)))
    found = samples(tmp_path)
    counts = [
        value(found, "answer_seconds_bucket", worker="auth-1", le=bound)
        for bound in [*map(str, LATENCY_BOUNDS), "+Inf"]
    ]
    assert counts == [5, *[7] * len(LATENCY_BOUNDS)]
    assert value(found, "answer_seconds_count", worker="auth-1") == 7
    assert value(found, "answer_seconds_sum", worker="auth-1") == 0.25


def test_a_host_without_radius_has_a_page_too(tmp_path: Path) -> None:
    assert samples(tmp_path) == {("catraca_radius_spool_limit_bytes", ()): LIMIT_BYTES}


def test_names_follow_the_conventions(tmp_path: Path) -> None:
    snapshot_writer(tmp_path / "radius", "auth-1")(report())
    for family in text_string_to_metric_families(page(tmp_path).decode()):
        assert family.name.startswith("catraca_radius_")
        assert family.documentation
        assert family.type in ("counter", "gauge", "histogram")


def test_what_a_process_shows_survives_its_file_and_nothing_else_is_taken_for_it() -> None:
    assert Shown.from_json(shown().to_json()) == shown()
    for text in (b"", b"{}", b"{}\n{}", b'{"pid":1}\n' + report().to_json()):
        with pytest.raises(ValueError):
            Shown.from_json(text)


WELL = {"heard_at": NOW - 1, "database_up": 1.0}


@pytest.mark.parametrize(
    ("changes", "running", "sizes", "said"),
    [
        pytest.param({}, {}, {}, [], id="well"),
        pytest.param({}, {"auth-1": False}, {}, ["the process auth-1 does not run"], id="a process is down"),
        pytest.param({"at": NOW - SILENT_SECONDS - 1}, {}, {}, ["has not reported for 16 s"], id="a process hangs"),
        pytest.param({"gauges": {"spool_failing": 1}}, {}, {}, ["acknowledges no accounting"], id="spool fails"),
        pytest.param({}, {}, {"spool": LIMIT_BYTES}, ["the spool spool holds 4096 MiB"], id="spool full"),
        pytest.param({}, {}, {"spool": LIMIT_BYTES // 2}, [], id="spool half full"),
        pytest.param({"sync": {"heard_at": NOW - STALE_SECONDS - 1}}, {}, {}, ["61 s: the access records may be old"],
                     id="database silent"),
        pytest.param({"sync": {}}, {}, {}, ["has not been heard since the start"], id="database never heard"),
        pytest.param({"sync": None}, {}, {}, ["the sync process has not reported yet"], id="no sync"),
    ],
)  # fmt: skip
def test_what_is_not_well_is_named(
    changes: dict[str, Any], running: dict[str, bool], sizes: dict[str, int], said: list[str]
) -> None:
    sync = changes.pop("sync", WELL)
    told = [shown("auth-1", **changes)]
    if sync is not None:
        told.append(shown("sync", gauges=sync))
    found = complaints(told, {"auth-1": True, "sync": True, **running}, sizes, NOW)
    assert len(found) == len(said)
    for complaint, part in zip(found, said, strict=True):
        assert part in complaint


def test_every_metric_is_in_the_documentation_and_no_other(tmp_path: Path) -> None:
    text = Path("docs/monitoring.md").read_text()
    rows = [line.split("|")[1] for line in text.partition("## Metrics")[2].partition("## Alerts")[0].splitlines()
            if line.startswith("| `")]  # fmt: skip
    documented = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}
    gauges = dict.fromkeys([*GAUGES, "feed_revision", "replica_revision"], 1.0)
    counters = {(result, "reason"): 1 for result in [*COUNTERS, "something else"]} | {("silence", "unknown_client"): 1}
    write = snapshot_writer(tmp_path / "radius", "auth-1")
    write(WorkerReport("auth-1", counters, latency(1), {1: (1, 1, 1)}, gauges))
    families = text_string_to_metric_families(page(tmp_path).decode())
    shown = {
        family.name.removeprefix("catraca_radius_") + ("_total" if family.type == "counter" else "")
        for family in families
    }
    assert documented == shown
    alerts = set(re.findall(r"catraca_radius_([a-z_]+)", text.partition("## Alerts")[2]))
    assert {name.removesuffix("_bucket") for name in alerts} <= shown
