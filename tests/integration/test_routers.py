"""Routers: adding, changing, maintenance, removal; what they are told, and what never comes out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from core.alarms import open_alarms, raise_alarm
from core.audit import AuditEntry
from core.database import Database, Transaction
from core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from provisioning.routeros.cycle.status import HELD, UNREACHABLE
from provisioning.routeros.models import (
    Router,
    RouterConvergence,
    RouterDrift,
    RouterService,
    RouterStatus,
)
from provisioning.routeros.nas_of_router import remove_nas
from provisioning.routeros.routers import (
    ALARMS,
    add_router,
    change_router,
    end_maintenance,
    get_router,
    remove_router,
    standings,
    start_maintenance,
    target_of,
)
from radius.models import Nas
from radius.nas import add_nas, change_nas
from tests.factories import ANA
from tests.factories_routers import API_PASSWORD, make_router, make_served, settle, waiting
from tests.ticking import FakeClock


def make_nas(tx: Transaction, name: str = "pop-1") -> Nas:
    return add_nas(tx, name=name, network=f"192.0.2.{len(name)}", secret="a-shared-secret")


def audited(database: Database, action: str) -> list[AuditEntry]:
    with database.reading() as tx:
        query = select(AuditEntry).where(AuditEntry.entity == "router", AuditEntry.action == action)
        return list(tx.session.scalars(query.order_by(AuditEntry.id)))


def status_of(tx: Transaction, router: Router) -> RouterStatus:
    return tx.session.get_one(RouterStatus, router.id, populate_existing=True)


def test_a_router_is_added_with_the_usual(database: Database) -> None:
    with database.transaction(ANA) as tx:
        row = add_router(tx, name="borda-1", address="192.0.2.1", login="catraca", password=API_PASSWORD)
        assert (row.port, row.tls, row.speed_by, row.drift, row.check_minutes) == (8728, "off", "profile", "repair", 15)
        assert (row.enabled, row.nas_id, row.garden, row.removal_cap) == (True, None, None, None)
        assert (status_of(tx, row).failures, status_of(tx, row).full_at) == (0, None)
        key = str(row.id)
    with database.reading() as tx:
        assert waiting(tx) == {key}
        assert [get_router(tx, word).name for word in (key, int(key), "borda-1")] == ["borda-1"] * 3
    [entry] = audited(database, "add")
    assert (entry.actor, entry.entity_id) == ("ana", key)
    assert entry.after is not None
    assert (entry.after["login"], entry.after["password"]) == ("catraca", "***")


@pytest.mark.parametrize(("tls", "port"), [("off", 8728), ("ca", 8729), ("pinned", 8729)])
def test_the_port_follows_tls(database: Database, tls: str, port: int) -> None:
    with database.transaction() as tx:
        fingerprint = "9f" * 32 if tls == "pinned" else ""
        assert make_router(tx, tls=tls, tls_fingerprint=fingerprint).port == port
        assert make_router(tx, tls=tls, tls_fingerprint=fingerprint, port=18728).port == 18728


def test_tls_that_changes_takes_port_and_fingerprint_along(database: Database) -> None:
    with database.transaction() as tx:
        row = make_router(tx)
        with pytest.raises(InvalidInput, match="tls_fingerprint"):
            change_router(tx, row.id, tls="pinned")
        change_router(tx, row.id, tls="pinned", tls_fingerprint="9F" * 32)
        assert (row.port, row.tls_fingerprint) == (8729, "9f" * 32)
        change_router(tx, row.id, tls="ca")
        assert (row.port, row.tls_fingerprint) == (8729, "")
        change_router(tx, row.id, port=443, tls="off")
        assert change_router(tx, row.id, tls="ca").port == 443


def test_names_are_unique(database: Database) -> None:
    with database.transaction() as tx:
        make_router(tx, name="borda-1")
        other = make_router(tx, name="borda-2")
        with pytest.raises(Conflict, match="borda-1"):
            make_router(tx, name="borda-1")
        with pytest.raises(Conflict, match="borda-1"):
            change_router(tx, other.id, name="borda-1")
        assert change_router(tx, "borda-2", name="borda-2").id == other.id


def test_a_list_of_who_is_suspended_is_nobody_elses(database: Database) -> None:
    with database.transaction() as tx, pytest.raises(InvalidInput, match="reduced_list"):
        make_router(tx, reduced_list=tx.settings.suspended_address_list)


def test_a_change_asks_for_all_of_it_anew(database: Database) -> None:
    with database.transaction() as tx:
        row = make_router(tx, reduced_list="late", garden={"portal": "192.0.2.20"}, removal_cap=5)
    with database.transaction() as tx:
        settle(tx)
        status_of(tx, row).failures = 7
    with database.transaction() as tx:
        assert waiting(tx) == set()
        assert change_router(tx, row.name, reduced_list="late").reduced_list == "late"
        assert status_of(tx, row).full_at is not None
        change_router(tx, row.name, reduced_list="", garden=None, removal_cap=None)
        assert (status_of(tx, row).full_at, status_of(tx, row).failures) == (None, 7)
        change_router(tx, row.name, password="another")
        assert (status_of(tx, row).failures, status_of(tx, row).retry_at) == (0, None)
    with database.reading() as tx:
        assert waiting(tx) == {str(row.id)}
        found = get_router(tx, row.id)
        assert (found.reduced_list, found.garden, found.removal_cap) == ("", None, None)
        assert target_of(found).password == "another"
    lists, password = audited(database, "change")
    assert lists.before is not None
    assert lists.before["reduced_list"] == "late"
    assert (password.before, password.after) == ({"password": "***"}, {"password": "***"})


@pytest.mark.parametrize("given", [{"nonsense": 1}, {"id": 5}, {"created_at": None}, {"maintenance_since": None}])
def test_what_is_no_field_is_refused(database: Database, given: dict[str, Any]) -> None:
    with database.transaction() as tx, pytest.raises(InvalidInput, match="no field of a router"):
        change_router(tx, make_router(tx).id, **given)


def test_where_to_connect(database: Database) -> None:
    with database.transaction() as tx:
        target = target_of(make_router(tx, tls="ca", charset="latin-1", timeout_seconds=3))
    assert (target.host, target.port, target.tls, target.charset, target.timeout) == (
        "192.0.2.1", 8729, "ca", "latin-1", 3.0,
    )  # fmt: skip
    assert (target.login, target.password) == ("catraca", API_PASSWORD)
    assert API_PASSWORD not in repr(target)


def test_a_nas_by_its_name_or_number(database: Database) -> None:
    with database.transaction() as tx:
        nas = make_nas(tx)
        row = make_router(tx, nas="pop-1")
        assert row.nas_id == nas.id
        assert change_router(tx, row.id, nas=None).nas_id is None
        assert change_router(tx, row.id, nas=str(nas.id)).nas_id == nas.id
        with pytest.raises(NotFound):
            change_router(tx, row.id, nas="pop-2")


def test_a_nas_stays_while_a_router_is_it(database: Database) -> None:
    with database.transaction() as tx:
        nas = make_nas(tx)
        row = make_router(tx, nas=nas.id)
        with pytest.raises(Conflict, match=row.name):
            remove_nas(tx, nas.id)
        change_router(tx, row.id, nas=None)
        remove_nas(tx, nas.id)
        assert tx.session.scalars(select(Nas)).all() == []


def test_maintenance(database: Database, clock: FakeClock) -> None:
    with database.transaction(ANA) as tx:
        row = make_router(tx)
        with pytest.raises(NotAllowed, match="not in maintenance"):
            end_maintenance(tx, row.id)
        start_maintenance(tx, row.name, note="firmware")
        assert (row.maintenance_since, row.maintenance_note) == (clock.now, "firmware")
        with pytest.raises(NotAllowed, match="in maintenance since 2026-03-02"):
            start_maintenance(tx, row.name)
    with database.transaction() as tx:
        settle(tx)
    with database.transaction(ANA) as tx:
        ended = end_maintenance(tx, row.name, note="up again")
        assert (ended.maintenance_since, ended.maintenance_note) == (None, "")
    with database.reading() as tx:
        assert waiting(tx) == {str(row.id)}
        assert status_of(tx, row).full_at is None
    assert [entry.note for action in ("start", "end") for entry in audited(database, f"{action}-maintenance")] == [
        "firmware", "up again",
    ]  # fmt: skip


def test_a_router_that_serves_somebody_is_not_removed_by_mistake(database: Database) -> None:
    with database.transaction(ANA) as tx:
        row, other = make_router(tx), make_router(tx)
        subscription = make_served(tx, row)
        make_served(tx, other)
        key: dict[str, Any] = {"router_id": row.id, "subscription_id": subscription.id}
        tx.session.add(RouterConvergence(**key))
        drift: dict[str, Any] = {
            "menu": "/ppp/secret",
            "key": "s1:secret",
            "kind": "changed",
            "details": {},
            "status": "open",
        }
        tx.session.add(RouterDrift(**key, **drift, found_at=tx.now))
        with pytest.raises(NotAllowed, match="serves 1 subscriptions"):
            remove_router(tx, row.name)
        assert remove_router(tx, row.name, give_up_services=True, note="replaced") == 1
    with database.reading() as tx:
        assert [found.id for found in tx.session.scalars(select(Router))] == [other.id]
        tables: list[Any] = [RouterService, RouterStatus, RouterConvergence, RouterDrift]
        left = [[found.router_id for found in tx.session.scalars(select(table))] for table in tables]
        assert left == [[other.id], [other.id], [], []]
    [entry] = audited(database, "remove")
    assert (entry.before, entry.note) == ({"name": row.name, "address": "192.0.2.1", "served": 1}, "replaced")


@pytest.mark.parametrize(
    "end",
    [
        lambda tx, key: remove_router(tx, key),
        lambda tx, key: change_router(tx, key, name="borda-9"),
        lambda tx, key: change_router(tx, key, enabled=False),
    ],
    ids=["removed", "renamed", "disabled"],
)
def test_no_alarm_stays_of_a_router_that_nobody_asks(
    database: Database, end: Callable[[Transaction, int], object]
) -> None:
    assert set(ALARMS) == {UNREACHABLE, HELD}
    with database.transaction() as tx:
        row, other = make_router(tx), make_router(tx)
        for kind in ALARMS:
            raise_alarm(tx, kind, row.name, detail="nobody answers")
        raise_alarm(tx, UNREACHABLE, other.name, detail="nobody answers")
        end(tx, row.id)
        assert [alarm.subject for alarm in open_alarms(tx)] == [other.name]


def test_how_routers_stand(database: Database) -> None:
    with database.transaction() as tx:
        nas = make_nas(tx)
        row, idle = make_router(tx, nas=nas.id), make_router(tx, address="8.8.8.8")
        for access in ("ppp", "radius", "radius"):
            make_served(tx, row, access)
        status_of(tx, idle).trouble = "nobody answers"
        found = standings(tx, [row, idle])
        assert (found[row.id].services, found[idle.id].services) == (3, 0)
        assert found[idle.id].trouble == "nobody answers"
        [advice] = found[row.id].advice
        assert "RADIUS owns the speed of 2" in advice
        [advice] = found[idle.id].advice
        assert "in the clear" in advice
        change_nas(tx, nas.id, enabled=False)
        assert len(standings(tx, [row])[row.id].advice) == 2


def test_a_router_that_is_not_there(database: Database) -> None:
    with database.reading() as tx:
        for word in (5, "5", "borda-9"):
            with pytest.raises(NotFound, match=f"no router {word}"):
                get_router(tx, word)


def test_the_password_is_nowhere_to_be_read(database: Database) -> None:
    with database.transaction(ANA) as tx:
        row = make_router(tx)
        change_router(tx, row.id, password="another-secret")
        remove_router(tx, row.id)
    with database.reading() as tx:
        told = json.dumps([[entry.before, entry.after] for entry in tx.session.scalars(select(AuditEntry))])
    assert API_PASSWORD not in told
    assert "another-secret" not in told
