"""Who had an address at an instant: from sessions and from the history, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, func, select, text

from core.database import Database
from radius.history import AddressUse, remember_use, uses_of_address, uses_of_subscription, who_had
from radius.history_models import LONG, AddressHistory
from radius.history_months import Month
from radius.history_partitions import make_partitions
from radius.models import Session
from tests.factories_history import drop_partitions, kept_users, make_use, remember
from tests.factories_sessions import make_session
from tests.ticking import START

ADDRESS = ip_address("100.64.0.9")
INSIDE = ip_address("2001:db8:0:42::5")


@pytest.fixture(autouse=True)
def whole(database: Database) -> Iterator[None]:
    yield
    drop_partitions(database)


def hours(count: float) -> datetime:
    return START + timedelta(hours=count)


def holders(database: Database, at: datetime, address: Any = ADDRESS) -> list[str]:
    with database.reading() as tx:
        return [use.user_name for use in who_had(tx, address, at)]


HAD: dict[str, tuple[float, list[str]]] = {
    "before anybody": (-0.1, []),
    "at the first second": (0, ["ana"]),
    "in the middle": (1, ["ana"]),
    "at the second of the end": (2, []),
    "between two": (3, []),
    "the next one": (4, ["bia"]),
    "who is still there": (10_000, ["bia"]),
}


@pytest.mark.parametrize(("hour", "users"), HAD.values(), ids=HAD.keys())
@pytest.mark.parametrize("archived", [False, True], ids=["a session", "history"])
def test_who_had_an_address(database: Database, archived: bool, hour: float, users: list[str]) -> None:
    with database.transaction() as tx:
        if archived:
            remember_use(tx, [make_use(hours=2, user_name="ana")])
        else:
            make_session(tx, user_name="ana", framed_ip_address=ADDRESS, started_at=START, stopped_at=hours(2))
        make_session(tx, user_name="caio", framed_ip_address=ip_address("100.64.0.10"), started_at=START)
        make_session(tx, user_name="bia", framed_ip_address=ADDRESS, started_at=hours(4))
    assert holders(database, hours(hour)) == users


def test_all_who_had_it_are_told_the_one_that_began_last_first(database: Database) -> None:
    """One private address on several NAS, one of them archived already."""
    remember(database, make_use(hours=10, user_name="ana", nas_id=1), make_use(began=2, hours=1, user_name="caio"))
    with database.transaction() as tx:
        make_session(tx, user_name="bia", nas_id=2, framed_ip_address=ADDRESS, started_at=hours(1))
    assert holders(database, hours(2.5)) == ["caio", "bia", "ana"]
    assert holders(database, hours(5)) == ["bia", "ana"]


INSIDE_OF: dict[str, tuple[str, bool]] = {
    "the address itself": ("2001:db8:0:42::5", True),
    "its /64": ("2001:db8:0:42::/64", True),
    "its /60": ("2001:db8:0:40::/60", True),
    "its /56": ("2001:db8::/56", True),
    "its /48": ("2001:db8::/48", True),
    "a prefix of odd length": ("2001:db8:0:42::/63", True),
    "a prefix longer than 64": ("2001:db8:0:42::/112", True),
    "another /64 of the same /56": ("2001:db8:0:43::/64", False),
    "the /64 that begins as its /56 does": ("2001:db8::/64", False),
    "an IPv4 address": ("100.64.0.9", False),
}


@pytest.mark.parametrize(("network", "inside"), INSIDE_OF.values(), ids=INSIDE_OF.keys())
def test_an_ipv6_address_lies_in_what_was_used(database: Database, network: str, inside: bool) -> None:
    remember(database, make_use(network, user_name="ana"))
    assert holders(database, hours(0.5), INSIDE) == (["ana"] if inside else [])


@pytest.mark.parametrize("column", ["framed_ipv6_prefix", "delegated_ipv6_prefix"])
@pytest.mark.parametrize("prefix", ["2001:db8:0:42::/64", "2001:db8::/56", "2001:db8:0:42::5/128"])
def test_a_session_s_prefixes_count(database: Database, column: str, prefix: str) -> None:
    with database.transaction() as tx:
        make_session(tx, user_name="ana", started_at=START, **{column: prefix})
        make_session(tx, user_name="bia", started_at=START, **{column: "2001:db8:1::/56"})
    with database.reading() as tx:
        [use] = who_had(tx, INSIDE, hours(1))
        assert (use.user_name, use.network) == ("ana", prefix.removesuffix("/128"))


def test_a_session_that_changed_its_address_had_each_in_its_time(database: Database) -> None:
    with database.transaction() as tx:
        session = make_session(tx, user_name="ana", framed_ip_address=ADDRESS, address_since=hours(2), started_at=START)
        earlier = make_use("100.64.0.7", hours=2, user_name="ana", session_id=session.id)
        remember_use(tx, [earlier])
    assert holders(database, hours(1)) == []
    assert holders(database, hours(2)) == ["ana"]
    assert holders(database, hours(1), ip_address("100.64.0.7")) == ["ana"]
    assert holders(database, hours(2), ip_address("100.64.0.7")) == []


def test_a_use_is_remembered_once_and_never_changed(database: Database) -> None:
    use = make_use(user_name="ana")
    remember(database, use, make_use("100.64.0.10"))
    remember(database, use)
    assert holders(database, hours(0.5)) == ["ana"]
    with database.reading() as tx:
        assert tx.session.scalar(select(func.count()).select_from(AddressHistory)) == 2


def test_a_use_that_goes_on_is_no_history(database: Database) -> None:
    with pytest.raises(ValueError, match="not history"):
        remember(database, make_use(until=None))
    remember(database)


def test_what_is_read_is_what_was_written(database: Database) -> None:
    use = make_use(
        "2001:db8::/56", nas_id=7, calling_station_id="02:00:5E:10:00:01", nas_port_id="vlan-1", acct_session_id="81"
    )
    remember(database, use)
    with database.reading() as tx:
        assert who_had(tx, INSIDE, START) == [use]


SPANS: dict[str, tuple[float, float, list[str]]] = {
    "all": (0, 100, ["ana", "bia", "caio"]),
    "its end is another's beginning": (2, 4, []),
    "a part of one": (0.5, 0.6, ["ana"]),
    "touching two": (1, 5, ["ana", "bia"]),
    "after all": (200, 300, ["caio"]),
    "before all": (-2, -1, []),
}


@pytest.mark.parametrize(("since", "until", "users"), SPANS.values(), ids=SPANS.keys())
def test_the_uses_that_meet_a_span(database: Database, since: float, until: float, users: list[str]) -> None:
    hers: dict[str, Any] = {"subscription_id": 7}
    other = make_use("100.64.0.10", hours=100, subscription_id=8)
    remember(database, make_use(hours=2, user_name="ana", **hers), make_use(began=4, user_name="bia", **hers), other)
    with database.transaction() as tx:
        make_session(tx, user_name="caio", framed_ip_address=ADDRESS, started_at=hours(50), **hers)
    with database.reading() as tx:
        span = hours(since), hours(until)
        assert [use.user_name for use in uses_of_address(tx, ADDRESS, *span)] == users
        assert [use.user_name for use in uses_of_subscription(tx, 7, *span)] == users


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20), st.integers(0, 20), st.booleans()), max_size=12))
def test_the_answer_is_that_of_the_naive_search(database: Database, drawn: list[tuple[int, int, int, bool]]) -> None:
    """Whatever overlaps: every use that covers the instant, and no other, newest first."""
    uses = [make_use(f"100.64.1.{place}", began=since, hours=length) for place, since, length, _ in drawn]
    with database.transaction() as tx:
        for use, (_, _, _, live) in zip(uses, drawn, strict=True):
            if live:
                values = {"framed_ip_address": use.address, "started_at": use.since, "stopped_at": use.until}
                make_session(tx, id=use.session_id, user_name=use.user_name, **values)
            else:
                remember_use(tx, [use])
    try:
        for place in range(4):
            for hour in range(-1, 42, 3):
                expected = [
                    use for use in uses if use.address == ip_address(f"100.64.1.{place}") and _covers(use, hour)
                ]
                expected.sort(key=lambda use: (use.since, use.session_id), reverse=True)
                found = holders(database, hours(hour), ip_address(f"100.64.1.{place}"))
                assert found == [use.user_name for use in expected]
    finally:
        with database.transaction() as tx:
            tx.session.execute(delete(AddressHistory))
            tx.session.execute(delete(Session))


LENGTHS: dict[str, timedelta] = {
    "hours": timedelta(hours=2),
    "as long as most, at most": LONG,
    "less than the clock of SQLite tells longer": LONG + timedelta(microseconds=10),
    "longer": LONG + timedelta(seconds=1),
    "longer still": LONG + timedelta(seconds=1, microseconds=10),
    "a year": timedelta(days=365),
}


@pytest.mark.parametrize("length", LENGTHS.values(), ids=LENGTHS.keys())
@pytest.mark.parametrize(("network", "address"), [("100.64.0.9", ADDRESS), ("2001:db8::/56", INSIDE)])
def test_a_use_of_any_length_is_found(database: Database, network: str, address: Any, length: timedelta) -> None:
    """Beside one that ended before it began and one that began when it was over."""
    remember(
        database,
        make_use(network, hours=1, user_name="before"),
        make_use(network, began=2, until=hours(2) + length, user_name="ana"),
        make_use(network, since=hours(2) + length, until=hours(3) + length, user_name="after"),
    )
    moment = timedelta(microseconds=1)
    asked = [hours(2) - moment, hours(2), hours(2) + length / 2, hours(2) + length - moment, hours(2) + length]
    assert [holders(database, at, address) for at in asked] == [[], ["ana"], ["ana"], ["ana"], ["after"]]
    with database.reading() as tx:
        found = uses_of_address(tx, address, START, hours(5) + length)
        assert [use.user_name for use in found] == ["before", "ana", "after"]


def _covers(use: AddressUse, hour: int) -> bool:
    assert use.until is not None
    return use.since <= hours(hour) < use.until


def test_rows_find_their_month_also_when_it_gets_its_partition_later(database: Database) -> None:
    remember(database, *(make_use(began=24 * 31 * month, user_name=f"m{month}") for month in range(-2, 3)))
    with database.transaction() as tx:
        made = make_partitions(tx, [Month(2026, 2), Month(2026, 3), Month(2026, 4)])
    assert len(made) == (3 if database.dialect == "postgresql" else 0)
    with database.transaction() as tx:
        assert make_partitions(tx, [Month(2026, 3)]) == [], "twice makes none"
    with database.reading() as tx:
        assert kept_users(tx) == ["m-1", "m-2", "m0", "m1", "m2"]
    for month in range(-2, 3):
        assert holders(database, hours(24 * 31 * month)) == [f"m{month}"]
    if database.dialect == "postgresql":
        with database.reading() as tx:
            query = text("SELECT user_name, tableoid::regclass::text AS place FROM address_history")
            places = tx.session.execute(query).all()
            assert {row.user_name: row.place for row in places} == {
                "m-2": "address_history_default",
                "m-1": "address_history_default",
                "m0": "address_history_2026_03",
                "m1": "address_history_2026_04",
                "m2": "address_history_default",
            }


@pytest.mark.parametrize("address", [ADDRESS, INSIDE], ids=["IPv4", "IPv6"])
def test_few_months_are_looked_at(database: Database, address: Any) -> None:
    """But for the uses that last long, which have an index of their own."""
    if database.dialect != "postgresql":
        return  # one table
    asked: list[tuple[str, Any]] = []
    with database.transaction() as tx:
        make_partitions(tx, [Month(2026, number) for number in range(1, 13)])
    with database.reading() as tx, asked_for(database, asked):
        who_had(tx, address, hours(24 * 95))
    touched = []
    with database.reading() as tx:
        tx.session.execute(text("SET LOCAL enable_seqscan = off"))  # tables of no rows are read whole
        for statement, values in asked:
            rows = tx.session.connection().exec_driver_sql(f"EXPLAIN {statement}", values).scalars()
            plan = "\n".join(rows)
            months = [number for number in range(1, 13) if Month(2026, number).partition in plan]
            touched.append((months, plan.count("_address_until_since_idx")))
    assert touched == [([6, 7, 8, 9, 10, 11, 12], 7)]


@contextmanager
def asked_for(database: Database, asked: list[tuple[str, Any]]) -> Iterator[None]:
    """Adds what is asked of the history to the list."""

    def listen(_: Any, cursor: Any, statement: str, values: Any, *__: Any) -> None:
        if "FROM address_history" in statement:
            asked.append((statement, values))

    event.listen(database.engine, "before_cursor_execute", listen)
    yield
    event.remove(database.engine, "before_cursor_execute", listen)
