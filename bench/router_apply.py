"""A router with many subscribers: from rows to a plan, and a mass suspension against bare librouteros in a loop.

`python -m bench.router_apply [--subscribers N] [--suspended N]`. The router is emulated, in a process of its own; both
sides write the same words to the same rows: ours reads, plans, writes and reads back, the loop only writes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from contextlib import closing
from ipaddress import IPv4Address

import librouteros
from librouteros.query import Key

from bench.results import Options, Row, Say, Step
from bench.router_lab import LOGIN, PASSWORD, RouterLab
from provisioning.facts import ServiceState
from provisioning.routeros.connection import Connection, RouterVersion, Target
from provisioning.routeros.cycle.applying import apply
from provisioning.routeros.cycle.observing import observe
from provisioning.routeros.desired.facts import RouterRules, Served
from provisioning.routeros.desired.state import desired
from provisioning.routeros.driver.session import connect
from provisioning.routeros.mark import comment_of
from provisioning.routeros.menus import observed_row
from provisioning.routeros.plan.smallest import plan
from provisioning.routeros.router_fields import MANAGES
from provisioning.routeros.rows import Access, Add, Change, Desired, Menu, Observed, SpeedBy
from radius.policy import Grant, Policy

FULL = Policy(download_bps=5 * 10**8, upload_bps=10**8)
WALLED = Policy(download_bps=256_000, upload_bps=256_000, address_list="catraca-suspended")
RULES = RouterRules(SpeedBy.PROFILE, frozenset(MANAGES))
LISTED = RouterRules(SpeedBy.SIMPLE_QUEUE, frozenset(MANAGES))
COMMAND = "python -m bench.router_apply"
_VERSION = RouterVersion(7, 20, 4)
_FIRST = int(IPv4Address("100.64.0.1"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=5_000)
    parser.add_argument("--suspended", type=int, default=1_000)
    given = parser.parse_args()
    for row in rows(given.subscribers, given.suspended):
        print(f"{row.what}: {row.figure}")


def measure(options: Options, say: Say) -> Step:
    subscribers, suspended = (500, 100) if options.quick else (5_000, 1_000)
    return Step(rows=rows(subscribers, suspended))


def rows(subscribers: int, suspended: int) -> list[Row]:
    what = f"plan for a router with {subscribers:,} PPP subscribers, one in twenty changed by hand, from rows to plan"
    found = [Row(what, f"{plan_seconds(subscribers):.2f} s", "under 1 s", COMMAND)]
    for latency in (0.0, 0.002):
        wire = f"{latency * 1000:.0f} ms an exchange" if latency else "loopback"
        for access, name in ((Access.PPP, "secrets get another profile"), (Access.STATIC, "queues and lists change")):
            ours, again, bare = suspension(subscribers, suspended, access, latency)
            figure = (
                f"{ours:.2f} s, and {again:.2f} s to read and plan; bare librouteros {bare:.2f} s ({bare / ours:.1f} ×)"
            )
            what = f"suspend {suspended:,} of {subscribers:,} subscribers on a router ({name}), {wire}"
            found.append(Row(what, figure, "faster than the loop", COMMAND))
    return found


def served(number: int, access: Access, policy: Policy) -> Served:
    """A subscriber; who is on the walled policy is suspended."""
    state = ServiceState.ACTIVE if policy is FULL else ServiceState.SUSPENDED
    grant = Grant(policy, IPv4Address(_FIRST + number))
    return Served(number, access, f"user{number:06d}", f"pass{number:06d}", "", grant, state)


def demanded(subscribers: int, suspended: int, access: Access) -> Desired:
    rules = RULES if access is Access.PPP else LISTED
    policies = ((number, WALLED if number <= suspended else FULL) for number in range(1, subscribers + 1))
    return desired([served(number, access, policy) for number, policy in policies], rules)


def plan_seconds(subscribers: int) -> float:
    """Seconds from what the router's words were to a whole plan; the facts are evaluated within them."""
    everything = demanded(subscribers, 0, Access.PPP).rows
    meddled = ({"service": "any"} if not place % 20 else {} for place in range(len(everything)))
    there = [
        (row.menu, {".id": f"*{place:X}", "comment": comment_of(row.key), **row.fields, **other})
        for place, (row, other) in enumerate(zip(everything, meddled, strict=True))
    ]
    begun = time.perf_counter()
    read = tuple(observed_row(menu, raw, place, _VERSION) for place, (menu, raw) in enumerate(there))
    made = plan(demanded(subscribers, 0, Access.PPP), Observed(read, frozenset(Menu)))
    seconds = time.perf_counter() - begun
    if not made:
        raise RuntimeError("the plan should have found what was changed by hand")
    return seconds


def suspension(subscribers: int, suspended: int, access: Access, latency: float) -> tuple[float, float, float]:
    """Seconds of our writes, of reading and planning twice around them, and of the loop that writes the same."""
    rules = RULES if access is Access.PPP else LISTED
    with RouterLab(1, latency) as lab:
        target = Target("127.0.0.1", lab.ports[0], LOGIN, PASSWORD, timeout=60)
        with closing(connect(target)) as connection:
            _bring(connection, rules, demanded(subscribers, 0, access))
            ours, around = _bring(connection, rules, demanded(subscribers, suspended, access))
            _bring(connection, rules, demanded(subscribers, 0, access))
            walled = demanded(subscribers, suspended, access)
            wanted = plan(walled, observe(connection, walled, rules))
            changes = [step for step in wanted.steps if isinstance(step, Change)]
            entries = [s.row for s in wanted.steps if isinstance(s, Add) and s.row.menu is Menu.ADDRESS_LIST]
        bare = _loop(lab.ports[0], changes, [{**row.fields, "comment": comment_of(row.key)} for row in entries])
    return ours, around, bare


def _bring(connection: Connection, rules: RouterRules, wanted: Desired) -> tuple[float, float]:
    """Seconds of the writes, and of reading and planning before and after."""
    begun = time.perf_counter()
    made = plan(wanted, observe(connection, wanted, rules))
    planned = time.perf_counter()
    apply(connection, made, until=time.monotonic() + 600)
    applied = time.perf_counter()
    if left := plan(wanted, observe(connection, wanted, rules)):
        raise RuntimeError(f"{len(left.steps)} steps are left")
    return applied - planned, planned - begun + time.perf_counter() - applied


def _loop(port: int, changes: Sequence[Change], additions: Sequence[dict[str, str]]) -> float:
    """What a script does: find nothing out, write one row after the other."""
    api = librouteros.connect("127.0.0.1", LOGIN, PASSWORD, port=port, timeout=60)
    with closing(api):
        profiles = {row["name"] for row in api.path("/ppp/profile").select(Key("name"))}
        for name in sorted({str(change.fields["profile"]) for change in changes if "profile" in change.fields}):
            if name not in profiles:
                api.path("/ppp/profile").add(name=name)
        begun = time.perf_counter()
        for change in changes:
            api.path(str(change.row.menu)).update(**{".id": change.id, **change.fields})
        entries = api.path(str(Menu.ADDRESS_LIST))
        for fields in additions:
            entries.add(**fields)
        return time.perf_counter() - begun


if __name__ == "__main__":
    main()
