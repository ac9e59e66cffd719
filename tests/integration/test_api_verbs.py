"""Every verb of the API once, as a provider would come to use it, on both databases."""

from __future__ import annotations

import time
from typing import Any

import pytest

from api.app import document
from api.openapi import operations
from core.job_queue import Job
from core.jobs import run_job
from core.runtime import Runtime
from provisioning.models import Divergence
from radius.metrics import snapshot_writer
from radius.models import Session
from radius.reject_book import Bounds, keep_rejects
from radius.reject_events import Folded, Kind
from radius.worker_report import WorkerReport
from tests.factories_api import Client, problem
from tests.ticking import FakeClock
from tests.verbs_guards import approve_and_dismiss, look_into_alarms
from tests.verbs_intake import compare_with_a_source, take_events
from tests.verbs_money import bill_a_month, promise_discounts
from tests.verbs_moves import move_services
from tests.verbs_procedures import change_speed_in_two_steps, go_away_and_come_back, leave_for_good, promise_again
from tests.verbs_proof import prove_changes, warn_before
from tests.verbs_routers import adopt_a_router, hold_routers
from tests.verbs_rules import keep_the_calendar, tell_before_restricting
from tests.verbs_schedule import keep_routines, schedule_changes

OPERATIONS = {item.operation_id: item for item in operations(document())}


