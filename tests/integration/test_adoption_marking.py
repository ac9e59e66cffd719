"""Marks on adopted rows: comments and nothing else, and a plan that then adds nothing of what is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

import pytest
from sqlalchemy import select

from core.errors import NotAllowed
from core.job_queue import Job
from core.runtime import Runtime
from core.secrets import Secret
from lab.routeros.emulator import EmulatedRouter
from provisioning.addresses import assign_address
from provisioning.models import TimelineEntry
from provisioning.routeros.adoption import marking as adoption_marking
from provisioning.routeros.adoption.deciding import accept_matched, decide
from provisioning.routeros.adoption.importing import IMPORT, start_import
from provisioning.routeros.adoption.marking import MARK, continue_marking, start_marking
from provisioning.routeros.adoption.models import AdoptionCandidate
from provisioning.routeros.adoption.prospect import Announced, announced, prospect_of
from provisioning.routeros.adoption.reading import talking_to
from provisioning.routeros.adoption.report import get_adoption, progress_of, rows_of
from provisioning.routeros.cycle.observing import observe
from provisioning.routeros.desired.state import desired
from provisioning.routeros.plan.smallest import plan
from provisioning.routeros.routers import end_maintenance, get_router
from provisioning.routeros.rows import Add, Change, Plan
from provisioning.routeros.services.loading import load_served, rules_of
from tests.factories import make_plan, make_subscription
from tests.factories_adoption import carried_out, reported, routed, stock_leases, stock_ppp
from tests.factories_ipam import make_subnet
from tests.ticking import FakeClock

MACS = {f"02:00:5E:10:00:0{number}": f"100.64.0.{number}" for number in range(2, 5)}
PEOPLE = {
    "maria": {"password": "s3nha", "comment": "Maria, casa azul", "remote_address": "100.64.0.20"},
    "ana": {"password": "s-ana", "comment": "não bloquear"},
    "rui": {"password": "s-rui"},
}


@dataclass(frozen=True)
class Place:
    """A router that is adopted: who is on it, and the report."""

    runtime: Runtime
    emulated: EmulatedRouter
    router_id: int
    adoption_id: int
    before: dict[str, list[dict[str, str]]]

    def mark(self) -> list[str]:
        with self.runtime.database.transaction() as tx:
            start_marking(tx, adoption_id=self.adoption_id)
        return carried_out(self.runtime, MARK)

    def progress(self) -> dict[str, int]:
        with self.runtime.database.reading() as tx:
            return progress_of(tx, self.adoption_id)

    def announced(self) -> Announced:
        with self.runtime.database.reading() as tx:
            return announced(tx, self.adoption_id, prospect_of(tx, self.adoption_id))

    def planned(self) -> Plan:
        """What the product would do to the router as it is now."""
        with self.runtime.database.reading() as tx:
            router = get_router(tx, self.router_id)
            rules, served = rules_of(router, tx.settings), load_served(tx, router)
        with talking_to(self.runtime.database, self.router_id) as connection:
            wanted = desired(served, rules)
            return plan(wanted, observe(connection, wanted, rules), removal_cap=10)


MENUS = ("/ppp/secret", "/ppp/profile", "/ip/dhcp-server/lease", "/queue/simple", "/ip/firewall/address-list")


@pytest.fixture
def emulated() -> Iterator[EmulatedRouter]:
    with EmulatedRouter() as router:
        yield router


def adopted(runtime: Runtime, emulated: EmulatedRouter, **values: object) -> Place:
    """All exact matches of the router are accepted and imported, and whoever differs."""
    with runtime.database.transaction() as tx:
        router = routed(tx, emulated, **values)  # type: ignore[arg-type]
    before = {menu: emulated.rows(menu) for menu in MENUS}
    adoption = reported(runtime, router.id, ("bloqueados",))
    with runtime.database.transaction() as tx:
        accept_matched(tx, adoption_id=adoption.id)
        for row in tx.session.scalars(select(AdoptionCandidate).where(AdoptionCandidate.verdict == "differs")):
            decide(tx, adoption_id=adoption.id, candidate_id=row.id, decision="accept")
        start_import(tx, adoption_id=adoption.id)
    carried_out(runtime, IMPORT)
    return Place(runtime, emulated, router.id, adoption.id, before)


@pytest.fixture
def ppp(runtime: Runtime, emulated: EmulatedRouter) -> Place:
    """A PPPoE concentrator: three secrets that match, and one of somebody else."""
    stock_ppp(emulated, {**PEOPLE, "foreign": {"password": "x", "comment": "torre"}})
    with runtime.database.transaction() as tx:
        product, subnet = make_plan(tx), make_subnet(tx, "100.64.0.0/24")
        for login, words in PEOPLE.items():
            one = make_subscription(tx, login=login, password=Secret(words["password"]), plan_id=product.id)
            if "remote_address" in words:
                address = IPv4Address(words["remote_address"])
                assign_address(tx, subscription_id=one.id, subnet_id=subnet.id, address=address)
    return adopted(runtime, emulated)


@pytest.fixture
def dhcp(runtime: Runtime, emulated: EmulatedRouter) -> Place:
    """A DHCP server with a queue for each host; one of them is in a list of the suspended."""
    stock_leases(emulated, MACS)
    emulated.stock("/ip/firewall/address-list", [{"list": "bloqueados", "address": "100.64.0.4"}])
    emulated.stock("/queue/simple", [{"name": "torre", "target": "10.9.0.0/24", "max_limit": "1G/1G"}])
    with runtime.database.transaction() as tx:
        product, subnet = make_plan(tx), make_subnet(tx, "100.64.0.0/24")
        for mac, address in MACS.items():
            one = make_subscription(tx, login="", password=None, mac=mac, plan_id=product.id)
            assign_address(tx, subscription_id=one.id, subnet_id=subnet.id, address=IPv4Address(address))
    return adopted(runtime, emulated, speed_by="queue-simple", dhcp_server="dhcp1")


def but_comments(rows: dict[str, list[dict[str, str]]]) -> dict[str, list[dict[str, str]]]:
    return {menu: [{**row, "comment": ""} for row in found] for menu, found in rows.items()}


def now_on(place: Place) -> dict[str, list[dict[str, str]]]:
    return {menu: place.emulated.rows(menu) for menu in MENUS}


def test_marking_writes_comments_only_and_keeps_what_stood_there(ppp: Place) -> None:
    ids = {row["name"]: row[".id"] for row in ppp.emulated.rows("/ppp/secret")}
    assert ppp.mark() == ["Applied"]
    comments = {row["name"]: row.get("comment", "") for row in ppp.emulated.rows("/ppp/secret")}
    with ppp.runtime.database.reading() as tx:
        whose = dict(tx.session.execute(select(AdoptionCandidate.login, AdoptionCandidate.subscription_id)).all())
    assert comments == {
        "maria": f"catraca:s{whose['maria']}:secret Maria, casa azul",
        "ana": f"catraca:s{whose['ana']}:secret não bloquear",
        "rui": f"catraca:s{whose['rui']}:secret",
        "foreign": "torre",
    }
    assert but_comments(now_on(ppp)) == but_comments(ppp.before)
    assert {row["name"]: row[".id"] for row in ppp.emulated.rows("/ppp/secret")} == ids
    assert ppp.emulated.sentences["/ppp/secret/set"] == 3
    written = {path for path in ppp.emulated.sentences if not path.endswith("print")}
    assert written <= {"/login", "/ppp/secret/set"}
    assert ppp.progress()["marked"] == 3


def test_what_stays_outside_is_byte_identical(dhcp: Place) -> None:
    """Whatever bears no mark afterwards is as it was before, to the octet."""
    lines = set(dhcp.emulated.foreign_bytes().splitlines())
    dhcp.mark()
    left = dhcp.emulated.foreign_bytes().splitlines()
    assert set(left) < lines
    assert len(lines) - len(left) == 6
    assert any(b"torre" in line for line in left)
    assert any(b"bloqueados" in line for line in left)


@pytest.mark.parametrize("kind", ["ppp", "dhcp"])
def test_a_plan_then_adds_nothing_of_what_is_there_and_changes_what_was_announced(
    kind: str, runtime: Runtime, request: pytest.FixtureRequest
) -> None:
    place: Place = request.getfixturevalue(kind)
    assert place.runtime is runtime
    foretold = place.announced()
    place.mark()
    made = place.planned()
    added = [step.row for step in made.steps if isinstance(step, Add)]
    assert {row.menu.value for row in added} <= {"/ppp/profile"}
    assert {row.menu.value: 1 for row in added} == foretold.adds
    changes = {step.row.key: set(step.fields) for step in made.steps if isinstance(step, Change)}
    with place.runtime.database.reading() as tx:
        keys = {row.id: row.key for row in rows_of(tx, place.adoption_id)}
    assert changes == {keys[row_id]: set(fields) for row_id, fields in foretold.changes.items()}
    assert {type(step) for step in made.steps} <= {Add, Change}
    assert [problem for problem in made.problems if "adopt" in problem.words] == []
    assert changes, "the profile of secrets, the name of queues"


def test_without_marks_the_plan_says_to_adopt(ppp: Place) -> None:
    problems = [problem.words for problem in ppp.planned().problems]
    assert len([words for words in problems if "adopt" in words]) == 3


def test_what_changed_or_went_since_the_report_is_left_alone_and_listed(ppp: Place) -> None:
    ids = {row["name"]: row[".id"] for row in ppp.emulated.rows("/ppp/secret")}
    ppp.emulated.by_hand("/ppp/secret/set", id=ids["maria"], profile="default")
    ppp.emulated.by_hand("/ppp/secret/remove", id=ids["ana"])
    before = ppp.emulated.rows("/ppp/secret")[0]
    ppp.mark()
    with ppp.runtime.database.reading() as tx:
        marks = {row.name: (row.mark, row.detail) for row in rows_of(tx, ppp.adoption_id) if row.menu == "/ppp/secret"}
    assert marks == {"maria": ("changed", "profile"), "ana": ("gone", ""), "rui": ("marked", ""), "foreign": ("", "")}
    assert ppp.emulated.rows("/ppp/secret")[0] == before
    ppp.emulated.by_hand("/ppp/secret/set", id=ids["maria"], profile="fibra")
    ppp.mark()
    assert {name: ppp.progress()[name] for name in ("marked", "changed", "gone")} == {
        "marked": 2,
        "changed": 0,
        "gone": 1,
    }


def test_a_password_that_changed_since_is_a_change(ppp: Place) -> None:
    ids = {row["name"]: row[".id"] for row in ppp.emulated.rows("/ppp/secret")}
    ppp.emulated.by_hand("/ppp/secret/set", id=ids["rui"], password="another")
    ppp.mark()
    with ppp.runtime.database.reading() as tx:
        told = [(row.mark, row.detail) for row in rows_of(tx, ppp.adoption_id) if row.name == "rui"]
    assert told == [("changed", "password")]


def test_marking_again_writes_nothing(dhcp: Place) -> None:
    dhcp.mark()
    writes = sum(count for path, count in dhcp.emulated.sentences.items() if path.endswith("set"))
    assert dhcp.mark() == ["Applied"]
    assert sum(count for path, count in dhcp.emulated.sentences.items() if path.endswith("set")) == writes == 6
    assert dhcp.progress()["marked"] == 6


def test_a_mark_that_was_written_but_not_recorded_counts(ppp: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the write and the record."""

    def dies(*_args: object) -> None:
        raise KeyboardInterrupt

    with ppp.runtime.database.transaction() as tx:
        start_marking(tx, adoption_id=ppp.adoption_id)
    with monkeypatch.context() as patch:
        patch.setattr(adoption_marking, "_record", dies)
        with pytest.raises(KeyboardInterrupt):
            continue_marking(ppp.runtime, Job(kind=MARK, key=str(ppp.adoption_id)))
    assert ppp.progress()["marked"] == 0
    assert carried_out(ppp.runtime, MARK) == ["Applied"]
    assert ppp.progress()["marked"] == 3
    assert ppp.emulated.sentences["/ppp/secret/set"] == 3


