"""The queues of a subscription: one owner of its speed, and never one for nobody or everybody. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from provisioning.routeros.desired.facts import RouterRules, Served
from provisioning.routeros.desired.ppp import pair
from provisioning.routeros.notation import targets
from provisioning.routeros.plan.problem_words import problem
from provisioning.routeros.rows import Access, DesiredRow, Menu, Problem, SpeedBy
from radius.policy import Grant


def speed_parts(one: Served, grant: Grant, rules: RouterRules) -> Iterator[DesiredRow | Problem]:
    """The simple queue, or the marks and the two queues of a tree; nothing where the policy has no limit."""
    by_profile = rules.speed_by is SpeedBy.PROFILE and one.access is Access.PPP
    if rules.speed_by is SpeedBy.NONE or by_profile or not any(pair(grant.policy)):
        return
    if grant.framed_ip_address is None:
        yield problem(one.subscription_id, "queue-address")
    elif rules.speed_by is SpeedBy.QUEUE_TREE:
        yield from _tree(one, grant)
    else:
        yield _simple(one, grant)


def queue_name(one: Served) -> str:
    """How a subscription's queue is called: by its login, which people know, or by its number."""
    return one.login or f"catraca-s{one.subscription_id}"


def _simple(one: Served, grant: Grant) -> DesiredRow:
    upload, download = pair(grant.policy)
    limited = [grant.framed_ip_address, *(net for net in grant.routes if net.version == 4 and net.prefixlen)]
    fields = {
        "name": queue_name(one),
        "target": targets(",".join(map(str, limited))),
        "max-limit": f"{upload}/{download}",
        "disabled": "no",
    }
    return DesiredRow(Menu.SIMPLE_QUEUE, f"s{one.subscription_id}:queue", fields, one.subscription_id)


def _tree(one: Served, grant: Grant) -> Iterator[DesiredRow]:
    upload, download = pair(grant.policy)
    address = str(grant.framed_ip_address)
    yield from _branch(one, "up", upload, {"src-address": address, "dst-address": ""})
    yield from _branch(one, "down", download, {"src-address": "", "dst-address": address})


def _branch(one: Served, way: str, bps: int, addresses: dict[str, str]) -> Iterator[DesiredRow]:
    """The packets of one way: their mark, and the queue of that mark."""
    mark = f"catraca-s{one.subscription_id}-{way}"
    marking = {
        "chain": "forward",
        "action": "mark-packet",
        **addresses,
        "new-packet-mark": mark,
        "passthrough": "no",
        "disabled": "no",
    }
    queue = {
        "name": f"{queue_name(one)}-{way}",
        "packet-mark": mark,
        "parent": "global",
        "max-limit": str(bps),
        "disabled": "no",
    }
    number = one.subscription_id
    yield DesiredRow(Menu.MANGLE, f"s{number}:mark-{way}", marking, number)
    yield DesiredRow(Menu.QUEUE_TREE, f"s{number}:queue-{way}", queue, number)
