"""PPP as the facts demand it: the profile of a policy, the secret of a login, and what its sessions show. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b

from provisioning.routeros.desired.facts import RouterRules, Served
from provisioning.routeros.desired.lists import list_in_profile
from provisioning.routeros.mark import PROFILE
from provisioning.routeros.notation import duid, mac, networks, rate_limit, short_rate
from provisioning.routeros.plan.problem_words import problem
from provisioning.routeros.rows import DesiredRow, DesiredSession, Menu, Problem, SpeedBy
from radius.policy import Grant, Policy

_NAMED = 24
"""Letters of an address list's name in a profile's name; the hash says the rest."""


def ppp_parts(
    one: Served, grant: Grant, rules: RouterRules, lists: frozenset[str]
) -> Iterator[DesiredRow | DesiredSession | Problem]:
    """The profile, the secret and the session of a subscription. `lists`: all address lists that are ours."""
    if not one.login or not one.password:
        yield problem(one.subscription_id, "no-login")
        return
    profile = _profile(one, grant, rules)
    yield profile
    yield _secret(one, grant, rules, profile.fields["name"])
    wanted = list_in_profile(one, grant, rules)
    yield DesiredSession(
        one.subscription_id,
        one.login,
        max_limit=_session_limit(grant.policy, rules),
        address_lists=frozenset({wanted} if wanted else ()),
        other_lists=lists,
    )


def binds_prefix(one: Served, grant: Grant, rules: RouterRules) -> bool:
    """Whether the delegated prefix is a row of its own: who asks for it, and of which server, is known."""
    known = bool(one.duid and duid(one.duid) and rules.dhcpv6_server)
    return known and "ipv6-bindings" in rules.manages and grant.delegated_ipv6_prefix is not None


def pair(policy: Policy) -> tuple[int, int]:
    """(upload, download) in bits per second, as the router sees rx and tx; 0 is no limit."""
    return policy.upload_bps or 0, policy.download_bps or 0


def _profile(one: Served, grant: Grant, rules: RouterRules) -> DesiredRow:
    policy = grant.policy
    if policy.pool or policy.ipv6_pool or policy.delegated_ipv6_pool:
        policy = policy.without_pools(
            address=grant.framed_ip_address is not None,
            framed=grant.framed_ipv6_prefix is not None,
            delegated=binds_prefix(one, grant, rules),
        )
    by_profile = rules.speed_by is SpeedBy.PROFILE
    name = list_in_profile(one, grant, rules)
    return _profile_of(policy, by_profile, name, rules.ppp_local_address, one.session_limit == 1)


@lru_cache(maxsize=1024)
def _profile_of(policy: Policy, limited: bool, address_list: str, local_address: str, only_one: bool) -> DesiredRow:
    limit = rate_limit("/".join(map(str, pair(policy))))
    fields = {
        "rate-limit": limit if limited and any(pair(policy)) else "",
        "address-list": address_list,
        "local-address": local_address,
        "remote-address": policy.pool,
        "remote-ipv6-prefix-pool": policy.ipv6_pool,
        "dhcpv6-pd-pool": policy.delegated_ipv6_pool,
        "only-one": "yes" if only_one else "no",
    }
    name = _profile_name(fields, policy if fields["rate-limit"] else Policy())
    return DesiredRow(Menu.PPP_PROFILE, PROFILE + name, {"name": name, **fields})


def _profile_name(fields: dict[str, str], policy: Policy) -> str:
    rates = [short_rate(rate) if rate else "max" for rate in (policy.download_bps, policy.upload_bps)]
    content = "\n".join(f"{name}={value}" for name, value in sorted(fields.items()))
    short = blake2b(content.encode(), digest_size=4).hexdigest()
    parts = ["catraca", *rates, fields["address-list"][:_NAMED], short]
    return "-".join(part for part in parts if part)


def _secret(one: Served, grant: Grant, rules: RouterRules, profile: str) -> DesiredRow:
    fixed, framed = grant.framed_ip_address, grant.framed_ipv6_prefix
    by_version = {4: "", 6: ""}
    if "routes" in rules.manages and grant.routes:
        for version in by_version:
            by_version[version] = networks(",".join(str(net) for net in grant.routes if net.version == version))
    fields = {
        "name": one.login,
        "password": one.password,
        "service": rules.ppp_service,
        "profile": profile,
        "remote-address": str(fixed) if fixed else "",
        "remote-ipv6-prefix": str(framed) if framed else "",
        "routes": by_version[4],
        "ipv6-routes": by_version[6],
        "caller-id": mac(one.bound_mac) if one.bound_mac else "",
        "disabled": "no",
    }
    return DesiredRow(Menu.PPP_SECRET, f"s{one.subscription_id}:secret", fields, one.subscription_id)


def _session_limit(policy: Policy, rules: RouterRules) -> str | None:
    """What a session's own queue shows; another owner of the speed tolerates none beside it."""
    if rules.speed_by is SpeedBy.NONE:
        return None
    upload, download = pair(policy) if rules.speed_by is SpeedBy.PROFILE else (0, 0)
    return f"{upload}/{download}"
