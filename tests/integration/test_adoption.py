"""Taking over what a router has: report, decisions, import. Nothing is written to the router by any of them."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Any

import pytest
from sqlalchemy import func, select, text

from core.audit import AuditEntry
from core.database import Transaction
from core.errors import Conflict, InvalidInput, NotAllowed, NotFound, Unavailable
from core.job_queue import Job
from core.leases import hold_lease
from core.runtime import Runtime
from core.secrets import Secret
from ipam.lookup import fixed_address_of
from lab.routeros.emulator import EmulatedRouter
from provisioning.addresses import assign_address
from provisioning.models import Subscriber, Subscription
from provisioning.routeros.adoption import importing as adoption_import
from provisioning.routeros.adoption.deciding import accept_matched, decide, decide_by_list
from provisioning.routeros.adoption.importing import IMPORT, continue_import, start_import, work_on
from provisioning.routeros.adoption.models import AdoptionCandidate, AdoptionRow
from provisioning.routeros.adoption.reading import Reading, talking_to
from provisioning.routeros.adoption.report import (
    candidates_of,
    close_adoption,
    get_adoption,
    get_candidate,
    progress_of,
    rows_of,
    store_report,
)
from provisioning.routeros.alone import LEASE
from provisioning.routeros.models import RouterService
from tests.factories import cpf, make_plan, make_subscriber, make_subscription, restrict
from tests.factories_adoption import carried_out, reported, routed, stock_leases, stock_ppp
from tests.factories_ipam import make_subnet

PEOPLE = {
    "maria": {"password": "s3nha", "comment": "casa azul"},
    "ana": {"password": "s-ana", "comment": f"Ana Lima {cpf(77)}", "remote_address": "100.64.0.20"},
    "bia": {"password": "s-bia", "comment": "Bia"},
}


@pytest.fixture
def emulated() -> Iterator[EmulatedRouter]:
    with EmulatedRouter() as router:
        yield router


@pytest.fixture
def before(emulated: EmulatedRouter) -> bytes:
    """What stands on the router before anybody adopts."""
    stock_ppp(emulated, PEOPLE)
    return emulated.foreign_bytes()


@pytest.fixture
def adoption_id(runtime: Runtime, emulated: EmulatedRouter, before: bytes) -> int:
    """A report of three secrets: one that is known, and two that nobody has."""
    with runtime.database.transaction() as tx:
        plan = make_plan(tx, name="Fibra 500")
        make_subscription(tx, login="maria", password=Secret("s3nha"), plan_id=plan.id)
        router = routed(tx, emulated)
    return reported(runtime, router.id).id


def by_name(tx: Transaction, adoption_id: int) -> dict[str, AdoptionCandidate]:
    return {row.name: row for row in candidates_of(tx, adoption_id)}


def choose(runtime: Runtime, adoption_id: int, name: str, decision: str, /, **wanted: Any) -> None:
    with runtime.database.transaction() as tx:
        candidate = by_name(tx, adoption_id)[name]
        decide(tx, adoption_id=adoption_id, candidate_id=candidate.id, decision=decision, **wanted)


def bring_in(runtime: Runtime, adoption_id: int) -> dict[str, AdoptionCandidate]:
    with runtime.database.transaction() as tx:
        start_import(tx, adoption_id=adoption_id)
    carried_out(runtime, IMPORT)
    with runtime.database.reading() as tx:
        assert get_adoption(tx, adoption_id).status == "open"
        return by_name(tx, adoption_id)


def test_the_report_compares_and_writes_nothing(
    runtime: Runtime, emulated: EmulatedRouter, before: bytes, adoption_id: int
) -> None:
    with runtime.database.reading() as tx:
        adoption, found = get_adoption(tx, adoption_id), by_name(tx, adoption_id)
        left = [(row.name, (row.why or {})["code"]) for row in rows_of(tx, adoption_id, only="left")]
    assert adoption.counts == {"matched": 1, "differs": 0, "new": 2, "conflict": 0, "ignored": 0}
    assert (adoption.identity, adoption.version, adoption.unread) == ("borda-api-1", "7.20.4", {})
    assert {name: row.verdict for name, row in found.items()} == {"maria": "matched", "ana": "new", "bia": "new"}
    assert (found["ana"].guess_name, found["ana"].guess_document, found["ana"].address) == (
        "Ana Lima", cpf(77), "100.64.0.20",
    )  # fmt: skip
    assert ("fibra", "profile_local") in left
    assert emulated.foreign_bytes() == before
    assert {path for path in emulated.sentences if not path.endswith("print")} <= {"/login"}
    assert emulated.most_connections == 1


def test_passwords_are_kept_encrypted_and_forgotten_at_the_end(runtime: Runtime, adoption_id: int) -> None:
    with runtime.database.reading() as tx:
        raw = list(tx.session.scalars(text("SELECT password FROM adoption_candidate")))
        assert by_name(tx, adoption_id)["bia"].password == Secret("s-bia")
        shown = str([row.fields for row in rows_of(tx, adoption_id)]) + str(
            [(entry.before, entry.after) for entry in tx.session.scalars(select(AuditEntry))]
        )
    assert all(password["password"] not in str(raw) + shown for password in PEOPLE.values())
    with runtime.database.transaction() as tx:
        close_adoption(tx, adoption_id=adoption_id)
    with runtime.database.reading() as tx:
        assert set(tx.session.scalars(text("SELECT password FROM adoption_candidate"))) == {None}
    with pytest.raises(NotAllowed, match="closed"), runtime.database.transaction() as tx:
        accept_matched(tx, adoption_id=adoption_id)


def test_a_router_has_one_open_adoption(runtime: Runtime, adoption_id: int) -> None:
    nothing = Reading("7.20.4", "x", (), {})
    with runtime.database.reading() as tx:
        router_id = get_adoption(tx, adoption_id).router_id
    with pytest.raises(Conflict, match=f"adoption {adoption_id} "), runtime.database.transaction() as tx:
        store_report(tx, router=router_id, reading=nothing)
    with runtime.database.transaction() as tx:
        close_adoption(tx, adoption_id=adoption_id)
        assert store_report(tx, router=router_id, reading=nothing).id > adoption_id


def test_only_one_talks_to_a_router(runtime: Runtime, emulated: EmulatedRouter) -> None:
    with runtime.database.transaction() as tx:
        router = routed(tx, emulated)
    with (
        hold_lease(runtime.database, f"router:{router.id}", LEASE) as held,
        pytest.raises(Unavailable, match="at this moment"),
        talking_to(runtime.database, router.id),
    ):
        assert held
    emulated.faults.refuse()
    with pytest.raises(Unavailable, match=router.name), talking_to(runtime.database, router.id):
        pass
    with hold_lease(runtime.database, f"router:{router.id}", LEASE) as held:
        assert held, "the lease was given back"


def test_a_match_is_accepted_imported_and_served(
    runtime: Runtime, emulated: EmulatedRouter, before: bytes, adoption_id: int
) -> None:
    with runtime.database.transaction() as tx:
        assert accept_matched(tx, adoption_id=adoption_id) == 1
        assert accept_matched(tx, adoption_id=adoption_id) == 0
    found = bring_in(runtime, adoption_id)
    assert (found["maria"].status, found["maria"].subscription_id) == ("imported", found["maria"].found_id)
    assert {found[name].status for name in ("ana", "bia")} == {"waiting"}
    with runtime.database.reading() as tx:
        [service] = tx.session.scalars(select(RouterService))
        assert (service.subscription_id, service.access) == (found["maria"].found_id, "ppp")
    assert emulated.foreign_bytes() == before


def test_a_new_one_becomes_a_subscription_as_the_router_had_it(runtime: Runtime, adoption_id: int) -> None:
    with runtime.database.transaction() as tx:
        make_subnet(tx, "100.64.0.0/24")
    choose(runtime, adoption_id, "ana", "create")
    ana = bring_in(runtime, adoption_id)["ana"]
    assert (ana.status, ana.detail) == ("imported", "")
    with runtime.database.reading() as tx:
        made = tx.session.get_one(Subscription, ana.subscription_id)
        assert (made.login, made.password, made.state, made.plan.name) == (
            "ana",
            Secret("s-ana"),
            "ACTIVE",
            "Fibra 500",
        )
        assert (made.subscriber.name, made.subscriber.document) == ("Ana Lima", cpf(77))
        assert fixed_address_of(tx, made.id) == IPv4Address("100.64.0.20")


def test_an_address_of_no_subnet_fails_with_words_and_can_be_tried_again(runtime: Runtime, adoption_id: int) -> None:
    choose(runtime, adoption_id, "ana", "create")
    with runtime.database.transaction() as tx:
        decide_by_list(tx, adoption_id=adoption_id, csv=f"login,document,name\nbia,{cpf(5)},Bia Reis")
    found = bring_in(runtime, adoption_id)
    assert (found["ana"].status, found["bia"].status) == ("failed", "imported")
    assert "no subnet holds 100.64.0.20" in found["ana"].detail
    with runtime.database.transaction() as tx:
        assert tx.session.scalar(select(func.count()).where(Subscription.login == "ana")) == 0
        make_subnet(tx, "100.64.0.0/24")
    again = bring_in(runtime, adoption_id)
    assert again["ana"].status == "imported"
    assert again["bia"].subscription_id == found["bia"].subscription_id
    with runtime.database.reading() as tx:
        assert progress_of(tx, adoption_id)["imported"] == 2
        assert tx.session.scalar(select(func.count()).select_from(Subscription)) == 3


def test_importing_twice_makes_nothing_twice(runtime: Runtime, adoption_id: int) -> None:
    choose(runtime, adoption_id, "bia", "create", document=cpf(5), name="Bia Reis")
    first = bring_in(runtime, adoption_id)
    assert bring_in(runtime, adoption_id)["bia"].subscription_id == first["bia"].subscription_id
    with pytest.raises(NotAllowed, match="imported"):
        choose(runtime, adoption_id, "bia", "skip")
    with runtime.database.reading() as tx:
        assert tx.session.scalar(select(func.count()).where(Subscription.login == "bia")) == 1


def _work_and_die(runtime: Runtime, adoption_id: int) -> None:
    with runtime.database.transaction() as tx:
        work_on(tx, adoption_id, chunk=1)
        raise KeyboardInterrupt


def test_an_import_goes_on_where_it_was_stopped(runtime: Runtime, adoption_id: int) -> None:
    """A crash in the middle of a chunk leaves no trace of it; what was committed is not done again."""
    for name, number in (("bia", 5), ("ana", 6)):
        choose(runtime, adoption_id, name, "create", document=cpf(number), name=f"{name} Reis")
    with runtime.database.transaction() as tx:
        make_subnet(tx, "100.64.0.0/24")
        start_import(tx, adoption_id=adoption_id)
        work_on(tx, adoption_id, chunk=1)
    with pytest.raises(KeyboardInterrupt):
        _work_and_die(runtime, adoption_id)
    with runtime.database.reading() as tx:
        assert progress_of(tx, adoption_id)["imported"] == 1
    carried_out(runtime, IMPORT)
    with runtime.database.reading() as tx:
        assert (progress_of(tx, adoption_id)["imported"], get_adoption(tx, adoption_id).status) == (2, "open")
        assert tx.session.scalar(select(func.count()).select_from(Subscriber)) == 3


def test_two_of_one_document_become_one_subscriber(runtime: Runtime, adoption_id: int) -> None:
    sheet = f"login;documento;nome\nbia;{cpf(5)};Bia Reis\nana;{cpf(5)};Bia Reis\n"
    with runtime.database.transaction() as tx:
        make_subnet(tx, "100.64.0.0/24")
        assert decide_by_list(tx, adoption_id=adoption_id, csv=sheet).decided == 2
    found = bring_in(runtime, adoption_id)
    with runtime.database.reading() as tx:
        owners = {
            tx.session.get_one(Subscription, found[name].subscription_id).subscriber_id for name in ("ana", "bia")
        }
    assert len(owners) == 1


def test_a_list_is_tried_before_it_counts_and_names_its_bad_rows(runtime: Runtime, adoption_id: int) -> None:
    lines = [f"ana,{cpf(77)},,Fibra 500", f"bia,{cpf(5)},Bia Reis,Ouro", f"maria,{cpf(6)},M,", f"zoe,{cpf(8)},Zoe,",
             "ana,1,,"]  # fmt: skip
    sheet = "login,document,name,plan\n" + "\n".join(lines)
    with runtime.database.transaction() as tx:
        dry = decide_by_list(tx, adoption_id=adoption_id, csv=sheet, dry_run=True)
        assert {row.decision for row in candidates_of(tx, adoption_id)} == {""}
        done = decide_by_list(tx, adoption_id=adoption_id, csv=sheet)
        decided = {row.name: row.decision for row in candidates_of(tx, adoption_id)}
    assert dry == done
    assert decided == {"ana": "create", "bia": "", "maria": ""}
    assert [(one.line, one.error.partition(":")[0]) for one in done.errors] == [
        (3, "plan"), (4, "login"), (5, "login"), (6, "document"),
    ]  # fmt: skip
    with pytest.raises(InvalidInput), runtime.database.transaction() as tx:
        decide_by_list(tx, adoption_id=adoption_id)


REFUSED: dict[str, tuple[str, str, dict[str, Any], type[Exception]]] = {
    "no decision": ("maria", "adopt", {}, InvalidInput),
    "what accept does not take": ("maria", "accept", {"plan_id": 1}, InvalidInput),
    "nothing to take": ("maria", "accept", {"take": ["name"]}, InvalidInput),
    "RADIUS has no rows": ("maria", "accept", {"access": "radius"}, InvalidInput),
    "no match to accept": ("bia", "accept", {}, NotAllowed),
    "a link to nothing": ("bia", "link", {}, InvalidInput),
    "a link to nobody": ("bia", "link", {"subscription_id": 4711}, NotFound),
    "a new one of nobody": ("bia", "create", {}, InvalidInput),
    "a new subscriber without a name": ("bia", "create", {"document": cpf(5)}, InvalidInput),
    "a wrong document": ("bia", "create", {"document": "123", "name": "Bia"}, InvalidInput),
    "a subscriber that is not there": ("bia", "create", {"subscriber_id": 4711}, NotFound),
    "a plan that is not there": ("bia", "create", {"document": cpf(5), "name": "Bia", "plan_id": 4711}, NotFound),
}


def test_decisions_that_cannot_be_carried_out_are_refused(runtime: Runtime, adoption_id: int) -> None:
    for case, (name, decision, wanted, error) in REFUSED.items():
        try:
            choose(runtime, adoption_id, name, decision, **wanted)
        except error:
            continue
        pytest.fail(case)
    with runtime.database.reading() as tx:
        assert {row.decision for row in candidates_of(tx, adoption_id)} == {""}


def test_an_import_wants_maintenance_or_a_word(runtime: Runtime, emulated: EmulatedRouter, before: bytes) -> None:
    with runtime.database.transaction() as tx:
        router = routed(tx, emulated, maintenance=False)
    adoption = reported(runtime, router.id)
    with pytest.raises(NotAllowed, match="not in maintenance"), runtime.database.transaction() as tx:
        start_import(tx, adoption_id=adoption.id)
    with runtime.database.transaction() as tx:
        assert start_import(tx, adoption_id=adoption.id, at_once=True).status == "importing"
    with pytest.raises(NotAllowed, match="importing"), runtime.database.transaction() as tx:
        start_import(tx, adoption_id=adoption.id, at_once=True)


def test_who_is_suspended_on_the_router_alone_is_told_and_not_accepted_in_bulk(
    runtime: Runtime, emulated: EmulatedRouter
) -> None:
    stock_ppp(emulated, {"maria": {"password": "s3nha", "disabled": "yes"}, "rui": {"password": "r"}})
    with runtime.database.transaction() as tx:
        plan = make_plan(tx)
        make_subscription(tx, login="maria", password=Secret("s3nha"), plan_id=plan.id)
        rui = make_subscription(tx, login="rui", password=Secret("r"), plan_id=plan.id)
        restrict(tx, rui.id)
        router = routed(tx, emulated)
    adoption = reported(runtime, router.id)
    with runtime.database.transaction() as tx:
        found = by_name(tx, adoption.id)
        told = {name: [remark["code"] for remark in row.remarks] for name, row in found.items()}
        assert accept_matched(tx, adoption_id=adoption.id) == 0
    assert told == {"maria": ["disabled", "suspended_here"], "rui": ["restricted_by_facts"]}


def test_leases_are_known_by_mac_and_queues_by_address(runtime: Runtime, emulated: EmulatedRouter) -> None:
    stock_leases(emulated, {"02:00:5E:10:00:01": "100.64.0.9", "02:00:5E:10:00:02": "100.64.0.10"})
    with runtime.database.transaction() as tx:
        subnet, plan = make_subnet(tx, "100.64.0.0/24"), make_plan(tx)
        one = make_subscription(tx, login="", password=None, mac="02-00-5E-10-00-01", plan_id=plan.id)
        assign_address(tx, subscription_id=one.id, subnet_id=subnet.id, address=IPv4Address("100.64.0.9"))
        whose = make_subscriber(tx).id
        router = routed(tx, emulated)
    adoption = reported(runtime, router.id)
    with runtime.database.transaction() as tx:
        assert accept_matched(tx, adoption_id=adoption.id) == 1
    choose(runtime, adoption.id, "02:00:5e:10:00:02", "create", subscriber_id=whose)
    found = bring_in(runtime, adoption.id)
    assert {name: row.status for name, row in found.items()} == {
        "02:00:5e:10:00:01": "imported", "02:00:5e:10:00:02": "imported",
    }  # fmt: skip
    with runtime.database.reading() as tx:
        made = tx.session.get_one(Subscription, found["02:00:5e:10:00:02"].subscription_id)
        assert (made.mac, made.login, fixed_address_of(tx, made.id)) == (
            "02:00:5e:10:00:02", None, IPv4Address("100.64.0.10"),
        )  # fmt: skip
        services = {
            row.subscription_id: (row.access, row.dhcp_server) for row in tx.session.scalars(select(RouterService))
        }
        assert services == {one.id: ("dhcp", "dhcp1"), made.id: ("dhcp", "dhcp1")}
        assert (
            tx.session.scalar(
                select(func.count()).select_from(AdoptionRow).where(AdoptionRow.candidate_id.is_not(None))
            )
            == 4
        )


def test_a_link_takes_from_the_router_what_it_is_told_to(runtime: Runtime, adoption_id: int) -> None:
    with runtime.database.transaction() as tx:
        subnet = make_subnet(tx, "100.64.0.0/24")
        plain, taking = (make_subscription(tx) for _ in range(2))
        assign_address(tx, subscription_id=taking.id, subnet_id=subnet.id, address=IPv4Address("100.64.0.30"))
    choose(runtime, adoption_id, "bia", "link", subscription_id=plain.id)
    choose(runtime, adoption_id, "ana", "link", subscription_id=taking.id, take=["password", "address"])
    found = bring_in(runtime, adoption_id)
    assert [found[name].subscription_id for name in ("bia", "ana")] == [plain.id, taking.id]
    with runtime.database.reading() as tx:
        assert tx.session.get_one(Subscription, plain.id).password == plain.password
        assert tx.session.get_one(Subscription, taking.id).password == Secret("s-ana")
        assert fixed_address_of(tx, taking.id) == IPv4Address("100.64.0.20")


def test_one_that_breaks_does_not_hold_up_the_others(
    runtime: Runtime, adoption_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody takes the login between the decision and the import."""
    monkeypatch.setattr(adoption_import, "CHUNK", 2)
    for name, number in (("bia", 5), ("ana", 6)):
        choose(runtime, adoption_id, name, "create", document=cpf(number), name=f"{name} Reis")
    with runtime.database.transaction() as tx:
        make_subnet(tx, "100.64.0.0/24")
        make_subscription(tx, login="ana")
        start_import(tx, adoption_id=adoption_id)
    while carried_out(runtime, IMPORT):
        pass
    with runtime.database.reading() as tx:
        found = by_name(tx, adoption_id)
        assert get_adoption(tx, adoption_id).status == "open"
    assert (found["ana"].status, found["bia"].status) == ("failed", "imported")
    assert "belongs to subscription" in found["ana"].detail


def test_a_candidate_is_looked_for_in_its_own_adoption(runtime: Runtime, adoption_id: int) -> None:
    with runtime.database.reading() as tx:
        candidate = candidates_of(tx, adoption_id)[0]
        assert get_candidate(tx, adoption_id, candidate.id) is candidate
        for place in ((adoption_id + 1, candidate.id), (adoption_id, candidate.id + 4711)):
            with pytest.raises(NotFound):
                get_candidate(tx, *place)


def test_a_job_of_an_adoption_that_is_over_does_nothing(runtime: Runtime, adoption_id: int) -> None:
    with runtime.database.transaction() as tx:
        start_import(tx, adoption_id=adoption_id)
    carried_out(runtime, IMPORT)
    job = Job(kind=IMPORT, key=str(adoption_id))
    assert "is open" in str(continue_import(runtime, job))
