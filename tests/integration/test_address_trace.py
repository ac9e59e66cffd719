"""From a public address, a port and an instant to a name; and the entry that it leaves."""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from sqlalchemy import select

from core.audit import AuditEntry
from core.database import Database, Transaction
from core.errors import InvalidInput
from ipam.cgnat_rules import add_rule
from ipam.models import RoutedPrefix
from provisioning.address_trace import Trace, Verdict, trace
from radius.history import remember_use
from tests.factories import ANA, make_subscriber, make_subscription
from tests.factories_history import make_use
from tests.factories_ipam import assign, make_subnet
from tests.factories_sessions import make_session
from tests.ticking import START, FakeClock

PUBLIC, INSIDE = ip_address("203.0.113.7"), ip_address("100.64.0.9")
RULE = {"name": "pop-1", "inside_first": "100.64.0.0", "inside_last": "100.64.0.15", "block_size": 4032}
PORT = 1024 + 9 * 4032
"""The first port of INSIDE."""


def ask(database: Database, address: Any = INSIDE, at: datetime = START, **values: Any) -> Trace:
    with database.transaction(ANA) as tx:
        return trace(tx, address=address, at=at, **{"reason": "Ofício 1/2026", **values})


def subscribe(tx: Transaction, name: str = "Maria da Silva") -> int:
    return make_subscription(tx, subscriber_id=make_subscriber(tx, name).id).id


def share(tx: Transaction, **values: Any) -> int:
    return add_rule(tx, outside_first=str(PUBLIC), outside_last=str(PUBLIC), **{**RULE, **values}).id


def test_a_port_of_a_shared_address_leads_to_a_name(database: Database, clock: FakeClock) -> None:
    with database.transaction() as tx:
        maria, joao = subscribe(tx), subscribe(tx, "João Souza")
        rule = share(tx)
        make_session(tx, subscription_id=maria, framed_ip_address=INSIDE, calling_station_id="02:00:5E:10:00:01")
        make_session(tx, subscription_id=joao, framed_ip_address=ip_address("100.64.0.10"))
    clock.advance(hours=1)
    for port in (PORT, PORT + 4031):
        found = ask(database, PUBLIC, port=port)
        assert found.shared is not None
        assert (found.shared.rule_id, found.shared.inside, found.looked_up) == (rule, INSIDE, INSIDE)
        [holder] = found.holders
        assert holder.person is not None
        assert (holder.person.name, holder.person.subscription_id) == ("Maria da Silva", maria)
        assert (holder.use.calling_station_id, found.verdict) == ("02:00:5E:10:00:01", Verdict.ONLY_ACCOUNTING)
    [other] = ask(database, PUBLIC, port=PORT + 4032).holders
    assert other.person is not None
    assert other.person.name == "João Souza"


def test_the_rule_of_that_time_counts(database: Database, clock: FakeClock) -> None:
    with database.transaction() as tx:
        share(tx, until=START + timedelta(days=1))
        share(tx, block_size=2016, since=START + timedelta(days=1))
        make_session(tx, framed_ip_address=INSIDE, user_name="ana")
        make_session(tx, framed_ip_address=ip_address("100.64.0.4"), user_name="bia")
    clock.advance(days=3)
    later = 1024 + 4 * 2016
    assert [holder.use.user_name for holder in ask(database, PUBLIC, START, port=PORT).holders] == ["ana"]
    assert [
        holder.use.user_name for holder in ask(database, PUBLIC, START + timedelta(days=2), port=later).holders
    ] == ["bia"]


def test_without_its_port_a_shared_address_names_nobody(database: Database) -> None:
    with database.transaction() as tx:
        share(tx)
    with pytest.raises(InvalidInput, match="by up to 16 subscribers: the source port is needed") as caught:
        ask(database, PUBLIC)
    assert caught.value.field == "port"


def test_a_port_that_nobody_has_is_nobody_s(database: Database) -> None:
    with database.transaction() as tx:
        share(tx, inside_last="100.64.0.10")
    found = ask(database, PUBLIC, port=65_000)
    assert found.shared is not None
    assert (found.shared.inside, found.looked_up, found.verdict) == (None, None, Verdict.NOBODY)


def test_a_port_beside_the_rule_is_the_address_s_own(database: Database) -> None:
    with database.transaction() as tx:
        share(tx)
        make_session(tx, framed_ip_address=PUBLIC)
    found = ask(database, PUBLIC, port=443)
    assert (found.shared, len(found.holders)) == (None, 1)


@pytest.mark.parametrize("archived", [False, True], ids=["a session", "history"])
def test_an_address_of_its_own_needs_no_port(database: Database, archived: bool) -> None:
    with database.transaction() as tx:
        maria = subscribe(tx)
        if archived:
            remember_use(tx, [make_use(str(PUBLIC), subscription_id=maria)])
        else:
            make_session(tx, subscription_id=maria, framed_ip_address=PUBLIC)
    for port in (None, 50_000):
        [holder] = ask(database, PUBLIC, port=port).holders
        assert holder.person is not None
        assert holder.person.subscription_id == maria