def test_it_goes_on_in_turns(dhcp: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adoption_marking, "BATCH", 4)
    clock = iter([0.0, 0.0, 100.0, 200.0, 200.0, 200.0, 300.0])
    monkeypatch.setattr(adoption_marking, "monotonic", lambda: next(clock))
    dhcp.mark()
    assert dhcp.progress()["marked"] == 4
    assert carried_out(dhcp.runtime, MARK) == ["Applied"]
    assert dhcp.progress()["marked"] == 6


def test_a_router_that_is_away_is_tried_later(ppp: Place, clock: FakeClock) -> None:
    ppp.emulated.faults.refuse()
    assert ppp.mark() == ["Retry"]
    with ppp.runtime.database.reading() as tx:
        adoption = get_adoption(tx, ppp.adoption_id)
    assert (adoption.status, bool(adoption.trouble)) == ("marking", True)
    ppp.emulated.faults.heal()
    clock.advance(seconds=30)
    assert carried_out(ppp.runtime, MARK) == ["Applied"]
    with ppp.runtime.database.reading() as tx:
        assert (get_adoption(tx, ppp.adoption_id).status, get_adoption(tx, ppp.adoption_id).trouble) == ("open", "")


def test_a_router_that_refuses_the_comment_is_listed(ppp: Place) -> None:
    ppp.emulated.faults.trap("/ppp/secret/set", "failure: not enough permissions (9)", times=1)
    ppp.mark()
    with ppp.runtime.database.reading() as tx:
        refused = [(row.name, row.detail) for row in rows_of(tx, ppp.adoption_id, only="refused")]
    assert [(name, "not enough permissions" in words) for name, words in refused] == [("maria", True)]
    assert ppp.progress()["marked"] == 2


