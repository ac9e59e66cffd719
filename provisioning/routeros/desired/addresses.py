"""Leases, hotspot bindings, delegated prefixes and routes of a subscription. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from provisioning.facts import ServiceState
from provisioning.routeros.desired.facts import RouterRules, Served
from provisioning.routeros.desired.ppp import binds_prefix
from provisioning.routeros.notation import duid, mac
from provisioning.routeros.plan.problem_words import problem
from provisioning.routeros.rows import Access, DesiredRow, Menu, Problem
from radius.policy import Grant

_BLOCKED = (ServiceState.SUSPENDED, ServiceState.PAUSED)
Parts = Iterator[DesiredRow | Problem]


def lease_parts(one: Served, grant: Grant, rules: RouterRules) -> Parts:
    """The static lease of access dhcp."""
    if one.access is not Access.DHCP:
        return
    if grant.framed_ip_address is None or not one.mac:
        yield problem(one.subscription_id, "lease")
        return
    fields = {
        "address": str(grant.framed_ip_address),
        "mac-address": mac(one.mac),
        "server": one.dhcp_server or rules.dhcp_server or "all",
        "disabled": "no",
    }
    yield DesiredRow(Menu.DHCP_LEASE, f"s{one.subscription_id}:lease", fields, one.subscription_id)


def binding_parts(one: Served, grant: Grant, rules: RouterRules) -> Parts:
    """The ip-binding of access hotspot: past the login page, or blocked."""
    if one.access is not Access.HOTSPOT:
        return
    if grant.framed_ip_address is None and not one.mac:
        yield problem(one.subscription_id, "ip-binding")
        return
    fields = {
        "mac-address": mac(one.mac) if one.mac else "",
        "address": str(grant.framed_ip_address or ""),
        "server": rules.hotspot_server or "all",
        "type": "blocked" if one.state in _BLOCKED else "bypassed",
        "disabled": "no",
    }
    yield DesiredRow(Menu.IP_BINDING, f"s{one.subscription_id}:binding", fields, one.subscription_id)


def ipv6_parts(one: Served, grant: Grant, rules: RouterRules) -> Parts:
    """The delegated prefix, bound to the client's DUID; a pool's prefixes need no row."""
    prefix = grant.delegated_ipv6_prefix
    if prefix is None:
        return
    if not binds_prefix(one, grant, rules):
        if not (one.access is Access.PPP and grant.policy.delegated_ipv6_pool):
            yield problem(one.subscription_id, "prefix", prefix=str(prefix))
        return
    if not prefix.prefixlen:
        yield problem(one.subscription_id, "too-wide", target=str(prefix))
        return
    fields = {"address": str(prefix), "duid": duid(one.duid), "server": rules.dhcpv6_server, "disabled": "no"}
    yield DesiredRow(Menu.IPV6_BINDING, f"s{one.subscription_id}:ipv6", fields, one.subscription_id)


def route_parts(one: Served, grant: Grant, rules: RouterRules) -> Parts:
    """The routed networks of who has no PPP session to hang them on."""
    if one.access is Access.PPP:
        return
    for network in grant.routes:
        if network.version == 6:
            yield problem(one.subscription_id, "ipv6-route", network=str(network))
        elif grant.framed_ip_address is None:
            yield problem(one.subscription_id, "route-address", network=str(network))
        elif network.prefixlen:
            fields = {"dst-address": str(network), "gateway": str(grant.framed_ip_address), "disabled": "no"}
            key = f"s{one.subscription_id}:route:{network}"
            yield DesiredRow(Menu.ROUTE, key, fields, one.subscription_id)
