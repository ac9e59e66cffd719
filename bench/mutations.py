"""Damaged datagrams against the running product: `python -m bench.mutations [--count N] [--sqlite]`.

Real worker processes are sent mutants of good requests over UDP, in batches of 64; after each batch an honest
subscriber logs in and an honest session is accounted, which has to work and shows that the batch has been taken in.
Every reply is held against an oracle (`bench.mutants`). The NAS at 127.0.0.2 sends no Message-Authenticator, so
there any damage reaches the credentials. What the accounting worker accepts goes all the way into the database.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import socket
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from Crypto.Cipher import DES
from Crypto.Hash import MD4

from bench.host import RadiusHost, is_drained
from bench.ledger import Ledger, shortened
from bench.machine import resident_own
from bench.mutants import Oracle, chap_original, ms_chap_of, mutant, pap_original, parsed, resigned
from bench.records import SECRET as SECRET_TEXT
from bench.results import Options, Row, Say, Step
from bench.scratch import prepared_host
from bench.wire import (
    ACCESS_ACCEPT,
    ACCESS_REQUEST,
    ACCOUNTING_RESPONSE,
    INTERIM,
    START,
    STOP,
    accounting_request,
    answers,
    attribute,
    line_attributes,
    number,
    pap_request,
    session_attributes,
    signed,
    status_request,
)
from core.runtime import Runtime
from radius import nas
from radius.spool import spools_in

SECRET = SECRET_TEXT.encode()
STRICT, LENIENT = "127.0.0.1", "127.0.0.2"
BATCH, SOCKETS, REMEMBERED = 64, 64, 4
VICTIM, PASSWORD, HONEST = b"user000001", b"pass000001", 2
_PATIENCE = 10.0


@dataclass
class Judgement:
    """What came of the mutants. All of `wrong`, `crashes` and growth beyond bounds are defects of the product."""

    sent: int = 0
    replies: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    grown: dict[str, int] = field(default_factory=dict)
    """Octets of resident memory by process, from the end of the warm-up to the end."""
    records: int = 0
    """Honest ones, acknowledged in between."""
    put_aside: int = 0
    """Octets of records that were acknowledged but which the database did not take."""
    disagreements: list[str] = field(default_factory=list)


def originals(oracles: tuple[Oracle, ...]) -> tuple[list[bytes], list[bytes]]:
    """Good Access-Requests and good Accounting-Requests of one subscriber."""
    more = line_attributes(1)
    auth = [make(VICTIM, PASSWORD, SECRET, more, os.urandom(16)) for make in (pap_original, chap_original)]
    auth += [_ms_chap(version, more) for version in (1, 2)]
    for packet in auth[2:]:
        for challenge, proof in ms_chap_of(parsed(packet) or []):
            for oracle in oracles:
                oracle.ms_chap.add((VICTIM, challenge, proof))
    auth.append(status_request(0, SECRET))
    auth.append(
        signed(ACCESS_REQUEST, 0, os.urandom(16), attribute(1, VICTIM) + attribute(79, b"\2\1\0\x08\1abc"), SECRET)
    )
    auth.append(signed(ACCESS_REQUEST, 0, os.urandom(16), attribute(1, b"02:00:5e:10:00:01"), SECRET))
    at = int(time.time())
    acct = [
        accounting_request(
            0, session_attributes(status, b"mutant-%d" % serial, VICTIM, at, (2**32 - 1, 2**40), 300) + more
            + attribute(25, b"c1.1.0123456789abcdef.-") + number(8, 0x0A000001) + number(49, 1), SECRET,
        )
        for serial, status in enumerate((START, INTERIM, INTERIM, STOP))
    ]  # fmt: skip
    acct.append(accounting_request(0, number(40, 7) + number(4, 0x0A640001) + number(55, at), SECRET))
    acct.append(status_request(0, SECRET))
    return auth, acct


def _ms_chap(version: int, more: bytes) -> bytes:
    hashed = MD4.new(PASSWORD.decode().encode("utf-16-le")).digest().ljust(21, b"\0")
    challenge, peer = os.urandom(16 if version == 2 else 8), os.urandom(16)
    asked = hashlib.sha1(peer + challenge + VICTIM).digest()[:8] if version == 2 else challenge
    blocks = []
    for third in (0, 7, 14):
        bits = int.from_bytes(hashed[third : third + 7])
        key = bytes((bits >> shift & 0x7F) << 1 for shift in range(49, -1, -7))
        blocks.append(DES.new(key, DES.MODE_ECB).encrypt(asked))
    proof = b"".join(blocks)
    value = b"\1\0" + peer + bytes(8) + proof if version == 2 else b"\1\1" + bytes(24) + proof
    own = attribute(1, VICTIM) + attribute(26, b"\0\0\x01\x37" + attribute(11, challenge))
    own += attribute(26, b"\0\0\x01\x37" + attribute(25 if version == 2 else 1, value))
    return signed(ACCESS_REQUEST, 0, os.urandom(16), own + more, SECRET)


class Range:
    """Sockets towards one port of the product, what was sent on them lately, and what may be answered.

    Sockets and Identifiers go round, so that for seconds no two mutants share both: each reply has one author.
    """

    def __init__(
        self,
        port: int,
        address: str,
        good: list[bytes],
        allowed: Callable[[bytes], bool],
        code: int,
        judgement: Judgement,
    ) -> None:
        """`good` requests are damaged and sent from `address`; `allowed`: whether `code` may answer a datagram."""
        self._port, self._allowed, self._code, self._judgement = port, allowed, code, judgement
        self._good = [
            [resigned(each[:1] + bytes((identifier,)) + each[2:], SECRET) for each in good] for identifier in range(256)
        ]
        self._sent: dict[tuple[int, int], deque[bytes]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self._turns = 0
        self._sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(SOCKETS)]
        for each in self._sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            each.bind((address, 0))

    def fire(self, chance: random.Random) -> None:
        """Send a batch of mutants."""
        for _ in range(BATCH):
            turn, place = divmod(self._turns, SOCKETS)
            self._turns += 1
            datagram = mutant(self._good[turn % 256], SECRET, chance)
            if len(datagram) > 1:
                self._sent[place, datagram[1]].append(datagram)
            self._sockets[place].sendto(datagram, ("127.0.0.1", self._port))
        self._judgement.sent += BATCH

    def hear(self) -> None:
        """Judge every reply that is there."""
        for place, each in enumerate(self._sockets):
            while True:
                try:
                    reply = each.recv(4096, socket.MSG_DONTWAIT)
                except OSError:
                    break
                self._judge(place, reply)

    def _judge(self, place: int, reply: bytes) -> None:
        asked = self._sent.get((place, reply[1]), ()) if len(reply) >= 20 else ()
        requests = [each for each in asked if answers(reply, each, SECRET)]
        self._judgement.replies[reply[0]] += 1
        if not requests:
            self._judgement.wrong.append(f"a reply that answers nothing: {reply.hex()}")
        elif reply[0] == self._code and not any(map(self._allowed, requests)):
            self._judgement.wrong.append(f"answered {reply[0]}: {requests[-1].hex()}")

    def close(self) -> None:
        for each in self._sockets:
            each.close()


class Honest:
    """One subscriber that always has to be served, from a port of its own."""

    def __init__(self, host: RadiusHost, ledger: Ledger) -> None:
        self._ports = host.settings.radius_auth_port, host.settings.radius_acct_port
        self._ledger, self._times = ledger, 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((STRICT, 0))
        self._socket.settimeout(0.5)

    def log_in(self) -> None:
        self._times += 1
        user = b"user%06d" % HONEST
        request = pap_request(self._times % 256, user, b"pass%06d" % HONEST, line_attributes(HONEST), SECRET)
        if self._exchange(request, self._ports[0])[0] != ACCESS_ACCEPT:
            raise AssertionError("the honest subscriber was refused")

    def account(self) -> None:
        self._times += 1
        session, octets = f"honest-{self._times}", (1_000 + self._times, 2**32 + self._times)
        user = b"user%06d" % HONEST
        own = session_attributes(STOP, session.encode(), user, int(time.time()), octets, 1) + line_attributes(HONEST)
        self._exchange(accounting_request(self._times % 256, own, SECRET), self._ports[1])
        self._ledger.acknowledge(session, octets, HONEST)

    def _exchange(self, request: bytes, port: int) -> bytes:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            self._socket.sendto(request, ("127.0.0.1", port))
            try:
                while not answers(reply := self._socket.recv(4096), request, SECRET):
                    pass
            except TimeoutError:
                continue
            return reply
        raise AssertionError(f"the honest subscriber hears nothing from port {port}")

    def close(self) -> None:
        self._socket.close()


def mutate(
    host: RadiusHost, count: int, *, warm_up: int, rest_seconds: float = 0.0, seed: int = 20_260_302, say: Say = print
) -> Judgement:
    """Send `count` mutants, the first `warm_up` of which do not count for memory.

    `rest_seconds`: wait so long before memory is looked at, both times, so that caches are empty of what was sent.
    """
    judgement, ledger, chance = Judgement(), Ledger(), random.Random(seed)
    strict = Oracle(SECRET, {VICTIM: PASSWORD}, signed_only=True)
    lenient = Oracle(SECRET, {VICTIM: PASSWORD}, signed_only=False)
    auth, acct = originals((strict, lenient))
    ports = host.settings.radius_auth_port, host.settings.radius_acct_port
    ranges = (
        Range(ports[0], STRICT, auth, strict.may_accept, ACCESS_ACCEPT, judgement),
        Range(ports[0], LENIENT, auth, lenient.may_accept, ACCESS_ACCEPT, judgement),
        Range(ports[1], STRICT, acct, strict.may_acknowledge, ACCOUNTING_RESPONSE, judgement),
    )
    before = {role: host.pids(role) for role in ("auth", "accounting", "sync")}
    honest = Honest(host, ledger)
    resident: dict[int, int] = {}
    while judgement.sent < count:
        if not resident and judgement.sent >= warm_up:
            time.sleep(rest_seconds)
            resident = _resident(host)
        for each, served in zip(ranges, (honest.log_in, honest.log_in, honest.account), strict=True):
            each.fire(chance)
            served()
            each.hear()
        if judgement.sent % (BATCH * 3 * 500) == 0:
            say(f"{judgement.sent} mutants, replies {dict(judgement.replies)}, {len(judgement.wrong)} wrong")
    time.sleep(max(rest_seconds, 1.2))  # rejects are held back for a second
    for each in ranges:
        each.hear()
        each.close()
    after = _resident(host)
    for role, pids in before.items():
        if host.pids(role) != pids:
            judgement.crashes.append(f"{role} was {pids}, is {host.pids(role)}")
        judgement.grown |= {
            f"{role} {pid}": after[pid] - resident[pid] for pid in pids if pid in after and pid in resident
        }
    _follow_into_database(host, ledger, judgement)
    honest.close()
    return judgement


def _resident(host: RadiusHost) -> dict[int, int]:
    return {pid: resident_own(pid) for role in ("auth", "accounting") for pid in host.pids(role)}


def _follow_into_database(host: RadiusHost, ledger: Ledger, judgement: Judgement) -> None:
    runtime = Runtime.open(host.settings)
    try:
        host.await_that(lambda: is_drained(runtime), "everything is drained", 600)
        wrong = ledger.disagreements(runtime)
    finally:
        runtime.close()
    judgement.disagreements = [each for each in wrong if each.startswith("honest-") and "never sent" not in each]
    judgement.records = ledger.records
    aside = (spool / "rejected" for spool in spools_in(host.settings.spool_dir.parent))
    judgement.put_aside = sum(path.stat().st_size for path in aside if path.exists())


def add_lenient_nas(host: RadiusHost) -> None:
    """127.0.0.1 must sign, 127.0.0.2 need not."""
    runtime = Runtime.open(host.settings)
    try:
        with runtime.database.transaction() as tx:
            for address, signing in ((STRICT, True), (LENIENT, False)):
                nas.add_nas(
                    tx, name=address, network=address, secret=SECRET_TEXT, require_message_authenticator=signing
                )
    finally:
        runtime.close()


def measure(options: Options, say: Say) -> Step:
    return measure_count(20_000 if options.quick else 1_000_000, say, postgres=True)


def measure_count(count: int, say: Say, *, postgres: bool) -> Step:
    with prepared_host(Options(), 10, postgres=postgres) as host:
        add_lenient_nas(host)
        time.sleep(1)  # until the workers know both
        found = mutate(host, count, warm_up=count // 3, rest_seconds=12.0, say=say)
    for each in (*found.wrong[:20], *found.crashes):
        say(each)
    say(shortened(found.disagreements))
    say(", ".join(f"{name} {octets / (1 << 20):+.1f} MiB" for name, octets in found.grown.items()))
    largest = max(found.grown.values()) / (1 << 20)
    figure = (
        f"{len(found.crashes)} crashes, {len(found.wrong)} wrong answers, resident memory {largest:+.1f} MiB; "
        f"{found.records:,} honest records in between: {len(found.disagreements)} lost"
        + (f"; {found.put_aside:,} octets of strange records put aside" if found.put_aside else "")
    )
    return Step(rows=[Row(f"{found.sent:,} damaged datagrams, two thirds of them signed again", figure,
                          "no crash, no wrong Accept, +5 MiB at most", "python -m bench.mutations")])  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--sqlite", action="store_true", help="on SQLite instead of PostgreSQL")
    given = parser.parse_args()
    step = measure_count(given.count, print, postgres=not given.sqlite)
    print(*(f"{row.what}: {row.figure}" for row in step.rows), sep="\n")


if __name__ == "__main__":
    main()
