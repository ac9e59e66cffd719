"""The walled garden: the rules that close in who is suspended or paused, as rows in their order. Pure.

It closes IPv4; what a subscriber sends over IPv6 passes its own firewall, which is not ours.
"""

from __future__ import annotations

from collections.abc import Iterator

from provisioning.routeros.desired.facts import Garden, RouterRules
from provisioning.routeros.notation import address, too_wide
from provisioning.routeros.plan.problem_words import problem
from provisioning.routeros.rows import DesiredRow, Menu, Problem

ALLOWED = "catraca-allowed"
"""The address list of what stays open."""
_FILTER, _NAT = "garden:filter:", "garden:nat:"


def garden_rows(rules: RouterRules) -> tuple[list[DesiredRow], list[Problem]]:
    """The rows of the garden, the rules in the order in which they have to stand; none without a garden."""
    if rules.garden is None:
        return [], []
    allowed = dict.fromkeys(map(address, (rules.garden.portal, *rules.garden.allow)))
    refused = [one for one in allowed if too_wide(one)]
    problems = [problem(None, "garden-wide", target=one or '""') for one in refused]
    entries = [_entry(one) for one in allowed if one not in refused]
    return [*entries, *_rules(rules, rules.garden)], problems


def _entry(destination: str) -> DesiredRow:
    fields = {"list": ALLOWED, "address": destination, "disabled": "no"}
    return DesiredRow(Menu.ADDRESS_LIST, f"garden:allow:{destination}", fields)


def _rules(rules: RouterRules, garden: Garden) -> Iterator[DesiredRow]:
    closed = [name for name in dict.fromkeys((rules.suspended_list, rules.paused_list)) if name]
    filters = [rule for name in closed for rule in _filters(name, garden)]
    for number, fields in enumerate(filters, 1):
        yield DesiredRow(Menu.FILTER, f"{_FILTER}{number:02}", fields)
    for number, name in enumerate(closed, 1):
        yield DesiredRow(Menu.NAT, f"{_NAT}{number:02}", _to_portal(name, garden))


def _filters(name: str, garden: Garden) -> Iterator[dict[str, str]]:
    if garden.dns:
        yield _rule(name, "forward", "accept", protocol="udp", dst_port="53")
        yield _rule(name, "forward", "accept", protocol="tcp", dst_port="53")
    yield _rule(name, "forward", "accept", dst_address_list=ALLOWED)
    yield _rule(name, "forward", "drop")


def _to_portal(name: str, garden: Garden) -> dict[str, str]:
    rule = _rule(name, "dstnat", "dst-nat", protocol="tcp", dst_port="80", dst_address_list=f"!{ALLOWED}")
    return {**rule, "to-addresses": garden.portal, "to-ports": str(garden.portal_port)}


def _rule(
    name: str, chain: str, action: str, *, protocol: str = "", dst_port: str = "", dst_address_list: str = ""
) -> dict[str, str]:
    return {
        "chain": chain,
        "action": action,
        "src-address-list": name,
        "dst-address-list": dst_address_list,
        "protocol": protocol,
        "dst-port": dst_port,
        "disabled": "no",
    }
