"""The verbs that move services, as an operator comes to use them."""

from __future__ import annotations

from typing import Any

from core.runtime import Runtime
from provisioning.mass_change.commands import CONTINUE
from tests.factories import cpf
from tests.factories_moves import follow_up


def move_services(do: Any, runtime: Runtime) -> None:
    """Radio becomes fibre; then the house is sold; then everybody gets a faster plan."""
    radio = do("plan.add", body={"name": "Radio 20", "price_cents": 7990, "download_bps": "20M", "upload_bps": "10M"})
    fibre = do("plan.clone", radio["id"], body={"name": "Fibre 50", "download_bps": "50M", "technology": "FTTH"})
    assert (fibre["price_cents"], fibre["upload_bps"], fibre["download_bps"]) == (7990, 10_000_000, 50_000_000)
    owner = do("subscriber.register", body={"name": "Rosa Lima", "document": cpf(300_000_001)})["id"]
    bought = {"subscriber_id": owner, "plan_id": radio["id"], "login": "rosa@provedor", "password": "s3nha-longa"}
    old = do("subscription.open", body=bought)["id"]
    do("subscription.activate", old)
    priced = do("subscription.change-price", old, body={"price_cents": 6990, "note": "renewed"})
    assert (priced["price_cents"], priced["monthly_cents"]) == (6990, 6990)
    new = migrate(do, old, fibre["id"])
    sold = {"new_subscriber": {"name": "João Souza", "document": cpf(300_000_002)}, "note": "house sold"}
    moved = do("subscription.transfer", new, body=sold)
    assert (moved["moving_invoices"], moved["staying_invoices"]) == ([], [])
    history = do("subscriber.history", moved["subscriber_id"])["items"]
    assert [item["event"] for item in history] == ["subscription.received"]
    change_all(do, runtime, fibre["id"], new)


def migrate(do: Any, old: int, plan: int) -> int:
    """Abandoned once, then carried out; gives the new subscription."""
    first = do("subscription.migrate", old, body={"plan_id": plan, "change_price": False})
    assert (first["state"], first["migrates_from_id"], first["monthly_cents"]) == ("PENDING_MIGRATION", old, 6990)
    assert do("subscription.abandon-migration", first["id"], body={"note": "rain"})["state"] == "CANCELLED"
    new: int = do("subscription.migrate", old, body={"plan_id": plan})["id"]
    active = do("subscription.activate", new)
    assert (active["state"], active["login"], active["monthly_cents"]) == ("ACTIVE", "rosa@provedor", 7990)
    assert do("subscription.show", old)["state"] == "CANCELLED"
    return new


def change_all(do: Any, runtime: Runtime, plan: int, subscription: int) -> None:
    faster = do("plan.clone", plan, body={"name": "Fibre 100", "download_bps": "100M", "price_cents": 8990})["id"]
    wanted = {"plan_id": faster, "from_plan_id": plan, "change_price": False}
    preview = do("mass-change.preview", body=wanted)
    assert (preview["to_change"], preview["before_cents"], preview["after_cents"]) == (1, 7990, 7990)
    started = do("mass-change.start", body={**wanted, "digest": preview["digest"]})
    assert (started["status"], started["left"]) == ("running", 1)
    assert follow_up(runtime, CONTINUE) == ["Applied"]
    assert do("mass-change.show", started["id"])["status"] == "done"
    [row] = do("mass-change.rows", started["id"], status="done")["items"]
    assert (row["subscription_id"], row["subscriber_name"]) == (subscription, "João Souza")
    back = {"plan_id": plan, "include": [subscription]}
    preview = do("mass-change.preview", body=back)
    stopped = do("mass-change.start", body={**back, "digest": preview["digest"], "note": "back"})
    assert do("mass-change.cancel", stopped["id"], body={"note": "no"})["status"] == "cancelled"
    assert [item["id"] for item in do("mass-change.list")["items"]] == [stopped["id"], started["id"]]
    switched = do("subscription.switch-plan", subscription, body={"plan_id": plan, "change_price": False})
    assert (switched["plan_id"], switched["monthly_cents"]) == (plan, 7990)
