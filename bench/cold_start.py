"""Coming up with a million subscriptions, and what they take: `python -m bench.cold_start [--subscribers N]`.

First `catraca radius` fills its record store from the database, then it is started again, with the store on disk but
not in memory, and asked until it answers.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import time
from pathlib import Path

from bench import generator
from bench.host import RadiusHost, prepare, settings_for
from bench.machine import memory
from bench.records import SECRET
from bench.results import Options, Row, Say, Step
from bench.scratch import scratch
from bench.wire import ACCESS_ACCEPT, answers, line_attributes, pap_request

WORKERS = 2
_MIB = 1 << 20
_PATIENCE = 600.0


def first_answer(port: int, subscribers: int, since: float) -> float:
    """Seconds from `since` (monotonic) until some subscriber is accepted; another one is asked for every 10 ms."""
    asked: dict[int, bytes] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.01)
        while time.monotonic() - since < _PATIENCE:
            user, identifier = f"{random.randrange(1, subscribers + 1):06d}".encode(), random.randrange(256)
            more = line_attributes(int(user))
            request = pap_request(identifier, b"user" + user, b"pass" + user, more, SECRET.encode())
            asked[identifier] = request
            client.sendto(request, ("127.0.0.1", port))
            try:
                reply = client.recv(4096)
            except (TimeoutError, ConnectionRefusedError):
                continue
            if reply[0] == ACCESS_ACCEPT and answers(reply, asked.get(reply[1], b""), SECRET.encode()):
                return time.monotonic() - since
    raise AssertionError("nobody answers")


def forget(path: Path) -> None:
    """Take a file out of the page cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def started(host: RadiusHost, subscribers: int) -> float:
    """Start the host; seconds until its first answer."""
    since = time.monotonic()
    host.start(wait=False)
    return first_answer(host.settings.radius_auth_port, subscribers, since)


def measure(options: Options, say: Say) -> Step:
    return measure_with(20_000 if options.quick else 1_000_000, say)


def measure_with(subscribers: int, say: Say) -> Step:
    program = generator.build()
    with scratch() as directory:
        settings = settings_for(directory / "data", radius_workers=WORKERS)
        say(f"{subscribers} access records into the database")
        prepare(settings, subscribers)
        host = RadiusHost(settings)
        try:
            say("the first start fills the store")
            filled = started(host, subscribers)
            host.await_that(lambda: "RADIUS on" in host.log, "RADIUS serves", _PATIENCE)
            host.stop()
            forget(settings.lmdb_path)
            cold = started(host, subscribers)
            host.await_that(lambda: host.log.count("RADIUS on") == 2, "RADIUS serves", _PATIENCE)
            say(f"first answer after {cold:.2f} s; asking for everybody, to have all records in memory")
            generator.run(
                program, settings.radius_auth_port, ("-m", "pap", "-M"), "-n", subscribers, "-w", 256, "-S", 64,
                "-u", 0, "-d", 3 if subscribers < 100_000 else 25,
            )  # fmt: skip
            memories = [memory(pid) for pid in host.pids("auth")]
            size = settings.lmdb_path.stat().st_blocks * 512
        finally:
            host.stop()
    own = max(each["Private_Clean"] + each["Private_Dirty"] for each in memories) / _MIB
    shared = max(each["Rss"] for each in memories) / _MIB - own
    proportional = sum(each["Pss"] for each in memories) / _MIB
    command = "python -m bench.cold_start"
    return Step(
        rows=[
            Row(
                f"start with {subscribers:,} subscriptions, records on disk but not in memory → first answer",
                f"{cold:.2f} s", "under 2 s", command,
            ),
            Row(f"first start, the store is filled from SQLite: {subscribers:,} subscriptions → first answer",
                f"{filled:.1f} s", "", command),
            Row(
                f"memory of {subscribers:,} subscriptions, {WORKERS} authentication workers that have read them all",
                f"{proportional:,.0f} MiB together (PSS): {shared:,.0f} MiB shared by all, {own:,.0f} MiB of a "
                f"worker's own; file {size / _MIB:,.0f} MiB",
                "under 1 GiB, shared", command,
            ),
        ]
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=1_000_000)
    step = measure_with(parser.parse_args().subscribers, print)
    print(*(f"{row.what}: {row.figure}" for row in step.rows), sep="\n")


if __name__ == "__main__":
    main()
