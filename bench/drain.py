"""What a record costs from the spool into the database: `python -m bench.drain [--sessions N] [--rounds N]`.

The drainer runs in this process, so its CPU time is this process's; PostgreSQL's is that of all its processes, its own
housekeeping in the meantime included. Starts open the sessions; then every session is told of once a round, in random
order. SQLite's share is the drainer's.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, ip_address
from pathlib import Path

from bench.machine import cpu_seconds
from bench.scratch import catraca_database, scratch
from bench.servers import postgres
from core.clock import system_clock
from core.database import Database
from core.migrate import migrate
from core.secrets import open_keyring
from radius import attributes as a
from radius.accounting import Received, pack_received
from radius.codec import Attribute, encode_attributes, integer
from radius.drain import Drainer
from radius.policy import Grant, Policy
from radius.records import class_value
from radius.spool import SpoolWriter

GRANT = Grant(Policy(50_000_000, 50_000_000, pool="pool4"))
_SOURCE = ip_address("127.0.0.1")
_GROUP = 256
"""Records that one fdatasync makes durable, as under load."""


@dataclass(frozen=True)
class DrainCost:
    """Of one run: CPU microseconds a record in the drainer and in PostgreSQL, and wall seconds of all."""

    records: int
    drainer: float
    postgresql: float
    seconds: float


def drain_cost(
    database: Database, directory: Path, payloads: Sequence[bytes], postmaster: int | None = None
) -> DrainCost:
    """Drain these payloads through the spool in `directory`; `postmaster`: the pid of PostgreSQL, where it is ours."""
    writer = SpoolWriter(directory)
    for start in range(0, len(payloads), _GROUP):
        writer.append(payloads[start : start + _GROUP])
    writer.close()
    drainer = Drainer(database, directory)
    servers = [] if postmaster is None else [postmaster]
    begun, own, theirs = time.monotonic(), time.process_time(), cpu_seconds(servers)
    done = 0
    while count := drainer.step():
        done += count
    own, theirs = time.process_time() - own, cpu_seconds(servers) - theirs
    return DrainCost(done, own / done * 1e6, theirs / done * 1e6, time.monotonic() - begun)


def starts(sessions: int) -> Iterator[bytes]:
    """The Starts of so many sessions, as `radload` tells them, with the Class that they were granted."""
    return (_payload(number, 1, 0) for number in range(1, sessions + 1))


def interims(sessions: int, seconds: int) -> list[bytes]:
    """One Interim of each, `seconds` after its Start, in random order."""
    numbers = random.Random(seconds).sample(range(1, sessions + 1), sessions)
    return [_payload(number, 3, seconds) for number in numbers]


def _payload(number: int, status: int, seconds: int) -> bytes:
    at = system_clock().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(hours=12 - seconds / 3600)
    counted: list[Attribute] = [
        (a.ACCT_SESSION_TIME, integer(seconds)),
        (a.ACCT_INPUT_OCTETS, integer(seconds * 1000)),
        (a.ACCT_OUTPUT_OCTETS, integer(seconds * 9000)),
        (a.ACCT_INPUT_PACKETS, integer(seconds)),
        (a.ACCT_OUTPUT_PACKETS, integer(seconds)),
        (a.ACCT_INPUT_GIGAWORDS, integer(3)),
        (a.ACCT_OUTPUT_GIGAWORDS, integer(9)),
    ]
    body = encode_attributes(
        [
            (a.ACCT_STATUS_TYPE, integer(status)),
            (a.USER_NAME, b"user%06d" % number),
            (a.ACCT_SESSION_ID, b"81%06x" % number),
            (a.FRAMED_IP_ADDRESS, IPv4Address(0x0A000000 + number).packed),
            (a.NAS_IP_ADDRESS, b"\x0a\x64\x00\x01"),
            (a.NAS_IDENTIFIER, b"bras1"),
            (a.NAS_PORT, integer(15_728_640 + number)),
            (a.NAS_PORT_TYPE, integer(15)),
            (a.NAS_PORT_ID, b"ether2"),
            (a.SERVICE_TYPE, integer(2)),
            (a.FRAMED_PROTOCOL, integer(1)),
            (a.CALLING_STATION_ID, b"02:00:00:%02X:%02X:%02X" % (number >> 16, number >> 8 & 255, number & 255)),
            (a.CALLED_STATION_ID, b"pppoe1"),
            (a.CLASS, class_value(number, GRANT)),
            (a.ACCT_AUTHENTIC, integer(1)),
            (a.ACCT_DELAY_TIME, integer(0)),
            (a.EVENT_TIMESTAMP, integer(int(at.timestamp()))),
            *(counted if status == a.ACCT_STATUS_INTERIM_UPDATE else ()),
        ]
    )
    datagram = bytes((a.ACCOUNTING_REQUEST, number & 255)) + (20 + len(body)).to_bytes(2) + bytes(16) + body
    return pack_received(Received(1, _SOURCE, at, datagram))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    print("| database | records | CPU µs a record: drainer | PostgreSQL | records/s |\n|---|---|---|---|---|")
    with scratch() as directory, ExitStack() as stack:
        server = stack.enter_context(postgres(directory))
        urls = {"PostgreSQL": catraca_database(server), "SQLite": f"sqlite:///{directory / 'catraca.db'}"}
        for name, url in urls.items():
            database = Database(url, open_keyring(directory / "keys"), system_clock)
            stack.callback(database.close)
            migrate(database)
            postmaster = server.pid if name == "PostgreSQL" else None
            for number in range(options.rounds + 1):
                kind = "Interim" if number else "Start"
                payloads = interims(options.sessions, number * 300) if number else list(starts(options.sessions))
                cost = drain_cost(database, directory / name, payloads, postmaster)
                rate = cost.records / cost.seconds
                print(f"| {name} | {kind} | {cost.drainer:.1f} | {cost.postgresql:.1f} | {rate:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
