"""Policies and grants keep the names under which live sessions know them."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network, IPv6Network

import pytest

from radius.policy import Grant, Policy

PLAN = Policy(500_000_000, 250_000_000, "clientes", "cgnat-1", "residencial", 300)
FIRST_RELEASE = {
    "plan": (
        PLAN,
        b'{"address_list":"clientes","download_bps":500000000,"group":"residencial","interim_seconds":300,'
        b'"pool":"cgnat-1","upload_bps":250000000}',
        "f0ed3157fd6e34b1",
    ),
    "nothing but defaults": (
        Policy(),
        b'{"address_list":"","download_bps":null,"group":"","interim_seconds":300,"pool":"","upload_bps":null}',
        "f6a34bf7a89166ea",
    ),
}
"""What version 0.1 wrote: another octet, and every session of an upgraded installation would run "another" policy."""


@pytest.mark.parametrize(("policy", "text", "policy_id"), FIRST_RELEASE.values(), ids=FIRST_RELEASE.keys())
def test_a_policy_without_later_fields_is_what_it_was(policy: Policy, text: bytes, policy_id: str) -> None:
    assert policy.to_json() == text
    assert policy.policy_id == policy_id
    assert Policy.from_json(text) == policy


@pytest.mark.parametrize("field", ["ipv6_pool", "delegated_ipv6_pool"])
def test_a_later_field_is_written_when_it_says_something(field: str) -> None:
    policy = Policy(**{field: "v6"})  # type: ignore[arg-type]
    assert json.loads(policy.to_json())[field] == "v6"
    assert Policy.from_json(policy.to_json()) == policy
    assert policy.policy_id != Policy().policy_id


@pytest.mark.parametrize("field", ["address_list", "pool", "group", "ipv6_pool", "delegated_ipv6_pool"])
def test_a_name_that_no_attribute_holds_is_refused(field: str) -> None:
    Policy(**{field: "é" * 120})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=field):
        Policy(**{field: "é" * 121})  # type: ignore[arg-type]


def test_pools_give_way_to_what_is_fixed() -> None:
    policy = Policy(pool="v4", ipv6_pool="link", delegated_ipv6_pool="house")
    assert policy.without_pools(address=True) == Policy(ipv6_pool="link", delegated_ipv6_pool="house")
    assert policy.without_pools(framed=True) == Policy(pool="v4", delegated_ipv6_pool="house")
    assert policy.without_pools(delegated=True) == Policy(pool="v4", ipv6_pool="link")
    assert policy.without_pools() == policy


FINGERPRINTS = {
    "no address": (Grant(PLAN), "f0ed3157fd6e34b1.-"),
    "fixed address": (Grant(PLAN, IPv4Address("100.64.0.9")), "f0ed3157fd6e34b1.64400009"),
    "delegated prefix": (
        Grant(PLAN, delegated_ipv6_prefix=IPv6Network("2001:db8:7::/56")), "f0ed3157fd6e34b1.-~6d723888",
    ),
    "all": (
        Grant(
            PLAN, IPv4Address("100.64.0.9"), IPv6Network("2001:db8:1::/64"), IPv6Network("2001:db8:7::/56"),
            (IPv4Network("203.0.113.8/29"),),
        ),
        "f0ed3157fd6e34b1.64400009~e99f2c67",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("grant", "fingerprint"), FINGERPRINTS.values(), ids=FINGERPRINTS.keys())
def test_fingerprints(grant: Grant, fingerprint: str) -> None:
    assert grant.fingerprint == fingerprint


def test_a_prefix_is_another_thing_as_framed_and_as_delegated() -> None:
    prefix = IPv6Network("2001:db8:1::/64")
    grants = (
        Grant(PLAN, framed_ipv6_prefix=prefix),
        Grant(PLAN, delegated_ipv6_prefix=prefix),
        Grant(PLAN, routes=(prefix,)),
    )
    assert len({grant.fingerprint for grant in grants}) == 3
