"""Whom the rows of a router belong to: tables of rows, and what is said of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.secrets import Secret
from provisioning.routeros.adoption.facts import Candidate, Known, KnownPlan, KnownSubscriber, Verdict
from provisioning.routeros.adoption.match import match
from provisioning.routeros.rows import Access, Menu, ObservedRow
from tests.factories import cpf
from tests.factories_adoption import FIBRE, MARIA, PLAN, binding, entry, known, lease, profile, queue, secret, seen

JOAO = replace(
    MARIA, id=13, subscriber_id=8, subscriber_name="João Souza", login="joao", mac="02:00:5e:10:00:02",
    address="100.64.0.10",
)  # fmt: skip
SUSPENDED = replace(MARIA, state="SUSPENDED", restricted=True)
IP = "100.64.0.9"


def only(rows: list[ObservedRow], facts: Known) -> Candidate:
    [found] = match(rows, facts).candidates
    return found


def codes(found: Candidate) -> list[str]:
    return [remark.code for remark in found.remarks]


@pytest.mark.parametrize(
    ("rows", "facts", "verdict", "differs", "remarks"),
    [
        pytest.param([profile(), secret(remote_address=IP)], MARIA, "matched", [], [], id="secret"),
        pytest.param([secret(remote_address=IP), queue("maria", f"{IP}/32")], MARIA, "matched", [], [], id="and queue"),
        pytest.param(
            [secret(remote_address=IP), queue("x", "<pppoe-maria>")], MARIA, "matched", [], [], id="interface"
        ),
        pytest.param([lease(), queue("x", IP)], MARIA, "matched", [], [], id="lease and queue"),
        pytest.param([lease(rate_limit="250M/500M")], MARIA, "matched", [], [], id="lease with a rate"),
        pytest.param([queue("x", IP)], MARIA, "matched", [], [], id="queue alone"),
        pytest.param(
            [binding(mac_address="02:00:5e:10:00:01", address=IP)], MARIA, "differs", ["rate"], [], id="binding"
        ),
        pytest.param([lease(), queue("x", IP, "1M/2M")], MARIA, "differs", ["rate"], [], id="another speed"),
        pytest.param(
            [profile(), secret(password="x", remote_address=IP)],
            MARIA,
            "differs",
            ["password"],
            [],
            id="another password",
        ),
        pytest.param([profile(), secret()], MARIA, "differs", ["address"], [], id="no address there"),
        pytest.param(
            [profile(), secret(remote_address=IP, caller_id="02:00:5E:10:00:77")],
            MARIA,
            "differs",
            ["mac"],
            [],
            id="bound there",
        ),
        pytest.param(
            [profile(), secret(remote_address=IP, password="")],
            MARIA,
            "matched",
            [],
            ["password_unseen"],
            id="no right to see passwords",
        ),
        pytest.param(
            [profile(), secret(remote_address=IP, disabled="true")],
            MARIA,
            "differs",
            [],
            ["disabled", "suspended_here"],
            id="disabled",
        ),
        pytest.param(
            [lease(), queue("x", IP), entry("bloqueados", IP)],
            MARIA,
            "differs",
            [],
            ["listed", "suspended_here"],
            id="in a list of the suspended",
        ),
        pytest.param([lease(), queue("x", IP), entry("vip", IP)], MARIA, "matched", [], [], id="in another list"),
        pytest.param(
            [lease(), queue("x", IP), entry("bloqueados", IP, disabled="yes")],
            MARIA,
            "matched",
            [],
            [],
            id="a disabled entry",
        ),
        pytest.param(
            [lease(), queue("x", IP), entry("bloqueados", IP)],
            SUSPENDED,
            "matched",
            [],
            ["listed"],
            id="suspended in both",
        ),
        pytest.param(
            [lease(), queue("x", IP)],
            SUSPENDED,
            "differs",
            [],
            ["restricted_by_facts"],
            id="suspended by the facts alone",
        ),
    ],
)
def test_what_matches(
    rows: list[ObservedRow], facts: object, verdict: str, differs: list[str], remarks: list[str]
) -> None:
    found = only(rows, known(facts))  # type: ignore[arg-type]
    assert (found.verdict.value, list(found.differs), codes(found)) == (verdict, differs, remarks)
    assert (found.subscription_id, found.subscriber_id) == (12, 7)


@pytest.mark.parametrize(
    ("rows", "remark"),
    [
        pytest.param([secret("joana", remote_address=IP)], "address_of_other", id="a new login with her address"),
        pytest.param([secret("joao", remote_address=IP)], "address_of_other", id="his login with her address"),
        pytest.param([lease("02:00:5E:10:00:02", IP)], "address_of_other", id="his MAC address with her address"),
        pytest.param([lease("02:00:5E:10:00:77", IP)], "other_mac", id="an unknown MAC address with her address"),
        pytest.param([secret("Maria")], "login_but_for_case", id="capitals"),
        pytest.param([secret(), secret(service="l2tp")], "login_twice", id="one login twice"),
        pytest.param([lease(), lease("02:00:5E:10:00:78", IP)], "address_twice", id="one address twice"),
        pytest.param([lease(), lease(address="100.64.0.77", server="dhcp2")], "mac_twice", id="one MAC address twice"),
        pytest.param([secret(remote_address=IP), lease(address="100.64.0.78")], "same_subscription", id="two ways"),
    ],
)
def test_what_is_in_conflict(rows: list[ObservedRow], remark: str) -> None:
    report = match(rows, known(MARIA, JOAO))
    assert {found.verdict for found in report.candidates} == {Verdict.CONFLICT}
    assert all(remark in codes(found) for found in report.candidates)


@pytest.mark.parametrize(
    ("rows", "plan", "whose", "remarks"),
    [
        pytest.param(
            [profile(), secret("ana", comment="Maria da SILVA")], 3, (7, "39053344705"), ["by_name"], id="name"
        ),
        pytest.param(
            [profile(), secret("ana", comment="cpf: 390.533.447-05")],
            3,
            (7, "39053344705"),
            ["by_document"],
            id="document",
        ),
        pytest.param(
            [profile(), secret("39053344705")], 3, (7, "39053344705"), ["by_document"], id="document as login"
        ),
        pytest.param(
            [profile(), secret("ana", comment=f"Ana Lima - {cpf(5)}")],
            3,
            (None, cpf(5)),
            ["new_document"],
            id="a document of nobody",
        ),
        pytest.param(
            [profile(), secret("ana", comment=f"{cpf(5)} {cpf(6)}")],
            3,
            (None, ""),
            ["two_documents"],
            id="two documents",
        ),
        pytest.param(
            [profile(), secret("ana", comment="111.111.111-11")], 3, (None, ""), ["no_subscriber"], id="no document"
        ),
        pytest.param([secret("ana")], None, (None, ""), ["no_subscriber", "no_rate"], id="nothing"),
        pytest.param(
            [profile(rate="1M/2M"), secret("ana")],
            None,
            (None, ""),
            ["no_subscriber", "no_plan"],
            id="a speed that is not sold",
        ),
        pytest.param(
            [profile(), secret("ana", password="", remote_address="10.9.9.9")],
            3,
            (None, ""),
            ["no_subscriber", "password_unseen", "no_subnet"],
            id="what is missing",
        ),
        pytest.param(
            [profile(), secret("ana"), queue("ana", "<pppoe-ana>", "1M/2M")],
            None,
            (None, ""),
            ["no_subscriber", "no_plan"],
            id="the queue's speed counts",
        ),
    ],
)
def test_what_is_new(
    rows: list[ObservedRow], plan: int | None, whose: tuple[int | None, str], remarks: list[str]
) -> None:
    found = only(rows, known(MARIA))
    assert (found.verdict, found.plan_id, codes(found)) == (Verdict.NEW, plan, remarks)
    assert (found.subscriber_id, found.guess_document) == whose


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (secret("x", dynamic="true"), "dynamic"),
        (seen(Menu.PPP_SECRET, key="s12:secret", name="maria"), "ours"),
        (secret(""), "nameless"),
        (lease("", "100.64.0.50"), "no_mac"),
        (queue("all", "100.64.0.0/24"), "no_single_host"),
        (queue("two", "100.64.0.1/32,100.64.0.2/32"), "no_single_host"),
        (queue("none", ""), "no_single_host"),
        (queue("everybody", "0.0.0.0/0"), "no_single_host"),
        (entry("bloqueados", "203.0.113.5"), "address_of_nobody"),
        (entry("pix", "pix.bank.example"), "no_single_host"),
        (entry("rede", "100.64.0.0/24"), "no_single_host"),
        (profile("default", ""), "default_profile"),
        (profile(), "profile"),
        (profile("casa", local_address="10.255.0.1"), "profile_local"),
        (binding(address="100.64.0.0/24"), "no_single_host"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_what_is_no_subscribers(row: ObservedRow, why: str) -> None:
    report = match([row], known(MARIA))
    assert report.candidates == ()
    assert [left.why.code for left in report.left] == [why]


def test_a_disabled_one_that_nobody_has_is_ignored_and_can_still_be_decided() -> None:
    found = only([profile(), secret("ana", disabled="yes", comment="Maria da Silva")], known(MARIA))
    assert (found.verdict, found.suspended, found.plan_id, found.subscriber_id) == (Verdict.IGNORED, True, 3, 7)


def test_rows_of_one_subscriber_are_one_candidate() -> None:
    rows = [
        profile(), secret(remote_address=IP), queue("q", f"{IP}/32"), entry("vip", IP), entry("bloqueados", IP),
        lease("02:00:5E:10:00:02", "100.64.0.10"), queue("joao", "100.64.0.10"),
        binding(mac_address="02:00:5e:10:00:99"),
    ]  # fmt: skip
    report = match(rows, known(MARIA, JOAO))
    assert [(len(found.group.rows), found.group.access) for found in report.candidates] == [
        (4, Access.PPP), (1, Access.HOTSPOT), (2, Access.DHCP),
    ]  # fmt: skip
    assert report.counts() == {"matched": 1, "differs": 1, "new": 1, "conflict": 0, "ignored": 0}
    placed = [row.id for found in report.candidates for row in found.group.rows]
    assert sorted([*placed, *(left.row.id for left in report.left)]) == sorted(row.id for row in rows)


def test_a_lease_of_a_bypassed_host_is_part_of_it() -> None:
    found = only([lease(), binding(mac_address="02:00:5e:10:00:01")], known(MARIA))
    assert (found.group.access, found.group.address, len(found.group.rows)) == (Access.HOTSPOT, IP, 2)


def test_of_plans_with_one_speed_the_profile_names_the_one() -> None:
    plans = (PLAN, KnownPlan(4, "Fibra Ouro", FIBRE))
    named = only([profile("fibra ouro"), secret("ana", profile="fibra ouro")], known(plans=plans))
    unnamed = only([profile(), secret("ana")], known(plans=plans))
    assert (named.plan_id, unnamed.plan_id) == (4, None)


def test_a_name_that_two_have_is_no_guess() -> None:
    twins = (KnownSubscriber(7, "Maria da Silva", cpf(1)), KnownSubscriber(8, "MARIA DA SILVA", cpf(2)))
    assert only([secret("ana", comment="Maria da Silva")], known(subscribers=twins)).subscriber_id is None


def test_no_secret_is_in_what_is_told() -> None:
    facts = known(replace(MARIA, password=Secret("the-other-one")))
    found = only([profile(), secret(remote_address=IP, password="the-first-one")], facts)
    told = f"{found!r} {found.remarks} {found.differs}"
    assert found.differs == {"password": ("•••", "•••")}
    assert "the-first-one" not in told
    assert "the-other-one" not in told
