"""Which routers are asked for by schedule: those that are due, and only when nothing else asks for them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from core.database import Transaction
from core.runtime import Runtime
from provisioning.routeros.models import Router, RouterStatus
from provisioning.routeros.router_jobs import ask_for_checks, due_for_check
from provisioning.routeros.touch import CONVERGE
from tests.factories_routers import make_router, settle, waiting
from tests.ticking import START

CASES: list[Any] = [
    pytest.param({"full_at": START}, {}, False, id="read a moment ago"),
    pytest.param({"full_at": START - timedelta(minutes=15)}, {}, True, id="its minutes are over"),
    pytest.param({"full_at": START - timedelta(minutes=15)}, {"check_minutes": 60}, False, id="it has more minutes"),
    pytest.param({"full_at": None}, {}, True, id="to be read anew"),
    pytest.param({"full_at": None}, {"enabled": False}, False, id="disabled"),
    pytest.param({"full_at": None, "retry_at": START + timedelta(seconds=1)}, {}, False, id="its breaker is open"),
    pytest.param({"full_at": None, "retry_at": START}, {}, True, id="it may be tried again"),
]


@pytest.mark.parametrize(("status", "fields", "due"), CASES)
def test_when_a_check_is_due(runtime: Runtime, status: dict[str, Any], fields: dict[str, Any], due: bool) -> None:
    router_id = settled(runtime, status, fields)
    with runtime.database.reading() as tx:
        assert due_for_check(tx) == ([router_id] if due else [])
    ask_for_checks(runtime)
    with runtime.database.reading() as tx:
        assert waiting(tx) == ({str(router_id)} if due else set())


def test_what_is_asked_for_already_is_not_asked_for_again(runtime: Runtime) -> None:
    """Nor is the pause of one that waits to try again cut short."""
    router_id = settled(runtime, {"full_at": None}, {})
    with runtime.database.transaction() as tx:
        tx.enqueue(CONVERGE, str(router_id), due_at=tx.now + timedelta(minutes=5))
    with runtime.database.reading() as tx:
        assert due_for_check(tx) == []


def settled(runtime: Runtime, status: dict[str, Any], fields: dict[str, Any]) -> int:
    """A router that nobody has been asked for, with this status."""
    with runtime.database.transaction() as tx:
        router_id = make_router(tx).id
    with runtime.database.transaction() as tx:
        settle(tx)
        put(tx, router_id, RouterStatus, RouterStatus.router_id, status)
        put(tx, router_id, Router, Router.id, fields)
    return router_id


def put(tx: Transaction, router_id: int, table: Any, key: Any, values: dict[str, Any]) -> None:
    if values:
        tx.session.execute(update(table).where(key == router_id).values(values))
