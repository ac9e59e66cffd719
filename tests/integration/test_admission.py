"""Commands on where a subscription may be used: the fact, what is written down, and what the workers get."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select, update

from core.audit import AuditEntry
from core.database import Database, Transaction
from core.errors import CatracaError, InvalidInput, NotAllowed, NotFound
from core.jobs import run_job, sweep
from core.runtime import Runtime
from provisioning.admission import bind_mac, learn_at_nas, limit_sessions, reset_mac, restrict_to_nas
from provisioning.cancellation import cancel
from provisioning.convergence import converge as _handlers  # noqa: F401
from provisioning.models import Subscription, TimelineEntry
from provisioning.refresh import refresh
from radius.models import ReplicaCounter, ReplicaEntry, Session
from radius.nas import add_nas, find_nas
from radius.records import USUAL, Limits, limits_of, login_key
from tests.factories import ANA, make_subscription
from tests.factories_api import Client, opened, problem
from tests.factories_sessions import make_session

MAC, OTHER = "02:00:5e:10:00:0a", "02:00:5e:10:00:0b"
OCTETS, OTHER_OCTETS = bytes.fromhex("02005e10000a"), bytes.fromhex("02005e10000b")


@pytest.fixture
def subscription_id(database: Database) -> int:
    with database.transaction(ANA) as tx:
        add_nas(tx, name="pop-1", network="192.0.2.1", secret="a-shared-secret")
        return make_subscription(tx, login="ana").id


def pop(tx: Transaction) -> int:
    return find_nas(tx, "pop-1").id


def published(database: Database, login: str = "ana") -> Limits:
    """The limits that the workers have."""
    with database.reading() as tx:
        value = tx.session.scalar(select(ReplicaEntry.value).where(ReplicaEntry.key == login_key(login.encode())))
    assert value is not None
    return limits_of(value)


def written(database: Database, subscription_id: int) -> tuple[list[str], list[str]]:
    """Events of the timeline and actions of the audit trail, beyond the opening."""
    with database.reading() as tx:
        events = tx.session.scalars(
            select(TimelineEntry.event)
            .where(TimelineEntry.subscription_id == subscription_id)
            .where(TimelineEntry.event.not_in(("opened", "installed", "state.changed")))
            .order_by(TimelineEntry.id)
        )
        actions = tx.session.scalars(
            select(AuditEntry.action)
            .where(AuditEntry.entity == "subscription", AuditEntry.entity_id == str(subscription_id))
            .where(AuditEntry.action.not_in(("open", "activate")))
            .order_by(AuditEntry.id)
        )
        return list(events), list(actions)


def connect(tx: Transaction, subscription_id: int | None, caller: str = MAC.upper(), **values: Any) -> Session:
    return make_session(tx, subscription_id=subscription_id, calling_station_id=caller, **values)


def test_what_is_commanded_reaches_the_workers(database: Database, subscription_id: int) -> None:
    assert published(database) is USUAL
    with database.transaction(ANA) as tx:
        limit_sessions(tx, subscription_id=subscription_id, limit=3, note="two houses")
        restrict_to_nas(tx, subscription_id=subscription_id, nas_id=pop(tx), nas_port=" ether2 ")
        bind_mac(tx, subscription_id=subscription_id, mode="pinned", mac="0200.5e10.000a")
        here = pop(tx)
    assert published(database) == Limits(3, OCTETS, here, "ether2")
    assert written(database, subscription_id) == (["sessions.limited", "nas.restricted", "mac.bound"],) * 2
    with database.transaction(ANA) as tx:
        limit_sessions(tx, subscription_id=subscription_id, limit=1)
        restrict_to_nas(tx, subscription_id=subscription_id, nas_id=None)
        bind_mac(tx, subscription_id=subscription_id, mode="off")
    assert published(database) is USUAL


def test_commanding_what_is_so_already_writes_nothing(database: Database, subscription_id: int) -> None:
    for _ in range(2):
        with database.transaction(ANA) as tx:
            limit_sessions(tx, subscription_id=subscription_id, limit=1)
            restrict_to_nas(tx, subscription_id=subscription_id, nas_id=None)
            bind_mac(tx, subscription_id=subscription_id, mode="off")
    assert written(database, subscription_id) == ([], [])


def test_a_refresh_without_a_change_publishes_nothing(database: Database, subscription_id: int) -> None:
    with database.transaction() as tx:
        before = tx.session.scalar(select(ReplicaCounter.revision))
        assert refresh(tx, [subscription_id]) == 0
    with database.reading() as tx:
        assert tx.session.scalar(select(ReplicaCounter.revision)) == before


Command = Callable[[Transaction, int], object]
REFUSED: dict[str, tuple[Command, type[CatracaError], str]] = {
    "fewer than none": (lambda tx, n: limit_sessions(tx, subscription_id=n, limit=-1), InvalidInput, "limit"),
    "more than an entry holds": (lambda tx, n: limit_sessions(tx, subscription_id=n, limit=101), InvalidInput, "limit"),
    "a NAS that is not there": (lambda tx, n: restrict_to_nas(tx, subscription_id=n, nas_id=99), NotFound, "nas"),
    "a port of no NAS": (
        lambda tx, n: restrict_to_nas(tx, subscription_id=n, nas_id=None, nas_port="ether2"),
        InvalidInput,
        "nas_id",
    ),
    "a port that is too long": (
        lambda tx, n: restrict_to_nas(tx, subscription_id=n, nas_id=pop(tx), nas_port="x" * 129),
        InvalidInput,
        "nas_port",
    ),
    "a mode that is none": (lambda tx, n: bind_mac(tx, subscription_id=n, mode="maybe"), InvalidInput, "mode"),
    "pinned to nothing": (lambda tx, n: bind_mac(tx, subscription_id=n, mode="pinned"), InvalidInput, "mac"),
    "pinned to what is none": (
        lambda tx, n: bind_mac(tx, subscription_id=n, mode="pinned", mac="02:00"),
        InvalidInput,
        "mac",
    ),
    "learning what is given": (
        lambda tx, n: bind_mac(tx, subscription_id=n, mode="learn", mac=MAC),
        InvalidInput,
        "mac",
    ),
    "resetting what is off": (lambda tx, n: reset_mac(tx, subscription_id=n), NotAllowed, "no MAC address"),
    "nobody's": (lambda tx, n: limit_sessions(tx, subscription_id=n + 1, limit=2), NotFound, "subscription"),
}


@pytest.mark.parametrize(("command", "error", "match"), REFUSED.values(), ids=REFUSED.keys())
def test_what_makes_no_sense_is_refused(
    database: Database, subscription_id: int, command: Command, error: type[CatracaError], match: str
) -> None:
    with pytest.raises(error, match=match), database.transaction(ANA) as tx:
        command(tx, subscription_id)


def test_a_port_in_letters_of_any_script_fits_into_the_record(database: Database, subscription_id: int) -> None:
    with pytest.raises(InvalidInput, match="nas_port"), database.transaction(ANA) as tx:
        restrict_to_nas(tx, subscription_id=subscription_id, nas_id=pop(tx), nas_port="ç" * 128)
    with database.transaction(ANA) as tx:
        restrict_to_nas(tx, subscription_id=subscription_id, nas_id=pop(tx), nas_port="ç" * 100)
    assert published(database).nas_port == "ç" * 100


def test_the_first_session_teaches_the_address(runtime: Runtime, subscription_id: int) -> None:
    database = runtime.database
    with database.transaction(ANA) as tx:
        bind_mac(tx, subscription_id=subscription_id, mode="learn")
    assert published(database) is USUAL
    with database.transaction() as tx:
        connect(tx, subscription_id)
        connect(tx, subscription_id, OTHER)
        tx.enqueue("session.changed", "1")
    for job in sweep(runtime):
        run_job(runtime, job)
    assert published(database) == Limits(mac=OCTETS)
    assert written(database, subscription_id)[0] == ["mac.bound", "mac.learned"]
    assert learn_at_nas(runtime, 1) == 0, "once and no more"


UNTAUGHT: dict[str, dict[str, Any]] = {
    "no MAC address": {"caller": "+55 19 99999-0000"},
    "untold": {"caller": ""},
    "at another NAS": {"nas_id": 2},
    "of somebody unknown": {"subscription_id": None},
}


@pytest.mark.parametrize("values", UNTAUGHT.values(), ids=UNTAUGHT.keys())
def test_what_teaches_nothing(runtime: Runtime, subscription_id: int, values: dict[str, Any]) -> None:
    with runtime.database.transaction(ANA) as tx:
        bind_mac(tx, subscription_id=subscription_id, mode="learn")
        connect(tx, **{"subscription_id": subscription_id, **values})
    assert learn_at_nas(runtime, 1) == 0
    assert published(runtime.database) is USUAL


def test_a_session_that_is_over_teaches_nothing(runtime: Runtime, subscription_id: int) -> None:
    with runtime.database.transaction(ANA) as tx:
        bind_mac(tx, subscription_id=subscription_id, mode="learn")
        connect(tx, subscription_id, stopped_at=tx.now)
    assert learn_at_nas(runtime, 1) == 0


def test_learning_begins_with_the_session_that_goes_on(database: Database, subscription_id: int) -> None:
    with database.transaction(ANA) as tx:
        connect(tx, subscription_id, "1:2:0:5e:10:0:a")
        bind_mac(tx, subscription_id=subscription_id, mode="learn")
    assert published(database) == Limits(mac=OCTETS)


def test_after_a_reset_only_a_new_session_teaches(runtime: Runtime, subscription_id: int) -> None:
    """The old router may still be on the line when the operator is told that it will be replaced."""
    database = runtime.database
    with database.transaction(ANA) as tx:
        connect(tx, subscription_id)
        bind_mac(tx, subscription_id=subscription_id, mode="pinned", mac=MAC)
    with database.transaction(ANA) as tx:
        assert reset_mac(tx, subscription_id=subscription_id, note="replaced").mac_binding == "learn"
    assert published(database) is USUAL
    assert learn_at_nas(runtime, 1) == 0
    with database.transaction() as tx:
        connect(tx, subscription_id, OTHER)
    assert learn_at_nas(runtime, 1) == 1
    assert published(database) == Limits(mac=OTHER_OCTETS)


def test_what_is_learned_can_be_pinned_and_stays_when_it_learns_again(database: Database, subscription_id: int) -> None:
    with database.transaction(ANA) as tx:
        connect(tx, subscription_id)
        bind_mac(tx, subscription_id=subscription_id, mode="learn")
        assert bind_mac(tx, subscription_id=subscription_id, mode="pinned").bound_mac == MAC
        assert bind_mac(tx, subscription_id=subscription_id, mode="learn").bound_mac == MAC


def test_many_learn_in_one_go(runtime: Runtime) -> None:
    database = runtime.database
    with database.transaction(ANA) as tx:
        first = make_subscription(tx, login="user-0")
        ids = [first.id] + [make_subscription(tx, login=f"user-{n}", plan_id=first.plan_id).id for n in range(1, 12)]
        tx.session.execute(update(Subscription).values(mac_binding="learn"))
        for number, each in enumerate(ids):
            connect(tx, each, f"02:00:5e:00:00:{number:02x}")
    assert learn_at_nas(runtime, 1) == 12
    assert published(database, "user-11").mac == bytes.fromhex("02005e00000b")
    with database.reading() as tx:
        learned = select(func.count()).select_from(TimelineEntry).where(TimelineEntry.event == "mac.learned")
        assert tx.session.scalar(learned) == 12


def test_a_cancelled_subscription_learns_nothing(runtime: Runtime, subscription_id: int) -> None:
    with runtime.database.transaction(ANA) as tx:
        bind_mac(tx, subscription_id=subscription_id, mode="learn")
        connect(tx, subscription_id)
        cancel(tx, subscription_id=subscription_id, note="moved")
    assert learn_at_nas(runtime, 1) == 0
    with pytest.raises(NotAllowed), runtime.database.transaction(ANA) as tx:
        limit_sessions(tx, subscription_id=subscription_id, limit=2)


def test_the_api(runtime: Runtime) -> None:
    client = Client(runtime)
    subscription = opened(client)
    with runtime.database.transaction() as tx:
        nas_id = add_nas(tx, name="pop-1", network="192.0.2.1", secret="a-shared-secret").id
    place = f"/subscriptions/{subscription}/admission"
    usual = {
        "subscription_id": subscription,
        "session_limit": 1,
        "mac_binding": "off",
        "bound_mac": None,
        "allowed_nas_id": None,
        "allowed_nas_name": "",
        "allowed_nas_port": "",
    }
    assert client.get(place).content == usual
    body = {"nas_id": nas_id, "nas_port": "ether2"}
    assert client.call("PUT", f"/api/v1{place}/nas", body).content["allowed_nas_name"] == "pop-1"
    assert client.call("PUT", f"/api/v1{place}/session-limit", {"limit": 0}).content["session_limit"] == 0
    assert client.post(f"{place}/mac", {"mode": "pinned", "mac": MAC.upper()}).content["bound_mac"] == MAC
    assert client.post(f"{place}/mac/reset", {}).content["mac_binding"] == "learn"
    shown = client.get(f"/subscriptions/{subscription}").content
    assert (shown["session_limit"], shown["mac_binding"], shown["bound_mac"]) == (0, "learn", None)
    assert client.call("PUT", f"/api/v1{place}/nas", {}).content["allowed_nas_id"] is None
    problem(client.call("PUT", f"/api/v1{place}/session-limit", {"limit": 101}), 422, "invalid-input")
    problem(client.post(f"{place}/mac", {"mode": "pinned"}), 422, "invalid-input")
