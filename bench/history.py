"""Ask a year of address history who had an address: `python -m bench.history [--rows N] [--database …] [--keep DIR]`.

Builds the year (a thousand uses an address, one after the other with short gaps, a fifth of them IPv6 prefixes, and a
month of sessions beside it) on a PostgreSQL server of its own or in an SQLite file, in the order in which the archive
would have written it, indexes and all. Then times whole calls of `who_had`, SQLAlchemy included, at addresses and
instants drawn at random. `--keep DIR` leaves the database there and finds it again.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

from sqlalchemy import insert, text

from core.columns import Address
from core.database import Database
from core.migrate import migrate
from core.secrets import open_keyring
from radius.history import AddressUse, remember_use, who_had
from radius.history_months import Month
from radius.history_partitions import make_partitions
from radius.models import Session

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
USES = 1_000
"""Uses of one address in the year."""
SLOT = YEAR / USES
LENGTH = SLOT * 0.95
FIRST = int(IPv4Address("100.64.0.0"))
FIRST_PREFIX = int(IPv6Address("2001:db8::"))
CHUNK = 1_000_000
MOST_SESSIONS = 500_000
_SHARED = "subscription_id, nas_id, user_name, calling_station_id, nas_port_id, acct_session_id"

Draw = Callable[[random.Random, int], tuple[Address, datetime]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--questions", type=int, default=500, help="of each kind")
    parser.add_argument("--keep", type=Path, help="build here, or use what was built here before")
    options = parser.parse_args()
    for kind in ("sqlite", "postgresql") if options.database == "both" else (options.database,):
        with _directory(options.keep, kind) as directory:
            run(kind, directory, options.rows, options.questions)


def run(kind: str, directory: Path, rows: int, questions: int) -> None:
    """Build unless it is there, then ask."""
    marker = directory / f"built-{rows}"
    with ExitStack() as stack:
        url = stack.enter_context(_postgresql(directory)) if kind == "postgresql" else f"sqlite:///{directory / 'h.db'}"
        database = Database(url, open_keyring(directory / "keys"), lambda: BEGIN + YEAR)
        stack.callback(database.close)
        if not marker.exists():
            begun = time.perf_counter()
            migrate(database)
            _build(database, rows)
            marker.touch()
            seconds = time.perf_counter() - begun
            print(f"{kind}: {rows:,} rows built in {seconds:.0f} s, {seconds / rows * 1e6:.1f} s a million", flush=True)
        print(
            f"{kind}: {_size(database, directory) / 1e9:.2f} GB, {_size(database, directory) / rows:.0f} octets a row"
        )
        print(f"| {kind}, {rows:,} rows | found | median | p99 | worst |\n|---|---|---|---|---|")
        for name, draw in QUESTIONS.items():
            print(_ask(database, name, draw, rows, questions), flush=True)


def _ask(database: Database, name: str, draw: Draw, rows: int, questions: int) -> str:
    """One line of the table: milliseconds of whole calls."""
    source = random.Random(name)
    taken, found = [], 0
    for number in range(questions + 20):
        address, at = draw(source, _addresses(rows))
        with database.reading() as tx:
            tx.session.connection()
            begun = time.perf_counter()
            holders: list[AddressUse] = who_had(tx, address, at)
            if number >= 20:  # the first ones fill the caches of statements and catalogues
                taken.append((time.perf_counter() - begun) * 1e3)
                found += bool(holders)
    taken.sort()
    p99 = taken[int(len(taken) * 0.99)]
    share = f"{found * 100 // questions} %"
    return f"| {name} | {share} | {statistics.median(taken):.2f} ms | {p99:.2f} ms | {taken[-1]:.2f} ms |"


def _moment(source: random.Random, first_slot: int, last_slot: int, within: float) -> datetime:
    """In a slot between those; `within` below 0.95: somebody had the address then."""
    return BEGIN + SLOT * (source.randrange(first_slot, last_slot) + within)


def _v4(source: random.Random, addresses: int) -> Address:
    return IPv4Address(FIRST + source.randrange(addresses * 4 // 5))


def _v6(source: random.Random, addresses: int) -> Address:
    return IPv6Address(FIRST_PREFIX + (source.randrange(addresses // 5) << 72) + source.getrandbits(72))


QUESTIONS: dict[str, Draw] = {
    "IPv4, last month": lambda source, count: (_v4(source, count), _moment(source, 918, 999, 0.5)),
    "IPv4, eleven months ago": lambda source, count: (_v4(source, count), _moment(source, 0, 80, 0.5)),
    "IPv4, any time": lambda source, count: (_v4(source, count), _moment(source, 0, 999, source.random() * 0.94)),
    "IPv4, nobody then, last month": lambda source, count: (_v4(source, count), _moment(source, 918, 999, 0.97)),
    "IPv4, nobody then, eleven months ago": lambda source, count: (_v4(source, count), _moment(source, 0, 80, 0.97)),
    "IPv4, nobody ever": lambda source, _: (IPv4Address(source.getrandbits(24)), _moment(source, 0, 80, 0.5)),
    "IPv6 in a /56, last month": lambda source, count: (_v6(source, count), _moment(source, 918, 999, 0.5)),
    "IPv6 in a /56, eleven months ago": lambda source, count: (_v6(source, count), _moment(source, 0, 80, 0.5)),
    "IPv6, nobody ever": lambda source, _: (IPv6Address((0x2804 << 112) + source.getrandbits(112)), BEGIN),
}


def _addresses(rows: int) -> int:
    return max(10, rows // USES)


def _build(database: Database, rows: int) -> None:
    """Use number i is of address i mod n, in slot i div n: by time, all addresses in turn."""
    with database.transaction() as tx:
        make_partitions(tx, [Month.of(BEGIN).after(number) for number in range(13)])
    for start in range(0, rows, CHUNK):
        numbers = range(start, min(start + CHUNK, rows))
        if database.dialect == "postgresql":
            _generate(database, numbers, _addresses(rows))
        else:
            _insert(database, numbers, _addresses(rows))
    _add_long_uses(database, rows)
    _insert_sessions(database, min(rows // 12, MOST_SESSIONS), _addresses(rows))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE" if database.dialect == "postgresql" else "ANALYZE"))


_GENERATE = rf"""
INSERT INTO address_history (address, prefix_length, since, until, session_id, {_SHARED})
SELECT CASE WHEN a < %(v4)s THEN substring(int8send({FIRST} + a) FROM 5)
            ELSE '\x20010db8'::bytea || substring(int8send((a - %(v4)s) * 256) FROM 5) || '\x0000000000000000'::bytea
       END,
       CASE WHEN a < %(v4)s THEN 32 ELSE 56 END,
       began, began + interval '{LENGTH.total_seconds()} seconds', i, a, a %% 50,
       'user' || a, '02:00:5E:' || a, 'xpon0/1/' || a || '.100', 'f' || i