VERDICTS: dict[str, tuple[list[str], str | None, Verdict]] = {
    "nobody": ([], None, Verdict.NOBODY),
    "a session": (["maria"], None, Verdict.ONLY_ACCOUNTING),
    "a fixed address without a session": ([], "maria", Verdict.ONLY_FIXED),
    "both": (["maria"], "maria", Verdict.AGREE),
    "somebody else's session": (["joao"], "maria", Verdict.DIFFER),
    "a session of nobody's that we know": (["nobody"], "maria", Verdict.DIFFER),
    "one private address on two NAS": (["maria", "joao"], None, Verdict.SEVERAL),
    "two, one of them with the fixed address": (["maria", "joao"], "maria", Verdict.SEVERAL),
    "one subscription on two NAS": (["maria", "maria"], "maria", Verdict.AGREE),
}


@pytest.mark.parametrize(("users", "fixed", "verdict"), VERDICTS.values(), ids=VERDICTS.keys())
def test_accounting_and_fixed_addresses_are_told_beside_each_other(
    database: Database, users: list[str], fixed: str | None, verdict: Verdict
) -> None:
    with database.transaction() as tx:
        numbers: dict[str, int | None] = {"maria": subscribe(tx), "joao": subscribe(tx, "João"), "nobody": None}
        for nas, user in enumerate(users, 1):
            make_session(tx, subscription_id=numbers[user], nas_id=nas, framed_ip_address=INSIDE)
        if fixed is not None:
            assign(tx, make_subnet(tx, "100.64.0.0/24"), numbers[fixed] or 0, str(INSIDE))
    found = ask(database)
    assert found.verdict == verdict
    assert len(found.holders) == len(users)
    assert [claim.kind for claim in found.claims] == (["fixed address"] if fixed else [])
    assert all(claim.person and claim.person.name == "Maria da Silva" for claim in found.claims)


ROUTED: dict[str, tuple[str, bool]] = {
    "2001:db8:0:42::5": ("2001:db8::/56", True),
    "2001:db8:0:100::5": ("2001:db8::/56", False),
    "198.51.100.9": ("198.51.100.8/29", True),
    "198.51.100.16": ("198.51.100.8/29", False),
}


@pytest.mark.parametrize(("address", "prefix", "inside"), [(key, *value) for key, value in ROUTED.items()])
def test_a_routed_prefix_is_a_claim_to_what_lies_in_it(
    database: Database, address: str, prefix: str, inside: bool
) -> None:
    network = ip_network(prefix)
    with database.transaction() as tx:
        maria = subscribe(tx)
        row = {"family": network.version, "first": network[0], "last": network[-1], "prefix_length": network.prefixlen}
        tx.session.add(RoutedPrefix(subscription_id=maria, purpose="route", created_at=tx.now, **row))
    found = ask(database, ip_address(address))
    assert [claim.network for claim in found.claims] == ([prefix] if inside else [])
    assert found.verdict == (Verdict.ONLY_FIXED if inside else Verdict.NOBODY)


def test_a_prefix_that_was_routed_later_is_no_claim_to_what_was_before(database: Database, clock: FakeClock) -> None:
    network = ip_network("198.51.100.8/29")
    clock.advance(hours=1)
    with database.transaction() as tx:
        row = {"family": 4, "first": network[0], "last": network[-1], "prefix_length": 29, "created_at": tx.now}
        tx.session.add(RoutedPrefix(subscription_id=subscribe(tx), purpose="route", **row))
    assert ask(database, network[1]).claims == ()
    assert len(ask(database, network[1], clock.now).claims) == 1


def test_every_look_up_leaves_who_what_and_why(database: Database) -> None:
    with database.transaction() as tx:
        maria = subscribe(tx)
        share(tx)
        make_session(tx, subscription_id=maria, framed_ip_address=INSIDE)
    ask(database, PUBLIC, port=PORT, reason="  Processo   0001234-56.2026  ")
    ask(database, ip_address("2001:db8::7"))
    with database.reading() as tx:
        entries = tx.session.scalars(select(AuditEntry).where(AuditEntry.action == "trace").order_by(AuditEntry.id))
        first, second = entries
        assert (first.actor, first.entity, first.entity_id) == ("ana", "address", f"203.0.113.7 port {PORT}")
        assert first.note == "Processo 0001234-56.2026"
        assert first.after == {
            "at": START.isoformat(),
            "verdict": "only accounting",
            "subscriptions_shown": [maria],
        }
        assert (second.entity_id, second.after and second.after["verdict"]) == ("2001:db8::7", "nobody")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no reason": ({"reason": " "}, "reason"),
    "a reason that says nothing": ({"reason": "x"}, "reason"),
    "a reason without end": ({"reason": "x" * 501}, "reason"),
    "the future": ({"at": START + timedelta(seconds=1)}, "at"),
    "port 0": ({"port": 0}, "port"),
    "port 65536": ({"port": 65_536}, "port"),
}


@pytest.mark.parametrize(("values", "field"), REFUSED.values(), ids=REFUSED.keys())
def test_a_question_that_cannot_be_answered_is_refused(database: Database, values: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        ask(database, **values)
    assert caught.value.field == field
    with database.reading() as tx:
        assert tx.session.scalars(select(AuditEntry)).all() == []
