"""The verbs about bills of other systems: sources, their events, comparing everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import billing_bridge.intake.tasks  # noqa: F401 - its import registers the comparison
from core.runtime import Runtime
from lab.gateways.hubsoft import HubSoftSimulator
from tests.factories import make_subscription
from tests.factories_intake import SECRET, make_event
from tests.factories_routines import carry_out

Do = Callable[..., Any]


def take_events(do: Do, runtime: Runtime) -> None:
    """A source pushes one bill that fits and one that does not, until a person says whose it is."""
    source = do("billing-source.add", body={"name": "ERP", "secret": SECRET.reveal()})
    key = source["id"]
    assert do("billing-source.change", key, body={"expect_every_hours": 24})["expect_every_hours"] == 24
    assert do("billing-source.rotate", key, body={"secret": "another-secret-of-this-source"})["previous_until"]
    with runtime.database.transaction() as tx:
        subscription = make_subscription(tx)
    events = [make_event(subscription), make_event({"external_id": "S-77"}, invoice="F-2")]
    taken = do("intake.bulk", key, body={"events": events})
    assert taken["counts"] == {"applied": 1, "unmatched": 1}
    linked = do("billing-source.link", key, body={"external_id": "S-77", "subscription_id": subscription.id})
    assert linked["subscription_id"] == subscription.id
    do("intake.retry", body={"billing_source_id": key})
    carry_out(runtime, "intake.apply")
    assert do("billing-source.outcomes", key)["applied"] == 2
    [event, _first] = do("intake.events", source_id=key)["items"]
    assert (event["outcome"], do("intake.show", event["id"])) == ("applied", event)
    assert [item["id"] for item in do("billing-source.list")["items"]] == [key]
    assert do("billing-source.show", key)["failures"] == 0


def compare_with_a_source(do: Do, runtime: Runtime) -> None:
    with HubSoftSimulator() as hubsoft:
        body = {
            "name": "HubSoft", "kind": "hubsoft", "base_url": hubsoft.url, "client_id": "12", "username": "api",
            "secret": hubsoft.credentials["client_secret"], "password": hubsoft.credentials["password"],
        }  # fmt: skip
        source = do("billing-source.add", body=body)["id"]
        run = do("intake.sync", body={"billing_source_id": source, "dry_run": True})["id"]
        carry_out(runtime, "intake.sync")
    shown = do("intake.run", run)
    assert shown["finished_at"] is not None
    assert do("intake.runs", source_id=source)["items"][0]["id"] == run
