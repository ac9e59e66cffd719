"""Subscribers, plans and subscriptions: what is refused, by which field, and who has what is taken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import func, select

from core.audit import AuditEntry
from core.database import Database, Transaction
from core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from core.jobs import run_job, sweep
from core.runtime import Runtime
from core.secrets import Secret
from provisioning import jobs as _handlers  # noqa: F401
from provisioning.jobs import refresh_all
from provisioning.models import Subscriber, Subscription, TimelineEntry
from provisioning.plans import change_plan
from provisioning.subscribers import change_subscriber, register_subscriber
from provisioning.subscriptions import activate, change_credentials, open_subscription, switch_plan
from radius.models import ReplicaEntry
from radius.policy import Grant
from radius.records import login_key, mac_key, unpack
from tests.factories import ANA, cpf, make_plan, make_subscriber, make_subscription


def replica(database: Database) -> dict[bytes, bytes]:
    with database.reading() as tx:
        return {e.key: e.value for e in tx.session.scalars(select(ReplicaEntry)) if e.value is not None}


def test_a_duplicate_document_names_who_has_it(database: Database) -> None:
    with database.transaction(ANA) as tx:
        first = make_subscriber(tx, "Maria da Silva", document=cpf(7))
        first_id = first.id
    with pytest.raises(Conflict, match="Maria da Silva") as caught, database.transaction(ANA) as tx:
        make_subscriber(tx, "Outra Maria", document=cpf(7))
    assert caught.value.extras["subscriber_id"] == first_id
    with database.reading() as tx:
        assert tx.session.scalar(select(func.count()).select_from(Subscriber)) == 1


Change = Callable[[Transaction], object]
BAD_INPUT: dict[str, tuple[Change, str]] = {
    "a nameless subscriber": (lambda tx: make_subscriber(tx, "  "), "name"),
    "a document that is none": (lambda tx: make_subscriber(tx, document="123"), "document"),
    "an e-mail that is none": (lambda tx: make_subscriber(tx, email="maria at example"), "email"),
    "a telephone that is none": (lambda tx: make_subscriber(tx, phone="call me"), "phone"),
    "a state that is none": (lambda tx: make_subscriber(tx, region="São Paulo"), "region"),
    "born tomorrow": (lambda tx: make_subscriber(tx, birth_date=date(2126, 1, 1)), "birth_date"),
    "a plan for nothing a second": (lambda tx: make_plan(tx, download_bps=0), "download_bps"),
    "a plan with a negative price": (lambda tx: make_plan(tx, price_cents=-1), "price_cents"),
    "half a reduced speed": (lambda tx: make_plan(tx, reduced_upload_bps=None), "reduced_upload_bps"),
    "a login with a blank": (lambda tx: make_subscription(tx, login="ma ria"), "login"),
    "a login without a password": (lambda tx: make_subscription(tx, password=None), "password"),
    "an empty password": (lambda tx: make_subscription(tx, password=Secret("")), "password"),
    "a password longer than RADIUS carries": (lambda tx: make_subscription(tx, password=Secret("x" * 129)), "password"),
    "no credentials": (lambda tx: make_subscription(tx, login="", password=None), "login"),
    "a MAC address that is none": (lambda tx: make_subscription(tx, mac="02:00:5e"), "mac"),
}


@pytest.mark.parametrize(("change", "field"), BAD_INPUT.values(), ids=BAD_INPUT.keys())
def test_bad_input_names_its_field_and_writes_nothing(database: Database, change: Change, field: str) -> None:
    with pytest.raises(InvalidInput) as caught, database.transaction(ANA) as tx:
        change(tx)
    assert caught.value.field == field
    with database.reading() as tx:
        assert tx.session.scalar(select(func.count()).select_from(AuditEntry)) == 0


def test_unknown_things_are_not_found(database: Database) -> None:
    with pytest.raises(NotFound, match="plan 99"), database.transaction(ANA) as tx:
        open_subscription(tx, subscriber_id=make_subscriber(tx).id, plan_id=99, mac="02:00:5e:10:00:01")
    with pytest.raises(NotFound, match="subscription 99"), database.transaction(ANA) as tx:
        activate(tx, subscription_id=99)


def test_logins_and_macs_are_taken_once_and_the_error_names_the_holder(database: Database) -> None:
    with database.transaction(ANA) as tx:
        make_subscription(tx, login="maria@provedor", mac="02-00-5E-10-00-01")
    for login, mac in (("maria@provedor", ""), ("another@provedor", "0200.5e10.0001")):
        with pytest.raises(Conflict, match="Maria da Silva"), database.transaction(ANA) as tx:
            make_subscription(tx, login=login, mac=mac)


def test_an_installation_happens_once(database: Database) -> None:
    with database.transaction(ANA) as tx:
        subscription_id = make_subscription(tx).id
    with pytest.raises(NotAllowed), database.transaction(ANA) as tx:
        activate(tx, subscription_id=subscription_id)


def test_changed_credentials_leave_no_record_of_the_old_ones(database: Database) -> None:
    with database.transaction(ANA) as tx:
        subscription_id = make_subscription(tx, login="old@lab", mac="02:00:5e:10:00:01").id
    assert {login_key(b"old@lab"), mac_key(bytes.fromhex("02005e100001"))} <= set(replica(database))
    with database.transaction(ANA) as tx:
        change_credentials(tx, subscription_id=subscription_id, login="new@lab", password=Secret("n0va"), mac="")
    entries = replica(database)
    assert login_key(b"old@lab") not in entries
    assert mac_key(bytes.fromhex("02005e100001")) not in entries
    assert unpack(login_key(b"new@lab"), entries, database.keyring.unseal).password == b"n0va"


def test_passwords_reach_neither_timeline_nor_audit_trail(database: Database) -> None:
    with database.transaction(ANA) as tx:
        subscription_id = make_subscription(tx, password=Secret("canary-1")).id
        change_credentials(tx, subscription_id=subscription_id, password=Secret("canary-2"))
    with database.reading() as tx:
        entries = [repr((e.details, e.note)) for e in tx.session.scalars(select(TimelineEntry))]
        entries += [repr((e.before, e.after, e.note)) for e in tx.session.scalars(select(AuditEntry))]
        stored = tx.session.execute(select(Subscription.__table__.c.password)).scalar_one()
    assert not [entry for entry in entries if "canary" in entry]
    assert repr(stored) == "***"


def test_switching_the_plan_changes_the_answer(database: Database) -> None:
    with database.transaction(ANA) as tx:
        subscription = make_subscription(tx)
        faster = make_plan(tx, download_bps=900_000_000, upload_bps=900_000_000)
        switch_plan(tx, subscription_id=subscription.id, plan_id=faster.id, note="wants more")
        key = login_key((subscription.login or "").encode())
    answer = unpack(key, replica(database), database.keyring.unseal).spans[0].answer
    assert isinstance(answer, Grant)
    assert answer.policy.download_bps == 900_000_000


def test_changing_a_plan_reaches_all_its_subscriptions(runtime: Runtime, database: Database) -> None:
    with database.transaction(ANA) as tx:
        plan = make_plan(tx)
        logins = [make_subscription(tx, plan_id=plan.id).login or "" for _ in range(3)]
        other = make_subscription(tx).login or ""
        change_plan(tx, plan_id=plan.id, download_bps=700_000_000)
    for job_id in sweep(runtime):
        run_job(runtime, job_id)
    entries = replica(database)
    speeds = {}
    for login in [*logins, other]:
        answer = unpack(login_key(login.encode()), entries, database.keyring.unseal).spans[0].answer
        assert isinstance(answer, Grant)
        speeds[login] = answer.policy.download_bps
    assert [speeds[login] for login in logins] == [700_000_000] * 3
    assert speeds[other] == 500_000_000


def test_two_plans_of_one_name_are_refused(database: Database) -> None:
    with database.transaction(ANA) as tx:
        make_plan(tx, name="Fibra")
    with pytest.raises(Conflict, match="Fibra"), database.transaction(ANA) as tx:
        make_plan(tx, name="Fibra")


def test_changing_a_subscriber_is_audited_with_before_and_after(database: Database) -> None:
    with database.transaction(ANA) as tx:
        subscriber = register_subscriber(tx, name="Maria", document=cpf(11), city="Campinas")
        change_subscriber(tx, subscriber_id=subscriber.id, city="Valinhos")
    with database.reading() as tx:
        entry = tx.session.scalars(select(AuditEntry).where(AuditEntry.action == "change")).one()
    assert (entry.before, entry.after, entry.actor) == ({"city": "Campinas"}, {"city": "Valinhos"}, "ana")


def test_recompiling_publishes_everything_again_and_nothing_twice(runtime: Runtime, database: Database) -> None:
    with database.transaction(ANA) as tx:
        for _ in range(3):
            make_subscription(tx)
    assert refresh_all(runtime) == 0
    assert refresh_all(runtime, republish=True) == 3
