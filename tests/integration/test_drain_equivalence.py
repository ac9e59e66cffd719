"""Interims that are written together come to what folding them one by one comes to; usage adds up whatever happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st
from sqlalchemy import select, text

from core.database import Database, Transaction
from radius import replica
from radius.accounting import AccountingRecord, Received, pack_received, read_record
from radius.company_days import CompanyDays
from radius.drain_batch import Batch
from radius.fold import GONE, STALE
from radius.interim import QuickReader
from radius.interim_update import write_interims
from radius.models import Session
from radius.records import pack
from radius.session_book import SessionBook
from radius.session_end import end_session, end_sessions
from tests.factories_accounting import FAST, INTERIM, NOW, START, acct_attributes, received
from tests.factories_auth import record
from tests.factories_streams import batches

TABLES = ("session", "usage_day", "address_history")


def together(tx: Transaction, batch: Sequence[Received], reader: QuickReader) -> int:
    """As the drainer does it; gives how many records were left for the book."""
    days = CompanyDays(tx.settings.timezone)
    read = Batch([pack_received(each) for each in batch], reader, days)
    left = read.records(write_interims(tx, read.interims, read.day))
    fold(tx, left)
    return len(left)


def fold(tx: Transaction, records: Sequence[AccountingRecord]) -> None:
    book = SessionBook(tx, records)
    for each in records:
        book.add(each)
    book.save()


def one_by_one(tx: Transaction, batch: Sequence[Received]) -> None:
    for each in batch:
        found = read_record(each)
        assert isinstance(found, AccountingRecord)
        fold(tx, [found])


def rows(tx: Transaction) -> dict[str, list[tuple[Any, ...]]]:
    """All that draining writes, without the numbers that the database gives."""
    found = {}
    for table in TABLES:
        result = tx.session.execute(text(f"SELECT * FROM {table}")).mappings().all()
        plain = [tuple(value for name, value in row.items() if name not in ("id", "session_id")) for row in result]
        found[table] = sorted(plain, key=str)
    return found


def give_ana_a_record(database: Database) -> None:
    """Whose sessions without a Class are."""
    with database.transaction() as tx:
        replica.put(tx, pack(record(9, "bia"), tx.keyring.seal))


def unsettled(tx: Transaction) -> Iterator[str]:
    """What is wrong with the usage: what is counted and what is not yet are together what the counters say."""
    counted: Counter[str] = Counter()
    for row in tx.session.execute(text("SELECT input_octets, output_octets FROM usage_day")):
        counted += Counter(input=row[0], output=row[1])
    tx.session.expire_all()
    for session in tx.session.scalars(select(Session)):
        counted.subtract({"input": session.usage_input_octets, "output": session.usage_output_octets})
        if session.usage_input_octets > session.input_octets or session.usage_output_octets > session.output_octets:
            yield f"session {session.id} has more counted than it has moved"
        whole = (session.usage_input_octets, session.usage_output_octets) == (
            session.input_octets,
            session.output_octets,
        )
        if session.stopped_at is not None and session.subscription_id is not None and not whole:
            yield f"session {session.id} is over, but not all of it is counted"
    yield from (f"{name}: {rest} too many counted" for name, rest in counted.items() if rest)


@given(drawn=batches())
def test_together_is_as_one_by_one(database: Database, drawn: list[list[Received]]) -> None:
    give_ana_a_record(database)
    reader = QuickReader()
    with database.reading() as tx:
        left = sum(together(tx, batch, reader) for batch in drawn)
        quick = rows(tx)
    event("some together" if left < sum(map(len, drawn)) else "none together")
    with database.reading() as tx:
        for batch in drawn:
            one_by_one(tx, batch)
        slow = rows(tx)
    for table in TABLES:
        assert quick[table] == slow[table]


@given(drawn=batches(), data=st.data())
def test_what_is_counted_and_what_is_not_yet_add_up(
    database: Database, drawn: list[list[Received]], data: st.DataObject
) -> None:
    give_ana_a_record(database)
    reader = QuickReader()
    with database.reading() as tx:
        for batch in drawn:
            together(tx, batch, reader)
            assert list(unsettled(tx)) == []
            interlude = data.draw(st.sampled_from(["nothing", "nothing", "all end", "one ends"]))
            if interlude == "all end":
                end_sessions(tx, by=STALE, cause="Lost-Carrier")
            elif interlude == "one ends":
                session = tx.session.scalar(select(Session).where(Session.stopped_at.is_(None)).limit(1))
                if session is not None:
                    end_session(tx, session, session.updated_at, GONE, "")
                    tx.session.flush()
            assert list(unsettled(tx)) == []


def test_interims_of_known_sessions_are_all_written_together(database: Database) -> None:
    """Else the tests above would hold for a drainer that folds everything."""
    reader = QuickReader()

    def told(status: int, after: int) -> list[Received]:
        at = NOW + timedelta(seconds=after)
        return [
            received(acct_attributes(status, b"s%d" % number, b"u%d" % number, seconds=after, grant=FAST), at)
            for number in range(600)
        ]

    with database.transaction() as tx:
        assert together(tx, told(START, 0), reader) == 600
    for after in (300, 600):
        with database.transaction() as tx:
            assert together(tx, told(INTERIM, after), reader) == 0
    with database.transaction() as tx:
        both = [*told(INTERIM, 900), *told(INTERIM, 901)]
        assert together(tx, both, reader) == 0, "two of one session in a batch"
    with database.reading() as tx:
        seconds = tx.session.scalars(select(Session.session_seconds).distinct()).all()
        assert seconds == [901]
