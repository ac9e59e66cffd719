"""From commit to answer: `python -m bench.visibility [--times N]`.

A subscriber's record is changed in the database again and again; each time every authentication worker is asked,
through 16 client ports that the kernel spreads over them, until all of them answer by the new record.
"""

from __future__ import annotations

import argparse
import select
import socket
import time
from collections.abc import Iterable
from statistics import median

from bench.host import RadiusHost, publish
from bench.records import SECRET
from bench.results import Options, Row, Say, Step
from bench.scratch import prepared_host
from bench.wire import answers, line_attributes, pap_request
from core.runtime import Runtime
from radius.policy import Grant, Policy, Span
from radius.records import AccessRecord

WORKERS, PORTS = 2, 16
_PATIENCE = 10.0
_POLICIES = (Policy(10**7, 10**7), Policy(2 * 10**7, 2 * 10**7))


class Asker:
    """A client port that asks for the subscriber until the answer shows a certain policy."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        self._identifier = 0
        self._request = b""

    def ask(self) -> None:
        self._identifier = (self._identifier + 1) % 256
        self._request = pap_request(self._identifier, b"user000001", b"pass000001", line_attributes(1), SECRET.encode())
        self.socket.send(self._request)

    def shows(self, policy: Policy) -> bool:
        reply = self.socket.recv(4096)
        return answers(reply, self._request, SECRET.encode()) and policy.policy_id.encode() in reply


def visible_after(askers: Iterable[Asker], policy: Policy, since: float) -> float:
    """Seconds from `since` (monotonic) until all ports have been answered with this policy."""
    waiting = {asker.socket: asker for asker in askers}
    for asker in waiting.values():
        asker.ask()
    while waiting:
        if time.monotonic() - since > _PATIENCE:
            raise AssertionError(f"{len(waiting)} ports are still answered by the old record")
        for ready in select.select(list(waiting), [], [], 0.1)[0]:
            if waiting[ready].shows(policy):
                del waiting[ready]
            else:
                waiting[ready].ask()
    return time.monotonic() - since


def delays(host: RadiusHost, times: int) -> list[float]:
    """Seconds from each of `times` commits to its visibility everywhere, least first."""
    runtime = Runtime.open(host.settings)
    askers = [Asker(host.settings.radius_auth_port) for _ in range(PORTS)]
    found = []
    try:
        for number in range(times):
            policy = _POLICIES[number % 2]
            record = AccessRecord(1, "user000001", b"pass000001", None, (Span(None, None, Grant(policy)),))
            with runtime.database.transaction() as tx:
                publish(tx, [record])
            found.append(visible_after(askers, policy, time.monotonic()))
            time.sleep(0.013 * (number % 7))  # not in step with anybody's poll
    finally:
        for asker in askers:
            asker.socket.close()
        runtime.close()
    return sorted(found)


def measure(options: Options, say: Say) -> Step:
    return measure_times(30 if options.quick else 200, say)


def measure_times(times: int, say: Say) -> Step:
    rows = []
    for postgres in (True, False):
        with prepared_host(Options(), 1_000, postgres=postgres, radius_workers=WORKERS) as host:
            found = [seconds * 1000 for seconds in delays(host, times)]
        kind = "PostgreSQL" if postgres else "SQLite"
        say(f"{kind}: median {median(found):.0f} ms")
        figure = (
            f"median {median(found):.0f} ms, p99 {found[int(len(found) * 0.99)]:.0f} ms, longest {found[-1]:.0f} ms"
        )
        what = f"from commit to visible in every one of {WORKERS} workers, {kind}, {times} changes"
        rows.append(Row(what, figure, "under 200 ms", "python -m bench.visibility"))
    return Step(rows=rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=200)
    step = measure_times(parser.parse_args().times, lambda _text: None)
    print(*(f"{row.what}: {row.figure}" for row in step.rows), sep="\n")


if __name__ == "__main__":
    main()
