"""The verbs of trust rules, self-service, proposed speeds, pauses and cancellation, one after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Do = Callable[..., Any]
"""`do(verb, *place, body=…, **query)`: one verb of the API, which has to succeed."""


def promise_again(do: Do, subscription: int, document: str) -> None:
    """A subscriber who is SUSPENDED, and whose promise was ended, unblocks through the portal; then that ends too."""
    assert do("trust-rules.show")["version"] == 0
    [service] = do("self-service.status", document=document)["services"]
    assert (service["subscription_id"], service["state"], service["open_cents"]) == (subscription, "SUSPENDED", 19980)
    assert (service["trust"]["possible"], service["trust"]["most_days"]) == (False, 0)
    assert do("trust-rules.change", body={"block_after_broken": False, "self_service_max_days": 2})["version"] == 1
    assert [item["set_by"] for item in do("trust-rules.versions")["items"]] == ["ana"]
    given = do("self-service.trust-unblock", body={"subscription_id": subscription, "document": document})
    assert (given["state"], given["until"]) == ("ACTIVE", "2026-03-08T03:00:00Z")
    assert do("protocol.show", given["protocol"])["details"]["channel"] == "self-service"
    assert do("subscription.end-trust-unblock", subscription)["state"] == "SUSPENDED"


def change_speed_in_two_steps(do: Do, subscription: int) -> None:
    wanted = {"download_bps": "1G", "upload_bps": "500M"}
    first = do("subscription.propose-speed", subscription, body=wanted)
    assert do("subscription.pending-speed", subscription) == first
    assert first["after"]["download_bps"] == 10**9
    assert do("subscription.discard-speed", subscription, body={"proposal_id": first["id"]})["outcome"] == "discarded"
    second = do("subscription.propose-speed", subscription, body=wanted)
    assert do("subscription.confirm-speed", subscription, body={"proposal_id": second["id"]})["outcome"] == "confirmed"
    assert do("subscription.propose-speed-end", subscription)["kind"] == "end"


def go_away_and_come_back(do: Do, subscription: int) -> None:
    assert do("subscription.pause", subscription, body={"until": "2026-07-01T00:00:00-03:00"})["state"] == "PAUSED"
    moved = do("subscription.move-return", subscription, body={"until": "2026-08-01T00:00:00-03:00"})
    assert [item["until"] for item in do("subscription.pauses")["items"]] == [moved["until"]]
    assert do("subscription.resume", subscription)["state"] == "ACTIVE"


def leave_for_good(do: Do, subscription: int) -> None:
    assert do("subscription.preview-cancel", subscription)["fixed_address"] == "100.64.0.9"
    cancelled = do("subscription.cancel", subscription, body={"note": "moved away", "confirm": True})
    assert cancelled["state"] == "CANCELLED"
    shown = do("protocol.show", cancelled["protocol"])
    assert (shown["kind"], shown["subscription_id"]) == ("cancellation", subscription)
    assert do("protocol.list", subscription_id=subscription)["items"][0] == shown
