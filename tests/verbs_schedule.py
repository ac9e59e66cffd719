"""The verbs about what happens by itself: routines, scheduled changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from core.runtime import Runtime
from provisioning.routines import own_tasks as routine_own_tasks  # noqa: F401 - their import registers tasks and handlers
from provisioning.scheduled import jobs as scheduled_jobs  # noqa: F401 - their import registers tasks and handlers
from tests.factories_routines import carry_out
from tests.ticking import FakeClock

Do = Callable[..., Any]


def keep_routines(do: Do, runtime: Runtime) -> None:
    """One is added, changed, rehearsed, run by hand and removed."""
    assert "enable" in [task["name"] for task in do("routine.tasks")["items"]]
    body = {"description": "Habilitação", "task": "enable", "weekdays": [5, 1, 2, 3, 4], "hours": [6], "minutes": [0]}
    added = do("routine.add", body=body)
    key = added["id"]
    assert (added["weekdays"], added["words"], added["palavras"]) == (
        [1, 2, 3, 4, 5], "Monday to Friday at 06:00", "segunda a sexta às 06:00",
    )  # fmt: skip
    slots = [item["at"] for item in do("routine.next", key, count=2)["items"]]
    assert slots[0] == added["next_at"]
    changed = do("routine.change", key, body={"hours": [7], "weekdays": []})
    assert (changed["palavras"], changed["next_at"] != added["next_at"]) == ("todo dia às 07:00", True)
    assert "looked_at" in do("routine.rehearse", key)["counts"]
    run = do("routine.run", key)
    assert (run["status"], run["trigger"], run["slot_at"], run["actor"]) == ("running", "hand", None, "ana")
    carry_out(runtime)
    [done] = do("routine.runs", key)["items"]
    assert (done["id"], done["status"]) == (run["id"], "done")
    [listed] = [item for item in do("routine.list")["items"] if item["id"] == key]
    assert listed == do("routine.show", key)
    assert (listed["last_status"], listed["last_detail"]) == ("done", done["detail"])
    do("routine.remove", key)
    assert do("routine.show", key)["removed_at"] is not None


def schedule_changes(do: Do, runtime: Runtime, clock: FakeClock, subscription: int) -> None:
    """One is edited and happens, one is cancelled."""
    assert "limit-sessions" in [action["name"] for action in do("change.actions")["items"]]
    due = clock.now.replace(microsecond=0).isoformat()[:10]
    body = {"action": "limit-sessions", "arguments": {"limit": 2}, "due_at": f"{due}T23:00:00Z", "note": "a promise"}
    change = do("subscription.schedule-change", subscription, body=body)
    other = do("subscription.schedule-change", subscription, body={**body, "action": "pause", "arguments": {}})
    assert (change["status"], change["actor"], change["arguments"]) == ("waiting", "ana", {"limit": 2})
    edited = do("change.edit", change["id"], body={"arguments": {"limit": 3}, "due_at": f"{due}T22:00:00Z"})
    assert (edited["version"], edited["note"]) == (2, "a promise")
    assert do("change.cancel", other["id"], body={"note": "stays at home"})["result"] == "stays at home"
    before = clock.now
    clock.now = datetime.fromisoformat(edited["due_at"])
    carry_out(runtime, "change.due")
    clock.now = before
    done = do("change.show", change["id"])
    assert (done["status"], done["done_at"]) == ("done", edited["due_at"])
    assert do("change.list", status="done")["items"] == [done]
    listed = do("subscription.changes", subscription)["items"]
    assert [item["id"] for item in listed] == [other["id"], change["id"]]
    assert do("subscription.show", subscription)["session_limit"] == 3