class Operator:
    """Calls verbs by name and remembers which ones worked."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.used: set[str] = set()

    def do(self, verb: str, *place: object, body: Any = None, **query: Any) -> Any:
        operation = OPERATIONS[verb]
        names = [item["name"] for item in operation.parameters if item["in"] == "path"]
        path = operation.path.format(**dict(zip(names, place, strict=True)))
        answer = self.client.call(operation.method, path, {} if body is None and operation.body else body, query=query)
        assert answer.status < 300, (verb, answer.content)
        assert str(answer.status) in operation.content["responses"], verb
        self.used.add(verb)
        return answer.content


@pytest.fixture
def operator(runtime: Runtime) -> Operator:
    return Operator(Client(runtime))


def test_every_verb_works(operator: Operator, runtime: Runtime, clock: FakeClock) -> None:
    do = operator.do
    subnet = plan_addresses(operator)
    subscription = sell(operator, runtime)
    fix_address(operator, subscription, subnet)
    route_prefixes(operator, subscription)
    connect(operator, runtime, clock, subscription)
    observe(operator, runtime, subscription)
    answer_a_court(operator, subscription)
    invoice = bill(operator, subscription)
    fall_late(operator, clock, subscription, invoice)
    pay(operator, subscription, invoice)
    schedule_changes(do, runtime, clock, subscription)
    stop(operator, runtime, subscription)
    look_around(operator)
    do("subnet.delete", spare_subnet(operator))
    approve_and_dismiss(do, runtime)
    look_into_alarms(do, runtime)
    move_services(do, runtime)
    keep_routines(do, runtime)
    promise_discounts(do, runtime)
    bill_a_month(do, runtime)
    keep_the_calendar(do)
    tell_before_restricting(do, runtime)
    prove_changes(do, runtime)
    warn_before(do, runtime)
    take_events(do, runtime)
    compare_with_a_source(do, runtime)
    hold_routers(do, runtime)
    adopt_a_router(do, runtime)
    signed = {name for name, item in OPERATIONS.items() if item.signed}  # another system's, in test_api_intake
    assert set(OPERATIONS) - operator.used - signed == set()


def plan_addresses(operator: Operator) -> int:
    do = operator.do
    top = do("folder.add", body={"name": "POP 1"})["id"]
    below = do("folder.add", body={"name": "Centre", "parent_id": top})["id"]
    do("folder.change", below, body={"name": "Centro"})
    assert [item["path"] for item in do("folder.list")["items"]] == ["POP 1", "POP 1 / Centro"]
    spare = do("folder.add", body={"name": "spare"})["id"]
    do("folder.change", spare, body={"parent_id": below})
    do("folder.delete", spare)
    subnet: int = do("subnet.add", body={"folder_id": below, "name": "Homes", "cidr": "100.64.0.0/28"})["id"]
    changed = do("subnet.change", subnet, body={"gateway": "100.64.0.1", "quarantine_days": 7, "folder_id": top})
    assert (changed["gateway"], changed["quarantine_days"], changed["folder_id"]) == ("100.64.0.1", 7, top)
    kept = do("subnet.reserve", subnet, body={"first": "100.64.0.2", "last": "100.64.0.4", "purpose": "switches"})
    gone = do("subnet.reserve", subnet, body={"first": "100.64.0.5", "last": "100.64.0.5"})
    do("subnet.unreserve", gone["id"])
    report = do("subnet.show", subnet)
    assert [item["id"] for item in report["reserved"]] == [kept["id"]]
    assert report["utilisation"] == {
        "total": 13, "assigned": 0, "quarantined": 0, "reserved": 3, "free": 10, "percent": 23.0
    }  # fmt: skip
    assert do("subnet.next-address", subnet) == {"address": "100.64.0.5"}
    assert [item["id"] for item in do("subnet.list", folder_id=top)["items"]] == [subnet]
    return subnet


def sell(operator: Operator, runtime: Runtime) -> int:
    do = operator.do
    subscriber = do("subscriber.register", body={"name": "Maria", "document": "390.533.447-05"})["id"]
    do("subscriber.change", subscriber, body={"phone": "+55 19 99999-0000", "birth_date": "1985-04-23"})
    assert do("subscriber.show", subscriber)["birth_date"] == "1985-04-23"
    plan = do("plan.add", body={"name": "Fast", "price_cents": 9990, "download_bps": "500M", "upload_bps": 250_000_000})
    assert (plan["download_bps"], plan["upload_bps"]) == (500_000_000, 250_000_000)
    other = do("plan.add", body={"name": "Slow", "price_cents": 4990, "download_bps": "50M", "upload_bps": "25M"})
    do("plan.change", other["id"], body={"price_cents": 5990})
    assert do("plan.show", other["id"])["price_cents"] == 5990
    body = {"subscriber_id": subscriber, "plan_id": plan["id"], "login": "maria@x", "password": "s3nha-longa"}
    opened = do("subscription.open", body=body)
    assert (opened["state"], opened["plan_name"], opened["subscriber_name"]) == ("PENDING_INSTALL", "Fast", "Maria")
    subscription: int = opened["id"]
    assert do("subscription.activate", subscription)["state"] == "ACTIVE"
    assert do("subscription.switch-plan", subscription, body={"plan_id": other["id"]})["plan_name"] == "Slow"
    do("subscription.change-credentials", subscription, body={"password": "another", "mac": "02:00:5e:10:00:01"})
    return subscription


def fix_address(operator: Operator, subscription: int, subnet: int) -> None:
    do = operator.do
    given = do("subscription.assign-address", subscription, body={"subnet_id": subnet})
    assert (given["address"], given["prefix_length"], given["gateway"]) == ("100.64.0.5", 28, "100.64.0.1")
    assert do("subscription.show", subscription)["fixed_address"] == "100.64.0.5"
    assert do("address.show", "100.64.0.5")["subscription_id"] == subscription
    assert do("subscription.release-address", subscription)["address"] == "100.64.0.5"
    standing = do("address.show", "100.64.0.5")
    assert (standing["state"], standing["history"][0]["subscription_id"]) == ("quarantined", subscription)
    do("subscription.assign-address", subscription, body={"subnet_id": subnet, "address": "100.64.0.9"})
    assert [item["address"] for item in do("subnet.addresses", subnet, only="assigned")["items"]] == ["100.64.0.9"]
    assert [item["until"] for item in do("address.history", "100.64.0.9")["items"]] == [None]


def route_prefixes(operator: Operator, subscription: int) -> None:
    do = operator.do
    given = do("subscription.give-prefix", subscription, body={"purpose": "delegated", "network": "2001:db8:700::/56"})
    assert (given["purpose"], given["network"], given["subscription_id"]) == (
        "delegated", "2001:db8:700::/56", subscription,
    )  # fmt: skip
    do("subscription.give-prefix", subscription, body={"purpose": "route", "network": "203.0.113.8/29"})
    listed = do("subscription.prefixes", subscription)["items"]
    assert [item["network"] for item in listed] == ["203.0.113.8/29", "2001:db8:700::/56"]
    assert [item["id"] for item in do("prefix.list", around="2001:db8:700::1")["items"]] == [given["id"]]
    assert [item["id"] for item in do("prefix.list", limit=1)["items"]] == [given["id"]]
    gone = do("subscription.withdraw-prefix", subscription, body={"network": "203.0.113.8/29", "note": "moved"})
    assert gone["network"] == "203.0.113.8/29"


def connect(operator: Operator, runtime: Runtime, clock: FakeClock, subscription: int) -> None:
    """A NAS, and a session on it as accounting would have written it."""
    do = operator.do
    nas = do("nas.add", body={"name": "pop-1", "network": "192.0.2.1", "secret": "a-shared-secret"})
    assert "secret" not in nas
    assert do("nas.change", nas["id"], body={"coa_port": 1700, "secret": "another-secret"})["coa_port"] == 1700
    assert do("nas.show", nas["id"])["network"] == "192.0.2.1/32"
    admit(operator, subscription, nas["id"])
    session = make_session(runtime, clock, subscription, nas["id"])
    assert [item["id"] for item in do("session.list", only_open=True, address="100.64.0.9")["items"]] == [session]
    assert do("session.show", session)["user_name"] == "maria@x"
    holder = do("address.holder", "100.64.0.9", at="2026-03-02T12:00:00Z")
    assert (holder["subscription_id"], holder["uses"][0]["session_id"]) == (subscription, session)
    [diverging] = do("session.diverging")["items"]
    assert (diverging["session_id"], diverging["status"]) == (session, "failing")


def observe(operator: Operator, runtime: Runtime, subscription: int) -> None:
    """What RADIUS would answer, whom it refused, which NAS sign, and whether it is well on this host."""
    do = operator.do
    told = do("radius.test", body={"login": "maria@x"})
    assert (told["subscription_id"], told["answers"][0]["answer"]) == (subscription, "Access-Accept")
    refused = Kind(b"maria@x", "wrong_password", told["answers"][0]["nas_id"], b"02:00:5E:10:00:01")
    with runtime.database.transaction() as tx:
        keep_rejects(tx, {refused: Folded("", subscription, 1.0, 2.0, 3)}, Bounds())
    assert do("subscription.rejects", subscription) == do("reject.list", login="maria@x")
    assert do("subscription.usage", subscription)["items"] == []
    assert do("nas.message-authenticator")["items"][0]["verdict"] == "never_heard"
    report = WorkerReport("sync", gauges={"heard_at": time.time()})
    snapshot_writer(runtime.settings.data_dir / "radius", "sync")(report)
    assert do("health.radius") == {"status": "ok"}


def admit(operator: Operator, subscription: int, nas: int) -> None:
    do = operator.do
    do("subscription.limit-sessions", subscription, body={"limit": 2})
    do("subscription.restrict-to-nas", subscription, body={"nas_id": nas, "nas_port": "ether2"})
    do("subscription.bind-mac", subscription, body={"mode": "pinned", "mac": "02:00:5E:10:00:01"})
    assert do("subscription.reset-mac", subscription)["bound_mac"] is None
    shown = do("subscription.admission", subscription)
    assert (shown["session_limit"], shown["allowed_nas_port"], shown["mac_binding"]) == (2, "ether2", "learn")


def make_session(runtime: Runtime, clock: FakeClock, subscription: int, nas: int) -> int:
    import ipaddress

    with runtime.database.transaction() as tx:
        row = Session(
            key=bytes(16),
            nas_id=nas,
            nas_address=ipaddress.ip_address("192.0.2.1"),
            acct_session_id="81c00a2f",
            user_name="maria@x",
            subscription_id=subscription,
            framed_ip_address=ipaddress.ip_address("100.64.0.9"),
            started_at=clock.now,
            updated_at=clock.now,
        )
        tx.session.add(row)
        tx.session.flush()
        tx.session.add(
            Divergence(
                session_id=row.id,
                subscription_id=subscription,
                nas_id=nas,
                desired_fingerprint="x",
                since=clock.now,
                status="failing",
                reason="the NAS did not answer",
            )
        )
        return row.id


def answer_a_court(operator: Operator, subscription: int) -> None:
    do = operator.do
    inside = {"inside_first": "100.64.0.0", "inside_last": "100.64.0.15"}
    outside = {"outside_first": "203.0.113.7", "outside_last": "203.0.113.7"}
    rule = do("cgnat.add", body={"name": "pop-1", **inside, **outside, "block_size": 4032})
    assert (rule["blocks"], rule["capacity"]) == (16, 16)
    assert do("cgnat.show", rule["id"]) == rule
    assert do("cgnat.list", at="2026-03-02T12:00:00Z")["items"] == [rule]
    assert do("cgnat.routeros", rule["id"])["commands"][0] == "/ip firewall nat"
    asked = {"at": "2026-03-02T12:00:00Z", "port": 1024 + 9 * 4032, "reason": "Ofício 1/2026"}
    traced = do("address.trace", "203.0.113.7", body=asked)
    assert (traced["looked_up"], traced["verdict"]) == ("100.64.0.9", "agree")
    assert traced["holders"][0]["person"]["document"] == "390.533.447-05"
    assert do("cgnat.close", rule["id"])["until"]
    span = {"since": "2026-03-01T00:00:00Z", "until": "2026-04-01T00:00:00Z"}
    exported = do("evidence.export", body={**span, "subscription_id": subscription, "reason": "Ofício 1/2026"})
    assert exported.startswith(b"PK")
    before = [key["id"] for key in do("evidence.keys")["items"]]
    assert len(before) == 1
    assert do("evidence.new-key")["id"] > before[0]
    hold = do("hold.place", body={**span, "reference": "Ofício 1/2026", "address": "100.64.0.9"})
    assert do("hold.list", live=True)["items"] == [hold]
    assert do("history.retention")["live_holds"] == 1
    assert do("hold.release", hold["id"], body={"note": "no order came"})["released_by"] == "ana"


def bill(operator: Operator, subscription: int) -> int:
    do = operator.do
    method = do("billing-method.add", body={"name": "Boleto", "partial_days": 5, "total_days": 10})["id"]
    do("billing-method.change", method, body={"partial_days": 3})
    assert do("billing-method.show", method)["rule_version"] == 2
    assert [item["partial_days"] for item in do("billing-method.versions", method)["items"]] == [5, 3]
    assert [item["id"] for item in do("billing-method.list")["items"]] == [method]
    do("subscription.set-billing", subscription, body={"billing_method_id": method, "due_day": 10})
    assert do("subscription.billing", subscription)["billing_method_name"] == "Boleto"
    one = {"subscription_id": subscription, "description": "March", "amount_cents": 9990}
    charges = [do("charge.add", body=one)["id"] for _ in range(3)]
    do("charge.cancel", charges[2], body={"note": "typed twice"})
    assert [item["id"] for item in do("charge.list", waiting=True)["items"]] == charges[:2]
    invoice = do("invoice.issue", body={"charge_ids": charges[:2], "due_on": "2026-03-01"})
    assert (invoice["amount_cents"], invoice["status"]) == (19980, "OPEN")
    assert do("charge.show", charges[0])["invoice_id"] == invoice["id"]
    extra = do("invoice.charge-and-invoice", body={**one, "due_on": "2026-03-20"})["id"]
    assert do("invoice.cancel", extra, body={"note": "a mistake"})["status"] == "CANCELLED"
    found = do("invoice.list", status="OPEN", subscription_id=subscription)["items"]
    assert [item["id"] for item in found] == [invoice["id"]]
    key: int = invoice["id"]
    return key


def fall_late(operator: Operator, clock: FakeClock, subscription: int, invoice: int) -> None:
    do = operator.do
    clock.advance(days=3)
    preview = do("dunning.preview")
    assert (preview["partial_count"], preview["total_count"], preview["exceeds_cap"]) == (1, 0, False)
    assert preview["orders"][0]["subscription_id"] == subscription
    run = do("dunning.run")
    assert (run["ordered"], run["actor"]) == (1, "ana")
    assert do("dunning.show", run["id"]) == run
    assert do("dunning.list")["items"] == [run]
    assert do("subscription.show", subscription)["state"] == "REDUCED"
    order = do("subscription.order-restriction", subscription, body={"level": "total", "invoice_ids": [invoice]})
    assert (order["state"], order["ordered_by"]) == ("SUSPENDED", "ana")
    until = "2026-03-07T12:00:00Z"
    trust = do("subscription.trust-unblock", subscription, body={"until": until, "note": "will pay"})
    assert (trust["state"], trust["until"], trust["granted_by"]) == ("ACTIVE", until, "ana")
    explained = do("subscription.explain", subscription)
    assert [step["rule"] for step in explained["steps"] if step["decided"]] == ["trust unblock"]
    assert do("subscription.explain", subscription, at="2026-03-08T00:00:00Z")["state"] == "SUSPENDED"
    assert do("subscription.end-trust-unblock", subscription)["state"] == "SUSPENDED"
    promise_again(do, subscription, "390.533.447-05")
    [debt] = do("subscription.debts", subscription)["items"]
    assert debt == {"invoice_id": invoice, "due_on": "2026-03-01", "open_cents": 19980}


def pay(operator: Operator, subscription: int, invoice: int) -> None:
    do = operator.do
    part = do("invoice.pay", invoice, body={"amount_cents": 5000, "method": "pix"})
    assert do("invoice.show", invoice)["status"] == "PARTIALLY_PAID"
    assert do("receipt.reverse", part["id"], body={"note": "wrong invoice"})["reversed_by"] == "ana"
    full = do("receipt.receive", body={"invoice_ids": [invoice]})
    assert full["lines"] == [{"invoice_id": invoice, "amount_cents": 19980, "discount_cents": 0}]
    assert do("receipt.show", full["id"])["number"] == f"{full['id']:08d}"
    assert len(do("receipt.list", invoice_id=invoice)["items"]) == 2
    assert do("subscription.show", subscription)["state"] == "ACTIVE"


def stop(operator: Operator, runtime: Runtime, subscription: int) -> None:
    do = operator.do
    speed = do("subscription.override-speed", subscription, body={"download_bps": "1G", "upload_bps": "500M"})
    assert (speed["download_bps"], speed["until"]) == (10**9, None)
    do("subscription.end-speed-override", subscription, body={"note": "over"})
    change_speed_in_two_steps(do, subscription)
    go_away_and_come_back(do, subscription)
    leave_for_good(do, subscription)
    events = [item["event"] for item in do("subscription.timeline", subscription, limit=200)["items"]]
    assert events[0] == "opened"
    assert events[-1] == "state.changed"
    [nas] = do("nas.list")["items"]
    do("nas.remove", nas["id"])
    with runtime.database.transaction() as tx:
        tx.enqueue("no.such.kind")
        tx.session.flush()


def look_around(operator: Operator) -> None:
    do = operator.do
    assert do("subscriber.list")["items"][0]["name"] == "Maria"
    assert len(do("plan.list")["items"]) == 2
    assert do("subscription.list", state="CANCELLED")["items"]
    job = do("job.list", kind="no.such.kind")["items"][0]
    assert run_job(operator.client.runtime, job["id"]) is not None
    assert do("job.show", job["id"])["status"] == "refused"
    assert do("job.retry", job["id"])["status"] == "waiting"
    token = do("token.create", body={"name": "x", "operator": "rui"})
    assert do("token.revoke", token["id"])["revoked_at"]
    assert do("token.list")["items"][-1]["revoked_at"]
    assert do("audit.list", actor="ana")["items"]
    assert do("health.live") == do("health.ready") == {"status": "ok"}
    assert do("problem.explain", "conflict")["title"]


def spare_subnet(operator: Operator) -> int:
    folder = operator.do("folder.add", body={"name": "to be emptied"})["id"]
    key: int = operator.do("subnet.add", body={"folder_id": folder, "name": "x", "cidr": "10.0.0.0/30"})["id"]
    return key


def test_a_mass_restriction_needs_approval(operator: Operator, runtime: Runtime, clock: FakeClock) -> None:
    runtime.settings.suspension_cap_minimum = 0
    runtime.database.settings.suspension_cap_minimum = 0
    subscription = sell(operator, runtime)
    bill(operator, subscription)
    clock.advance(days=30)
    content = problem(operator.client.post("/dunning/runs", {}), 409, "needs-approval")
    assert (content["planned"], content["cap"]) == (1, 0)
    assert operator.do("subscription.show", subscription)["state"] == "ACTIVE"
    assert operator.do("dunning.run", body={"approve": True})["approved"] is True
    assert operator.do("subscription.show", subscription)["state"] == "SUSPENDED"


def test_a_duplicate_names_the_one_that_has_it(operator: Operator) -> None:
    body = {"name": "Maria", "document": "390.533.447-05"}
    first = operator.do("subscriber.register", body=body)["id"]
    content = problem(operator.client.post("/subscribers", {**body, "name": "Other"}), 409, "conflict")
    assert (content["subscriber_id"], content["subscriber_name"]) == (first, "Maria")


def test_a_state_that_forbids_is_named(operator: Operator, runtime: Runtime) -> None:
    subscription = sell(operator, runtime)
    body = {"until": "2026-03-05T12:00:00Z", "note": "please"}
    content = problem(operator.client.post(f"/subscriptions/{subscription}/trust-unblock", body), 409, "not-allowed")
    assert content["state"] == "ACTIVE"


def test_a_running_job_is_not_started_again(operator: Operator, runtime: Runtime) -> None:
    with runtime.database.transaction() as tx:
        job = Job(kind="x", created_at=tx.now, due_at=tx.now, status="running")
        tx.session.add(job)
        tx.session.flush()
    problem(operator.client.post(f"/jobs/{job.id}/retry"), 409, "not-allowed")
