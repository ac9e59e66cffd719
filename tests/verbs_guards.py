"""The verbs about what is held back for a person: runs over the cap, alarms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from billing_bridge.dunning.work import start_run
from core.actor import Actor
from core.alarms import raise_alarm
from core.runtime import Runtime
from tests.factories_billing import make_billed, make_invoice, make_method

Do = Callable[..., Any]


def approve_and_dismiss(do: Do, runtime: Runtime) -> None:
    """Two runs over a cap of nobody: one is approved for some, one is dismissed."""
    runtime.database.settings.suspension_cap_minimum = 0
    with runtime.database.transaction() as tx:
        method = make_method(tx, name="Carnê")
        one, other = (make_billed(tx, method) for _ in range(2))
        for subscription in (one, other):
            make_invoice(tx, subscription, late=30)
    run = wanted_by_routine(runtime)
    lines = do("dunning.lines", run, status="planned")["items"]
    assert [line["subscription_id"] for line in lines] == [one.id, other.id]
    approved = do("dunning.approve", run, body={"subscription_ids": [other.id], "note": "seen"})
    assert (approved["status"], approved["ordered"], approved["dismissed"]) == ("done", 1, 1)
    assert [line["status"] for line in do("dunning.lines", run)["items"]] == ["dismissed", "ordered"]
    dismissed = do("dunning.dismiss", wanted_by_routine(runtime), body={"note": "a wrong file"})
    assert (dismissed["status"], dismissed["decided_by"]) == ("dismissed", "ana")


def look_into_alarms(do: Do, runtime: Runtime) -> None:
    with runtime.database.transaction() as tx:
        alarm = raise_alarm(tx, "feed-empty", "bank", detail="no file since Friday").id
    [shown] = do("alarm.list", open=True)["items"]
    assert shown == do("alarm.show", alarm)
    assert shown["holds_restrictions"] is True
    assert do("alarm.clear", alarm, body={"note": "the file came"})["cleared_by"] == "ana"


def wanted_by_routine(runtime: Runtime) -> int:
    """The id of a run that waits for approval."""
    with runtime.database.transaction(Actor("daily", "routine")) as tx:
        run = start_run(tx)
        assert run.status == "waiting"
        return run.id