def test_it_wants_maintenance_or_a_word_and_is_told_in_timelines(ppp: Place) -> None:
    with ppp.runtime.database.transaction() as tx:
        end_maintenance(tx, ppp.router_id)
    with pytest.raises(NotAllowed, match="maintenance"), ppp.runtime.database.transaction() as tx:
        start_marking(tx, adoption_id=ppp.adoption_id)
    with ppp.runtime.database.transaction() as tx:
        start_marking(tx, adoption_id=ppp.adoption_id, at_once=True)
    carried_out(ppp.runtime, MARK)
    with ppp.runtime.database.reading() as tx:
        told = tx.session.scalars(select(TimelineEntry).where(TimelineEntry.event == "router.adopted")).all()
    assert [entry.details["rows"] for entry in told] == [1, 1, 1]


def test_who_is_suspended_there_alone_stays_so(dhcp: Place) -> None:
    """Its entry in the list is reported, and gets no mark: nothing of ours will take it away."""
    with dhcp.runtime.database.reading() as tx:
        prospect = prospect_of(tx, dhcp.adoption_id)
    assert [(left.row.fields["list"], left.why.code) for left in prospect.unmarked.values()] == [
        ("bloqueados", "unmarked")
    ]
    dhcp.mark()
    [row] = dhcp.emulated.rows("/ip/firewall/address-list")
    assert (row["list"], row.get("comment", "")) == ("bloqueados", "")
