"""The address lists of a subscription: suspended, paused, reduced, warned, and the one of its plan. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from provisioning.facts import ServiceState
from provisioning.routeros.desired.facts import RouterRules, Served
from provisioning.routeros.plan.problem_words import problem
from provisioning.routeros.rows import Access, DesiredRow, Menu, Problem, SpeedBy
from radius.policy import Grant


def lists_of(one: Served, grant: Grant, rules: RouterRules) -> list[str]:
    """The lists that a subscription has to be in, the one of its policy first."""
    wanted = [
        grant.policy.address_list,
        rules.reduced_list if one.state is ServiceState.REDUCED else "",
        rules.warned_list if one.warned else "",
    ]
    return [name for name in dict.fromkeys(wanted) if name]


def list_in_profile(one: Served, grant: Grant, rules: RouterRules) -> str:
    """The one list that the PPP profile carries, "" for none: where it also has the speed, or no address is fixed."""
    if one.access is not Access.PPP or "ppp" not in rules.manages:
        return ""
    if rules.speed_by is not SpeedBy.PROFILE and grant.framed_ip_address is not None:
        return ""
    return next(iter(lists_of(one, grant, rules)), "")


def list_parts(one: Served, grant: Grant, rules: RouterRules) -> Iterator[DesiredRow | Problem]:
    """An entry for each address or routed network in each list that the profile does not carry."""
    carried = list_in_profile(one, grant, rules)
    left = [name for name in lists_of(one, grant, rules) if name != carried]
    if not left:
        return
    addresses = _addresses(grant)
    if not addresses:
        yield problem(one.subscription_id, "list-address", lists=", ".join(left))
    for name in left:
        for address in addresses:
            key = f"s{one.subscription_id}:list:{name}:{address}"
            fields = {"list": name, "address": address, "disabled": "no"}
            yield DesiredRow(Menu.ADDRESS_LIST, key, fields, one.subscription_id)


def _addresses(grant: Grant) -> list[str]:
    if grant.framed_ip_address is None:
        return []
    routed = [str(net).removesuffix("/32") for net in grant.routes if net.version == 4 and net.prefixlen]
    return list(dict.fromkeys([str(grant.framed_ip_address), *routed]))
