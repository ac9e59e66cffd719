"""Column types: what goes in comes out the same, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, func, insert, literal_column, select, text
from sqlalchemy.exc import StatementError

from core.columns import Address, IpAddress, JsonDict, SecretText, UtcDateTime
from core.database import Database
from core.secrets import KeyMissing, Secret, add_key, open_keyring

INSTANTS = [
    pytest.param(datetime(2026, 3, 2, 12, 0, tzinfo=UTC), id="whole second"),
    pytest.param(datetime(2026, 3, 2, 12, 0, 0, 1, tzinfo=UTC), id="one microsecond"),
    pytest.param(datetime(2026, 3, 2, 12, 0, 0, 999_999, tzinfo=ZoneInfo("America/Sao_Paulo")), id="another zone"),
    pytest.param(datetime(2026, 3, 2, 12, 0, tzinfo=timezone(timedelta(hours=5, minutes=45))), id="odd zone"),
    pytest.param(
        datetime(2018, 2, 17, 23, 30, tzinfo=ZoneInfo("America/Sao_Paulo"), fold=1), id="second 23:30 of a day"
    ),
    pytest.param(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), id="before 1970"),
    pytest.param(datetime(9999, 1, 1, tzinfo=UTC), id="far away"),
]


@pytest.fixture
def table(database: Database) -> Iterator[Table]:
    """A table with a column of each type."""
    made = Table(
        "trial",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("at", UtcDateTime),
        Column("address", IpAddress),
        Column("secret", SecretText),
        Column("document", JsonDict),
    )
    made.create(database.engine)
    yield made
    made.drop(database.engine)


def stored(database: Database, table: Table, column: str, value: object) -> object:
    """The value after a way through the database."""
    with database.transaction() as tx:
        tx.session.execute(table.delete())
        tx.session.execute(insert(table).values({column: value}))
    with database.reading() as tx:
        return tx.session.scalar(select(table.c[column]))


def raw(database: Database, column: str) -> object:
    with database.reading() as tx:
        return tx.session.scalar(text(f"SELECT {column} FROM trial"))


@pytest.mark.parametrize("instant", INSTANTS)
def test_an_instant_is_the_same_instant_in_utc(database: Database, table: Table, instant: datetime) -> None:
    found = stored(database, table, "at", instant)
    assert isinstance(found, datetime)
    assert found == instant.astimezone(UTC)
    assert found.timestamp() == instant.timestamp()
    assert found.utcoffset() == timedelta(0)


@settings(max_examples=25)
@given(st.datetimes(min_value=datetime(1970, 1, 2), timezones=st.timezones()))  # noqa: DTZ001
def test_any_instant_is_the_same_instant(database: Database, table: Table, instant: datetime) -> None:
    found = stored(database, table, "at", instant)
    assert isinstance(found, datetime)
    assert found == instant.astimezone(UTC)


def test_a_naive_instant_is_refused(database: Database, table: Table) -> None:
    with pytest.raises(StatementError, match="time zone"):
        stored(database, table, "at", datetime.now(UTC).replace(tzinfo=None))


def test_instants_are_compared_as_instants(database: Database, table: Table) -> None:
    noon = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    same = noon.astimezone(ZoneInfo("America/Sao_Paulo"))
    instants = [noon + timedelta(microseconds=step) for step in (-1, 0, 1, 10, 999_999)]
    with database.transaction() as tx:
        tx.session.execute(insert(table), [{"at": instant} for instant in reversed(instants)])
    with database.reading() as tx:
        assert tx.session.scalars(select(table.c.at).order_by(table.c.at)).all() == instants
        before = select(func.count()).select_from(table).where(table.c.at <= same)
        assert tx.session.scalar(before) == 2


ADDRESSES: list[Address] = [
    *[IPv4Address(text) for text in ("0.0.0.0", "1.255.255.255", "9.0.0.0", "10.0.0.2", "10.0.0.10", "100.64.0.1")],
    *[IPv4Address(text) for text in ("128.0.0.1", "255.255.255.255")],
]


def test_addresses_sort_by_value(database: Database, table: Table) -> None:
    with database.transaction() as tx:
        tx.session.execute(insert(table), [{"address": address} for address in reversed(ADDRESSES)])
    with database.reading() as tx:
        assert tx.session.scalars(select(table.c.address).order_by(table.c.address)).all() == ADDRESSES
        low, high = IPv4Address("9.255.255.255"), IPv4Address("100.64.0.0")
        inside = select(table.c.address).where(table.c.address.between(low, high)).order_by(table.c.address)
        assert tx.session.scalars(inside).all() == ADDRESSES[3:5]


@settings(max_examples=25)
@given(st.lists(st.ip_addresses(v=6), min_size=2, max_size=6, unique=True))
def test_addresses_of_ipv6_sort_by_value(database: Database, table: Table, addresses: list[IPv6Address]) -> None:
    with database.transaction() as tx:
        tx.session.execute(table.delete())
        tx.session.execute(insert(table), [{"address": address} for address in addresses])
    with database.reading() as tx:
        assert tx.session.scalars(select(table.c.address).order_by(table.c.address)).all() == sorted(addresses)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "::ffff:10.0.0.1", "2001:db8::1"])
def test_an_address_keeps_its_family(database: Database, table: Table, address: str) -> None:
    assert stored(database, table, "address", ip_address(address)) == ip_address(address)


@pytest.mark.parametrize("secret", ["senha", "çãé 🔑", "", "x" * 5000], ids=["plain", "not ASCII", "empty", "long"])
def test_a_secret_is_encrypted_in_the_database(database: Database, table: Table, secret: str) -> None:
    found = stored(database, table, "secret", Secret(secret))
    assert isinstance(found, Secret)
    assert found.reveal() == secret
    assert str(raw(database, "secret")).startswith("gAAAA")


def test_a_secret_opens_with_an_older_key_and_never_without_one(
    database: Database, table: Table, tmp_path: Path
) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    stored(database, table, "secret", Secret("senha"))
    newer = Database(url, add_key(tmp_path / "keys"), database.clock)
    with newer.reading() as tx:
        assert tx.session.scalar(select(table.c.secret)) == Secret("senha")
    stranger = Database(url, open_keyring(tmp_path / "other"), database.clock)
    with pytest.raises(KeyMissing), stranger.reading() as tx:
        tx.session.scalar(select(table.c.secret))
    newer.close()
    stranger.close()


@pytest.mark.parametrize("document", [{}, {"a": [1, {"b": None}], "ç": "é"}], ids=["empty", "nested"])
def test_a_document_comes_back(database: Database, table: Table, document: dict[str, object]) -> None:
    assert stored(database, table, "document", document) == document


@pytest.mark.parametrize("column", ["at", "address", "secret", "document"])
def test_nothing_is_null_in_the_database_too(database: Database, table: Table, column: str) -> None:
    assert stored(database, table, column, None) is None
    with database.reading() as tx:
        assert tx.session.scalar(select(literal_column("1")).select_from(table).where(table.c[column].is_(None))) == 1
