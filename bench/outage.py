"""The database gone for a while under load: `python -m bench.outage [--seconds N]`.

PostgreSQL is stopped as by a crash and started again, while subscribers authenticate and accounting arrives. Nobody may
be refused or left without an answer, and what was acknowledged has to be in the database soon after it is back.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from bench.host import RadiusHost, prepare, settings_for
from bench.ledger import Dialler, Ledger, accounting_lines, shortened
from bench.nas_load import NasLoad
from bench.records import SECRET
from bench.results import Options, Row, Say, Step
from bench.scratch import catraca_database, scratch
from bench.servers import postgres
from bench.wire import ACCESS_ACCEPT
from core.errors import Unavailable
from core.runtime import Runtime
from radius.models import Session

AUTH_LINES, ACCT_LINES, AUTH_PACE, ACCT_PACE = 100, 200, 500.0, 1_000.0
TRIES, TRY_SECONDS = 3, 1.0
"""An authentication has failed when none of three tries is answered, a second each."""


@dataclass(frozen=True)
class Outage:
    accepted: int
    failed: int
    records: int
    drained_seconds: float
    """From the database's return until all that was acknowledged during the outage was in it."""
    disagreements: list[str]


def through_an_outage(
    host: RadiusHost, away: Callable[[], None], back: Callable[[], None], seconds: float, say: Say = print
) -> Outage:
    """Load the host, call `away`, wait, call `back`, and see what became of everything."""
    ledger, codes = Ledger(), Counter[int]()
    secret = SECRET.encode()
    diallers = [Dialler(number, host.settings.radius_auth_port, codes) for number in range(1, AUTH_LINES + 1)]
    auth = NasLoad(diallers, secret, pace=AUTH_PACE, waits=(TRY_SECONDS,), most_tries=TRIES)
    acct = NasLoad(accounting_lines(ACCT_LINES, host.settings.radius_acct_port, ledger), secret, pace=ACCT_PACE)
    auth.start()
    acct.start()
    host.await_that(lambda: codes[ACCESS_ACCEPT] > AUTH_PACE / 2 and ledger.records > ACCT_PACE / 2, "both are served")
    say("the database goes away")
    away()
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(10.0, left))
        say(f"{ledger.records} records acknowledged, {codes[ACCESS_ACCEPT]} subscribers accepted")
    last = ledger.last_closing
    back()
    returned = time.monotonic()
    say("the database is back")
    runtime = Runtime.open(host.settings)
    try:
        host.await_that(lambda: _arrived(runtime, last), "accounting of the outage arrives")
        drained = time.monotonic() - returned
    finally:
        runtime.close()
    auth.stop()
    acct.stop()
    wrong = ledger.compare_drained(host)
    accepted = codes.pop(ACCESS_ACCEPT)
    return Outage(accepted, codes.total(), ledger.records, drained, wrong)


def _arrived(runtime: Runtime, session: str) -> bool:
    try:
        with runtime.database.reading() as tx:
            return tx.session.scalar(select(Session.id).where(Session.acct_session_id == session)) is not None
    except Unavailable:
        return False


def measure(options: Options, say: Say) -> Step:
    return measure_for(5.0 if options.quick else 60.0, say)


def measure_for(seconds: float, say: Say) -> Step:
    with scratch() as directory, postgres(directory) as server:
        settings = settings_for(directory / "data", catraca_database(server))
        prepare(settings, max(AUTH_LINES, ACCT_LINES))
        with RadiusHost(settings) as host:
            found = through_an_outage(host, lambda: server.stop("immediate"), server.start, seconds, say)
    if found.disagreements:
        say(shortened(found.disagreements))
    what = (
        f"PostgreSQL gone for {seconds:.0f} s and back, under {AUTH_PACE:.0f} authentications/s and "
        f"{ACCT_PACE:,.0f} accounting records/s"
    )
    figure = (
        f"{found.failed} of {found.accepted + found.failed:,} authentications failed, {len(found.disagreements)} of "
        f"{found.records:,} records lost or counted twice, drained {found.drained_seconds:.1f} s after the return"
    )
    return Step(rows=[Row(what, figure, "0 failed, 0 lost, drained within 60 s", "python -m bench.outage")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    step = measure_for(parser.parse_args().seconds, print)
    print(*(f"{row.what}: {row.figure}" for row in step.rows), sep="\n")


if __name__ == "__main__":
    main()
