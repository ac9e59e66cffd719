"""What the benchmarks ask the machine: CPU seconds and memory of processes, and what machine it is."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
SERVER_CORE, LOAD_CORE = "0", "1"


def cpu_seconds(roots: Iterable[int]) -> float:
    """User and system time of these processes, of all their descendants that live, and of the roots' dead children."""
    wanted, total = set(roots), 0.0
    stats = dict(_stats())
    for pid in wanted & stats.keys():
        total += stats[pid][2]
    grown = True
    while grown:
        more = {pid for pid, (parent, _, _) in stats.items() if parent in wanted} - wanted
        wanted |= more
        grown = bool(more)
    return total + sum(stats[pid][1] for pid in wanted & stats.keys())


def children_of(root: int) -> dict[int, str]:
    """Pid → command line of every descendant of `root` that lives."""
    parents = {pid: parent for pid, (parent, _, _) in _stats()}
    found: dict[int, str] = {}
    waiting = [root]
    while waiting:
        parent = waiting.pop()
        for pid in (each for each, its in parents.items() if its == parent):
            waiting.append(pid)
            with suppress(OSError):
                found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return found


def _stats() -> Iterator[tuple[int, tuple[int, float, float]]]:
    """Pid → parent, own CPU seconds, CPU seconds of children that ended."""
    for entry in os.listdir("/proc"):  # noqa: PTH208 - a thousand Paths would be measured too
        if not entry.isdigit():
            continue
        with suppress(OSError):
            words = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            if words[0] != "Z":
                own, dead = (int(words[11]) + int(words[12])) / _TICK, (int(words[13]) + int(words[14])) / _TICK
                yield int(entry), (int(words[1]), own, dead)


def pinned(core: str) -> list[str]:
    """The words before a command that keep it on one core, where there is more than one."""
    return ["taskset", "-c", core] if (os.cpu_count() or 1) > 1 else []


def memory(pid: int) -> dict[str, int]:
    """Octets by name, of /proc/PID/smaps_rollup: Rss, Pss, Private_Clean, Private_Dirty, Anonymous …"""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in map(str.split, lines)}


def resident_own(pid: int) -> int:
    """Octets of resident memory that are no file's: what a leak would show in."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def described() -> str:
    """The machine and the versions in one sentence."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    postgres = max((path.parent.name for path in Path("/usr/lib/postgresql").glob("*/bin")), default="none")
    python = f"{'the system’s ' if sys.base_prefix == '/usr' else ''}Python {platform.python_version()}"
    return (
        f"{os.cpu_count()} × {cpu}, Linux {platform.release().split('-')[0]}, {python}, "
        f"FreeRADIUS {_version(['freeradius', '-v'])}, PostgreSQL {postgres}"
    )


def _version(command: list[str]) -> str:
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return "none"
    words = text.replace(",", " ").split()
    return words[words.index("Version") + 1] if "Version" in words else "unknown"
