"""A subscription's prefixes and routes: from the command to the answer that RADIUS gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import select

from core.database import Database
from core.errors import Conflict, NotAllowed, NotFound
from core.job_queue import Job
from core.secrets import Secret
from provisioning.addresses import assign_address
from provisioning.cancellation import cancel
from provisioning.models import Subscription, TimelineEntry
from provisioning.plans import change_plan
from provisioning.prefixes import give_prefix, withdraw_prefix
from provisioning.refresh import refresh
from radius import records
from radius.attributes import (
    DELEGATED_IPV6_PREFIX,
    FRAMED_IP_ADDRESS,
    FRAMED_IPV6_POOL,
    FRAMED_IPV6_PREFIX,
    FRAMED_IPV6_ROUTE,
    FRAMED_POOL,
    FRAMED_ROUTE,
    MIKROTIK_DELEGATED_IPV6_POOL,
    VENDOR_MIKROTIK,
)
from radius.codec import Packet
from radius.models import ReplicaEntry
from radius.nas import add_nas
from radius.policy import Grant
from radius.records import AccessRecord
from tests.factories import ANA, make_plan, make_subscription
from tests.factories_auth import SECRET, SOURCE, Rig, opened, pap_request
from tests.factories_ipam import make_subnet
from tests.factories_routed import routed_to
from tests.factories_sessions import make_session


def grant_of(database: Database, subscription_id: int) -> Grant:
    """What the published access record grants now."""
    with database.reading() as tx:
        login = tx.session.get_one(Subscription, subscription_id).login or ""
        entries = {row.key: row.value for row in tx.session.scalars(select(ReplicaEntry)) if row.value is not None}
        record: AccessRecord = records.unpack(records.login_key(login.encode()), entries, tx.keyring.unseal)
        answer = record.spans[0].answer
        assert isinstance(answer, Grant)
        assert answer.fingerprint == tx.session.get_one(Subscription, subscription_id).desired_fingerprint
        return answer


def subscribe(database: Database, **plan: str) -> int:
    with database.transaction(ANA) as tx:
        return make_subscription(tx, plan_id=make_plan(tx, **plan).id).id


def give(database: Database, subscription_id: int, purpose: str, network: str) -> None:
    with database.transaction(ANA) as tx:
        give_prefix(tx, subscription_id=subscription_id, purpose=purpose, network=network)


def test_what_is_given_is_granted_and_told(database: Database) -> None:
    subscription_id = subscribe(database)
    before = grant_of(database, subscription_id)
    give(database, subscription_id, "framed", "2001:db8:1:7::/64")
    give(database, subscription_id, "delegated", "2001:db8:700::/56")
    give(database, subscription_id, "route", "203.0.113.16/29")
    give(database, subscription_id, "route", "203.0.113.8/29")
    grant = grant_of(database, subscription_id)
    assert grant.framed_ipv6_prefix == IPv6Network("2001:db8:1:7::/64")
    assert grant.delegated_ipv6_prefix == IPv6Network("2001:db8:700::/56")
    assert grant.routes == (IPv4Network("203.0.113.8/29"), IPv4Network("203.0.113.16/29"))
    assert grant.policy == before.policy
    with database.reading() as tx:
        told = select(TimelineEntry.event, TimelineEntry.details, TimelineEntry.actor)
        mine = told.where(TimelineEntry.event == "prefix.given").order_by(TimelineEntry.id)
        first = tx.session.execute(mine).all()[0]
        assert (first.details, first.actor) == ({"network": "2001:db8:1:7::/64", "purpose": "framed"}, "ana")


def test_what_is_withdrawn_is_granted_no_more(database: Database) -> None:
    subscription_id = subscribe(database)
    before = grant_of(database, subscription_id)
    give(database, subscription_id, "route", "203.0.113.8/29")
    assert grant_of(database, subscription_id) != before
    with database.transaction(ANA) as tx:
        withdraw_prefix(tx, subscription_id=subscription_id, network="203.0.113.8/29", note="moved")
    assert grant_of(database, subscription_id) == before


def test_live_sessions_are_looked_at(database: Database) -> None:
    subscription_id = subscribe(database)
    with database.transaction() as tx:
        make_session(tx, nas_id=77, subscription_id=subscription_id)
    give(database, subscription_id, "delegated", "2001:db8:700::/56")
    with database.reading() as tx:
        assert tx.session.scalar(select(Job.key).where(Job.kind == "converge")) == "77"


def test_a_refused_prefix_leaves_nothing_behind(database: Database) -> None:
    one, other = subscribe(database), subscribe(database)
    give(database, one, "route", "203.0.113.8/29")
    before = grant_of(database, other)
    with pytest.raises(Conflict):
        give(database, other, "route", "203.0.113.0/28")
    assert (grant_of(database, other), routed_to(database, other)) == (before, [])


def test_cancelling_frees_what_was_routed(database: Database) -> None:
    one, other = subscribe(database), subscribe(database)
    give(database, one, "delegated", "2001:db8:700::/56")
    give(database, one, "route", "203.0.113.8/29")
    with database.transaction(ANA) as tx:
        cancel(tx, subscription_id=one)
    assert routed_to(database, one) == []
    give(database, other, "route", "203.0.113.8/29")
    with pytest.raises(NotAllowed):
        give(database, one, "route", "203.0.113.16/29")
    with pytest.raises(NotAllowed), database.transaction(ANA) as tx:
        withdraw_prefix(tx, subscription_id=one, network="203.0.113.8/29")


def test_no_subscription_no_prefix(database: Database) -> None:
    with pytest.raises(NotFound):
        give(database, 404, "route", "203.0.113.8/29")


def test_the_plan_s_pools_are_in_the_policy(database: Database) -> None:
    subscription_id = subscribe(database, ipv6_pool="v6-link", delegated_ipv6_pool="v6-house")
    policy = grant_of(database, subscription_id).policy
    assert (policy.ipv6_pool, policy.delegated_ipv6_pool) == ("v6-link", "v6-house")
    with database.transaction(ANA) as tx:
        plan_id = tx.session.get_one(Subscription, subscription_id).plan_id
        change_plan(tx, plan_id=plan_id, ipv6_pool="", delegated_ipv6_pool="other")
        refresh(tx, [subscription_id])
    policy = grant_of(database, subscription_id).policy
    assert (policy.ipv6_pool, policy.delegated_ipv6_pool) == ("", "other")


@pytest.fixture
def answered(database: Database, tmp_path: Path) -> Iterator[Callable[[int], Packet]]:
    """The Access-Accept that a worker gives to a subscription, from the records that the database holds."""
    with database.transaction(ANA) as tx:
        add_nas(tx, name="bras1", network=SOURCE[0], secret=Secret(SECRET.decode()))
        unseal = tx.keyring.unseal
    rig, identifiers = Rig(tmp_path, unseal=unseal), count(1)

    def answer(subscription_id: int) -> Packet:
        with database.reading() as tx:
            row = tx.session.get_one(Subscription, subscription_id)
            login, password = row.login or "", row.password
            rig.apply({entry.key: entry.value for entry in tx.session.scalars(select(ReplicaEntry))})
        assert password is not None
        request = pap_request(login.encode(), password.reveal().encode(), identifier=next(identifiers))
        return opened(rig.send(request), request)

    yield answer
    rig.close()


def test_what_is_fixed_stands_in_place_of_the_pools(database: Database, answered: Callable[[int], Packet]) -> None:
    subscription_id = subscribe(database, pool="v4", ipv6_pool="v6-link", delegated_ipv6_pool="v6-house")
    reply = answered(subscription_id)
    assert (reply.first(FRAMED_POOL), reply.first(FRAMED_IPV6_POOL)) == (b"v4", b"v6-link")
    assert reply.vendor(VENDOR_MIKROTIK, MIKROTIK_DELEGATED_IPV6_POOL) == b"v6-house"
    with database.transaction(ANA) as tx:
        subnet = make_subnet(tx, "10.0.0.0/29")
        assign_address(tx, subscription_id=subscription_id, subnet_id=subnet.id)
    give(database, subscription_id, "framed", "2001:db8:1:7::/64")
    give(database, subscription_id, "delegated", "2001:db8:700::/56")
    give(database, subscription_id, "route", "203.0.113.8/29")
    give(database, subscription_id, "route", "2001:db8:9000::/48")
    reply = answered(subscription_id)
    assert reply.first(FRAMED_IP_ADDRESS) == IPv4Address("10.0.0.1").packed
    assert (reply.first(FRAMED_IPV6_PREFIX) or b"")[:10] == bytes.fromhex("0040 20010db8 0001 0007")
    assert (reply.first(DELEGATED_IPV6_PREFIX) or b"")[:9] == bytes.fromhex("0038 20010db8 0700 00")
    assert (reply.first(FRAMED_ROUTE) or b"").startswith(b"203.0.113.8/29 ")
    assert (reply.first(FRAMED_IPV6_ROUTE) or b"").startswith(b"2001:db8:9000::/48 ")
    assert [reply.first(FRAMED_POOL), reply.first(FRAMED_IPV6_POOL)] == [None, None]
    assert reply.vendor(VENDOR_MIKROTIK, MIKROTIK_DELEGATED_IPV6_POOL) is None
