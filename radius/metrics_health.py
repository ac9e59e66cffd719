"""Whether the RADIUS part of this host is well, from what its processes show: a list of complaints, empty when it is.

Pure but for the two questions that only the host can answer (does that process run, what is on its disk), which come
in as values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from radius.metrics import Shown, read_shown, spool_sizes
from radius.spool import LIMIT_BYTES

SILENT_SECONDS = 15.0
"""A process that has not reported for this long hangs."""
STALE_SECONDS = 60.0
"""A replica that has not heard from the database for this long may answer what was true a while ago."""
FULL = 0.9


def complaints(
    shown: Iterable[Shown], running: Mapping[str, bool], spool_bytes: Mapping[str, int], now: float
) -> list[str]:
    """What is not well at `now` (epoch seconds). `running` names every process that should."""
    by_name = {each.report.name: each for each in shown}
    told = [f"the process {name} does not run" for name, runs in running.items() if not runs]
    for name, each in by_name.items():
        if running.get(name) and now - each.at > SILENT_SECONDS:
            told.append(f"the process {name} has not reported for {now - each.at:.0f} s")
        if each.report.gauges.get("spool_failing"):
            told.append(f"the process {name} acknowledges no accounting: its spool takes no records")
    told += _about_replica(by_name.get("sync"), now)
    for name, size in spool_bytes.items():
        if size > FULL * LIMIT_BYTES:
            told.append(f"the spool {name} holds {size >> 20} MiB, and may hold {LIMIT_BYTES >> 20} MiB")
    return told


def _about_replica(sync: Shown | None, now: float) -> list[str]:
    if sync is None:
        return ["the sync process has not reported yet"]
    heard = sync.report.gauges.get("heard_at")
    if heard is None:
        return ["the database has not been heard since the start: the access records are those of the last run"]
    if now - heard > STALE_SECONDS:
        return [f"the database has not been heard for {now - heard:.0f} s: the access records may be old"]
    return []


def host_complaints(data_dir: Path, now: float, running: Mapping[str, bool] | None = None) -> list[str]:
    """The same, for the host of this data directory. `running`: what the supervisor knows; else what can be seen."""
    shown = read_shown(data_dir / "radius")
    if running is None:
        running = {each.report.name: each.running for each in shown}
    return complaints(shown, running, spool_sizes(data_dir / "radius"), now)