FROM (SELECT i, i %% %(addresses)s AS a,
             timestamptz '{BEGIN.isoformat()}'
             + (i / %(addresses)s) * interval '{SLOT.total_seconds()} seconds' AS began
      FROM generate_series(%(first)s::bigint, %(last)s::bigint) i) numbered
"""


def _generate(database: Database, numbers: range, addresses: int) -> None:
    """PostgreSQL makes the rows itself."""
    values = {"addresses": addresses, "v4": addresses * 4 // 5, "first": numbers[0], "last": numbers[-1]}
    with database.transaction() as tx:
        tx.session.connection().exec_driver_sql(_GENERATE, values)


def _insert(database: Database, numbers: range, addresses: int) -> None:
    """The same rows for SQLite."""
    names = f"address, prefix_length, since, until, session_id, {_SHARED}"
    statement = f"INSERT INTO address_history ({names}) VALUES ({', '.join('?' * 11)})"
    with database.transaction() as tx:
        driver: Any = tx.session.connection().connection.driver_connection
        driver.executemany(statement, (_row(number, addresses) for number in numbers))


def _row(number: int, addresses: int) -> tuple[object, ...]:
    slot, place = divmod(number, addresses)
    v6 = place - addresses * 4 // 5
    address: Address = IPv4Address(FIRST + place) if v6 < 0 else IPv6Address(FIRST_PREFIX + (v6 << 72))
    since = (BEGIN + SLOT * slot).replace(tzinfo=None)
    span = since.isoformat(" ", "microseconds"), (since + LENGTH).isoformat(" ", "microseconds")
    words = f"user{place}", f"02:00:5E:{place}", f"xpon0/1/{place}.100", f"f{number}"
    return address.packed, 32 if v6 < 0 else 56, *span, number, place, place % 50, *words


def _add_long_uses(database: Database, rows: int) -> None:
    """Of every tenth address one use more, which lasts for months: of a NAS with private addresses of its own, say."""
    uses = []
    for place in range(0, _addresses(rows), 10):
        began = BEGIN + SLOT * (place % 600)
        v6 = place - _addresses(rows) * 4 // 5
        address: Address = IPv4Address(FIRST + place) if v6 < 0 else IPv6Address(FIRST_PREFIX + (v6 << 72))
        until = began + timedelta(days=33 + place % 100)
        uses.append(AddressUse(address, 32 if v6 < 0 else 56, began, until, rows + place, place, 99, f"long{place}"))
    with database.transaction() as tx:
        for start in range(0, len(uses), 5_000):
            remember_use(tx, uses[start : start + 5_000])


def _insert_sessions(database: Database, count: int, addresses: int) -> None:
    """Sessions of the last month, all over."""
    same = {"instance": 0, "nas_id": 1, "nas_address": IPv4Address("192.0.2.1"), "closed_by": "stop"}
    for start in range(0, count, 10_000):
        rows = []
        for number in range(start, min(start + 10_000, count)):
            began = BEGIN + YEAR - timedelta(days=30) * (1 - number / count)
            ended = {"started_at": began, "updated_at": began, "stopped_at": began + timedelta(hours=1)}
            place = IPv4Address(FIRST + number % (addresses * 4 // 5))
            who = {"user_name": f"user{number}", "acct_session_id": f"s{number}", "subscription_id": number}
            rows.append({**same, **ended, **who, "key": number.to_bytes(16), "framed_ip_address": place})
        with database.transaction() as tx:
            tx.session.execute(insert(Session), rows)


def _size(database: Database, directory: Path) -> int:
    """Octets of the history with its indexes."""
    if database.dialect != "postgresql":
        return (directory / "h.db").stat().st_size
    parts = "pg_inherits WHERE inhparent = 'address_history'::regclass"
    with database.reading() as tx:
        found = tx.session.connection().exec_driver_sql(f"SELECT sum(pg_total_relation_size(inhrelid)) FROM {parts}")
        return int(found.scalar() or 0)


@contextmanager
def _directory(keep: Path | None, kind: str) -> Iterator[Path]:
    if keep is not None:
        (keep / kind).mkdir(parents=True, exist_ok=True)
        yield (keep / kind).resolve()
        return
    with tempfile.TemporaryDirectory(prefix="catraca-bench-") as scratch:
        yield Path(scratch)


@contextmanager
def _postgresql(directory: Path) -> Iterator[str]:
    """A server of our own on a socket in the directory; it does not wait for the disk while it builds."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    user = "postgres" if os.geteuid() == 0 else None
    data = directory / "pg"
    if user:
        shutil.chown(directory, user)
        directory.chmod(0o755)

    def call(*words: object) -> None:
        subprocess.run([str(word) for word in words], check=True, user=user, cwd="/", stdout=subprocess.DEVNULL)

    fresh = not data.exists()
    if fresh:
        call(programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync")
    options = f"-c listen_addresses='' -c unix_socket_directories={directory} -c fsync=off -c synchronous_commit=off"
    options += " -c shared_buffers=1GB -c max_wal_size=8GB -c wal_level=minimal -c max_wal_senders=0"
    call(programs / "pg_ctl", "-D", data, "-w", "-l", directory / "pg.log", "-o", options, "start")
    try:
        if fresh:
            call(programs / "createdb", "-h", directory, "-U", "postgres", "-T", "template0", "-E", "UTF8", "history")
        yield f"postgresql+psycopg://postgres@/history?host={directory}"
    finally:
        call(programs / "pg_ctl", "-D", data, "-m", "fast", "stop")


if __name__ == "__main__":
    main()
