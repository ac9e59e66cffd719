"""Cancelling for good: shown first, confirmed, with the choices under a protocol number, and once."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from core.database import Database
from core.errors import InvalidInput, NotAllowed
from core.job_queue import Job
from core.jobs import run_job
from core.runtime import Runtime
from ipam.folders import add_folder
from ipam.subnets import add_subnet
from provisioning.addresses import assign_address
from provisioning.cancellation import MOST_FINE_CENTS, cancel, preview_cancel
from provisioning.models import Subscription
from provisioning.prefixes import give_prefix
from provisioning.protocols import Protocol, get_protocol
from tests.factories import ANA, make_subscription
from tests.factories_api import Client, problem
from tests.factories_sessions import make_session

NOTHING = {"cancel_open_invoices": True, "fine_cents": 0, "withdrawal_order": False, "withdrawal_note": ""}


def subscribed(database: Database) -> int:
    with database.transaction(ANA) as tx:
        return make_subscription(tx).id


def furnished(database: Database) -> int:
    """A subscription with a live session, a fixed address and a prefix."""
    subscription_id = subscribed(database)
    with database.transaction(ANA) as tx:
        subnet = add_subnet(tx, folder_id=add_folder(tx, name="POP").id, cidr="192.0.2.0/24", name="fixed")
        assign_address(tx, subscription_id=subscription_id, subnet_id=subnet.id)
        give_prefix(tx, subscription_id=subscription_id, purpose="delegated", network="2001:db8:700::/56")
        make_session(tx, subscription_id=subscription_id, user_name="maria")
        make_session(tx, subscription_id=subscription_id, stopped_at=tx.now)
    return subscription_id


def jobs(database: Database, kind: str) -> list[Job]:
    with database.reading() as tx:
        return list(tx.session.scalars(select(Job).where(Job.kind == kind)))


@pytest.mark.parametrize(
    "choices",
    [
        pytest.param({}, id="as usual"),
        pytest.param({"fine_cents": 15000}, id="fine"),
        pytest.param({"fine_cents": MOST_FINE_CENTS}, id="the highest fine"),
        pytest.param({"cancel_open_invoices": False}, id="invoices stay"),
        pytest.param({"withdrawal_order": True, "withdrawal_note": "mornings"}, id="withdrawal"),
        pytest.param({"fine_cents": 1, "withdrawal_order": True, "cancel_open_invoices": False}, id="everything"),
    ],
)
def test_the_choices_stand_under_the_protocol_and_go_to_billing(database: Database, choices: dict[str, Any]) -> None:
    subscription_id = subscribed(database)
    with database.transaction(ANA) as tx:
        number = cancel(tx, subscription_id=subscription_id, note="moved", **choices).protocol
    wanted = {**NOTHING, **choices}
    with database.reading() as tx:
        protocol = get_protocol(tx, number)
        assert (protocol.kind, protocol.subscription_id) == ("cancellation", subscription_id)
        assert protocol.details == {**wanted, "note": "moved"}
    [job] = jobs(database, "subscription.cancelled")
    assert job.payload == {"subscription_id": subscription_id, "protocol": number, "note": "moved", **wanted}
    assert len(jobs(database, "withdrawal.requested")) == wanted["withdrawal_order"]


def test_a_withdrawal_order_is_an_event_that_ends_done(runtime: Runtime, database: Database) -> None:
    subscription_id = subscribed(database)
    with database.transaction(ANA) as tx:
        cancel(tx, subscription_id=subscription_id, withdrawal_order=True, withdrawal_note="mornings")
    [job] = jobs(database, "withdrawal.requested")
    assert (job.payload["subscription_id"], job.payload["note"]) == (subscription_id, "mornings")
    run_job(runtime, job.id)
    assert jobs(database, "withdrawal.requested")[0].status == "done"


@pytest.mark.parametrize(
    ("choices", "field"),
    [
        pytest.param({"fine_cents": -1}, "fine_cents", id="a fine below nothing"),
        pytest.param({"fine_cents": MOST_FINE_CENTS + 1}, "fine_cents", id="a fine too high"),
        pytest.param({"withdrawal_note": "mornings"}, "withdrawal_note", id="a note for no order"),
    ],
)
def test_choices_that_make_no_sense_cancel_nothing(database: Database, choices: dict[str, Any], field: str) -> None:
    subscription_id = subscribed(database)
    with pytest.raises(InvalidInput) as caught, database.transaction(ANA) as tx:
        cancel(tx, subscription_id=subscription_id, **choices)
    assert caught.value.field == field
    with database.reading() as tx:
        assert tx.session.get_one(Subscription, subscription_id).cancelled_at is None
        assert tx.session.scalars(select(Protocol)).all() == []


def test_cancelling_twice_cancels_once(database: Database) -> None:
    subscription_id = subscribed(database)
    with database.transaction(ANA) as tx:
        cancel(tx, subscription_id=subscription_id)
    with pytest.raises(NotAllowed, match="was cancelled"), database.transaction(ANA) as tx:
        cancel(tx, subscription_id=subscription_id)
    with pytest.raises(NotAllowed, match="was cancelled"), database.reading() as tx:
        preview_cancel(tx, subscription_id)
    assert len(jobs(database, "subscription.cancelled")) == 1


def test_without_a_confirmation_it_shows_what_would_happen(runtime: Runtime, database: Database) -> None:
    subscription_id = furnished(database)
    client = Client(runtime)
    content = problem(client.post(f"/subscriptions/{subscription_id}/cancel", {}), 409, "needs-confirmation")
    would = client.get(f"/subscriptions/{subscription_id}/preview-cancel").content
    assert content["would"] == would
    assert (would["fixed_address"], would["prefixes"]) == ("192.0.2.1", ["2001:db8:700::/56"])
    assert [session["user_name"] for session in would["sessions"]] == ["maria"]
    assert client.get(f"/subscriptions/{subscription_id}").content["state"] == "ACTIVE"


def test_the_same_key_cancels_once_and_answers_the_same(runtime: Runtime, database: Database) -> None:
    subscription_id = subscribed(database)
    client = Client(runtime)
    path, body = f"/subscriptions/{subscription_id}/cancel", {"confirm": True, "fine_cents": 5000}
    answers = [client.post(path, body, key="cancel-1") for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content
    problem(client.post(path, body), 409, "not-allowed")
    assert len(jobs(database, "subscription.cancelled")) == 1


def test_protocols_are_found_by_number_and_by_subscriber(runtime: Runtime, database: Database) -> None:
    kept = [subscribed(database) for _ in range(2)]
    client = Client(runtime)
    numbers = [client.post(f"/subscriptions/{key}/cancel", {"confirm": True}).content["protocol"] for key in kept]
    shown = client.get(f"/protocols/{numbers[0]}").content
    assert (shown["number"], shown["subscription_id"], shown["issued_by"]) == (numbers[0], kept[0], "ana")
    listed = client.get("/protocols", subscriber_id=shown["subscriber_id"]).content["items"]
    assert listed == [shown]
    assert [item["number"] for item in client.get("/protocols").content["items"]] == numbers[::-1]
    problem(client.get("/protocols/2026030299999999"), 404, "not-found")
