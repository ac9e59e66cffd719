"""The audit trail: in the transaction of the change, and without its secrets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, text

from core.actor import SYSTEM, Actor
from core.audit import AuditEntry, presentable
from core.database import Database
from core.secrets import Secret
from tests.factories_core import audit_of
from tests.ticking import START, FakeClock

CANARY = "Kanarie9f3x"


class Stop(Exception):
    pass


class Colour(Enum):
    RED = "red"


@dataclass
class Careless:
    password: str


SHOWN: list[Any] = [
    pytest.param(None, None, id="nothing"),
    pytest.param({}, {}, id="empty"),
    pytest.param(
        {"a": 1, "b": 1.5, "c": True, "d": None, "e": "x"}, {"a": 1, "b": 1.5, "c": True, "d": None, "e": "x"}
    ),
    pytest.param({"at": datetime(2026, 3, 2, 12, tzinfo=UTC)}, {"at": "2026-03-02T12:00:00+00:00"}, id="an instant"),
    pytest.param({"on": date(2026, 3, 2)}, {"on": "2026-03-02"}, id="a day"),
    pytest.param({"colour": Colour.RED}, {"colour": "red"}, id="an enumeration"),
    pytest.param({"ip": IPv4Address("10.0.0.1"), "n": Decimal("1.50")}, {"ip": "10.0.0.1", "n": "1.50"}, id="others"),
    pytest.param({"list": (1, {"a": date(2026, 3, 2)})}, {"list": [1, {"a": "2026-03-02"}]}, id="nested"),
    pytest.param({"password": None}, {"password": None}, id="no password"),
]
HIDDEN: list[Any] = [
    pytest.param({"x": Secret(CANARY)}, {"x": "***"}, id="a Secret"),
    pytest.param({"x": [Secret(CANARY)], "y": {"z": Secret(CANARY)}}, {"x": ["***"], "y": {"z": "***"}}, id="inside"),
    pytest.param({"password": CANARY}, {"password": "***"}, id="by name"),
    pytest.param({"password": CANARY.encode()}, {"password": "***"}, id="bytes by name"),
    pytest.param({"nas": {"shared_secret": CANARY}}, {"nas": {"shared_secret": "***"}}, id="by name, inside"),
    pytest.param({"tokens": [CANARY]}, {"tokens": "***"}, id="a list by name"),
    pytest.param({"url": f"https://u:{CANARY}@bank/"}, {"url": "https://u:***@bank/"}, id="in a URL"),
    pytest.param({"header": f"Bearer {CANARY}"}, {"header": "Bearer ***"}, id="in a header"),
    pytest.param({"x": Careless(CANARY)}, None, id="in an object's text"),
    pytest.param({"x": f"password={CANARY}".encode()}, None, id="in bytes"),
    pytest.param({"x": SecretStr(CANARY)}, None, id="pydantic's secret"),
]


@pytest.mark.parametrize(("values", "shown"), SHOWN)
def test_values_become_what_json_can_hold(values: Any, shown: Any) -> None:
    assert presentable(values) == shown


@pytest.mark.parametrize(("values", "shown"), HIDDEN)
def test_secrets_are_hidden(database: Database, values: dict[str, object], shown: Any) -> None:
    with database.transaction() as tx:
        tx.audit("changed", "thing", 1, before=values, after=values, note=f"nova senha: {CANARY}")
    (entry,) = audit_of(database, "thing")
    if shown is not None:
        assert entry.before == entry.after == shown
    with database.reading() as tx:
        row = tx.session.execute(text("SELECT * FROM audit_entry")).one()
    assert CANARY not in repr(row)


def test_an_entry_tells_who_did_what_to_what_when_and_why(database: Database, clock: FakeClock) -> None:
    with database.transaction(Actor("ana", "cli", "req-1")) as tx:
        tx.audit("changed", "plan", 7, before={"price_cents": 9990}, after={"price_cents": 10990}, note="ação de março")
    clock.advance(hours=1)
    with database.transaction() as tx:
        tx.audit("added", "plan", "8")
    first, second = audit_of(database, "plan")
    assert (first.actor, first.source, first.request_id, first.at) == ("ana", "cli", "req-1", START)
    assert (first.action, first.entity, first.entity_id, first.note) == ("changed", "plan", "7", "ação de março")
    assert (first.before, first.after) == ({"price_cents": 9990}, {"price_cents": 10990})
    assert (second.actor, second.source, second.at) == (SYSTEM.name, "system", clock())
    assert (second.before, second.after, second.note) == (None, None, "")


def test_no_value_is_null_and_not_a_document_that_says_null(database: Database) -> None:
    with database.transaction() as tx:
        tx.audit("added", "plan", 8)
    with database.reading() as tx:
        count = select(func.count()).select_from(AuditEntry)
        assert tx.session.scalar(count.where(AuditEntry.before.is_(None), AuditEntry.after.is_(None))) == 1


def test_an_entry_goes_with_its_transaction(database: Database) -> None:
    def work() -> None:
        with database.transaction() as tx:
            tx.audit("added", "plan", 8)
            tx.session.flush()
            raise Stop

    with pytest.raises(Stop):
        work()
    assert audit_of(database, "plan") == []
