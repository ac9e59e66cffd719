"""What a router should have, from the facts of those it serves. Pure.

Who is denied, was taken from the router, or gets all of it by RADIUS has no row of ours there. What cannot be held as
it is, is a Problem; the rest of that subscription is held all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address

from provisioning.routeros.desired.addresses import binding_parts, ipv6_parts, lease_parts, route_parts
from provisioning.routeros.desired.facts import Garden, RouterRules, Served, menus_of
from provisioning.routeros.desired.lists import list_parts, lists_of
from provisioning.routeros.desired.ppp import ppp_parts
from provisioning.routeros.desired.speed import speed_parts
from provisioning.routeros.plan.problem_words import problem
from provisioning.routeros.rows import Access, Desired, DesiredRow, DesiredSession, Problem
from provisioning.routeros.walled_garden import garden_rows
from radius.policy import Denial, Grant

__all__ = ["Garden", "RouterRules", "Served", "desired", "menus_of"]

Part = DesiredRow | DesiredSession | Problem
_BY_WORD = (
    ("queues", speed_parts),
    ("address-lists", list_parts),
    ("leases", lease_parts),
    ("ip-bindings", binding_parts),
    ("ipv6-bindings", ipv6_parts),
    ("routes", route_parts),
)


def desired(served: Iterable[Served], rules: RouterRules) -> Desired:
    """The desired state; `served` may be a part of those that a router serves, for a plan of that part alone."""
    everybody = list(served)
    lists = _lists(everybody, rules)
    rows: dict[str, DesiredRow] = {}
    sessions: dict[str, DesiredSession] = {}
    problems: list[Problem] = []
    for one in everybody:
        for part in _parts(one, rules, lists):
            if isinstance(part, DesiredRow):
                rows.setdefault(part.key, part)
            elif isinstance(part, Problem):
                problems.append(part)
            elif part.allowed or part.login not in sessions:
                sessions[part.login] = part
    garden, refused = garden_rows(rules)
    return Desired(
        rows=(*rows.values(), *garden),
        sessions=tuple(sessions.values()),
        absent=frozenset(one.subscription_id for one in everybody if _grant(one) is None),
        problems=(*problems, *refused),
        served=frozenset(one.subscription_id for one in everybody),
    )


def _grant(one: Served) -> Grant | None:
    """What it is granted by rows of ours; None: it has none."""
    if one.removed or one.access is Access.RADIUS or isinstance(one.answer, Denial):
        return None
    return one.answer


def _parts(one: Served, rules: RouterRules, lists: frozenset[str]) -> Iterator[Part]:
    grant = _grant(one)
    by_ppp = one.access is Access.PPP and "ppp" in rules.manages
    if grant is None:
        if by_ppp and one.login:
            yield DesiredSession(one.subscription_id, one.login, allowed=False)
        return
    yield from _refusals(one, grant)
    grant = _narrowed(grant)
    if by_ppp:
        yield from ppp_parts(one, grant, rules, lists)
    for word, parts in _BY_WORD:
        if word in rules.manages:
            yield from parts(one, grant, rules)


def _refusals(one: Served, grant: Grant) -> Iterator[Problem]:
    wide = [str(net) for net in (grant.framed_ipv6_prefix, *grant.routes) if net is not None and not net.prefixlen]
    if grant.framed_ip_address == _NOBODY:
        wide.append(str(_NOBODY))
    for target in wide:
        yield problem(one.subscription_id, "too-wide", target=target)


_NOBODY = IPv4Address(0)


def _narrowed(grant: Grant) -> Grant:
    """The grant without targets that are everybody's or nobody's."""
    framed, fixed = grant.framed_ipv6_prefix, grant.framed_ip_address
    if fixed != _NOBODY and all(net is None or net.prefixlen for net in (framed, *grant.routes)):
        return grant
    return replace(
        grant,
        framed_ip_address=None if fixed == _NOBODY else fixed,
        framed_ipv6_prefix=framed if framed is not None and framed.prefixlen else None,
        routes=tuple(net for net in grant.routes if net.prefixlen),
    )


def _lists(everybody: Iterable[Served], rules: RouterRules) -> frozenset[str]:
    """All address lists that are ours, by the rules or by somebody's policy."""
    ours = {rules.suspended_list, rules.paused_list, rules.reduced_list, rules.warned_list}
    for one in everybody:
        if (grant := _grant(one)) is not None:
            ours.update(lists_of(one, grant, rules))
    return frozenset(ours - {""})
