"""Routers as people set them up by hand, and what adoption compares them with."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from core.database import Transaction
from core.runtime import Runtime
from core.secrets import Secret
from lab.routeros.emulator import EmulatedRouter
from provisioning.routeros.adoption.facts import Known, KnownPlan, KnownSubscriber, KnownSubscription
from provisioning.routeros.adoption.models import Adoption
from provisioning.routeros.adoption.reading import read_router, talking_to
from provisioning.routeros.adoption.report import store_report
from provisioning.routeros.models import Router
from provisioning.routeros.routers import start_maintenance
from provisioning.routeros.rows import Menu, ObservedRow
from tests.factories_moves import follow_up
from tests.factories_routers import make_router

_numbers = itertools.count(1)
FIBRE = (250_000_000, 500_000_000)
MARIA = KnownSubscription(
    12, 7, "Maria da Silva", 3, FIBRE, "ACTIVE", "maria", Secret("s3nha"), "02:00:5e:10:00:01", "", "100.64.0.9"
)
PLAN = KnownPlan(3, "Fibra 500", FIBRE)


def seen(menu: Menu, *, key: str | None = None, **fields: str) -> ObservedRow:
    """A row as the router shows it; names with a dash are written with an underscore."""
    words = {name.rstrip("_").replace("_", "-"): value for name, value in fields.items()}
    return ObservedRow(menu, f"*{next(_numbers):X}", words, key)


def secret(name: str = "maria", **fields: str) -> ObservedRow:
    return seen(Menu.PPP_SECRET, name=name, **{"password": "s3nha", "profile": "fibra", **fields})


def profile(name: str = "fibra", rate: str = "250M/500M", **fields: str) -> ObservedRow:
    return seen(Menu.PPP_PROFILE, name=name, rate_limit=rate, **fields)


def lease(mac: str = "02:00:5E:10:00:01", address: str = "100.64.0.9", **fields: str) -> ObservedRow:
    return seen(Menu.DHCP_LEASE, mac_address=mac, address=address, **{"server": "dhcp1", **fields})


def queue(name: str, target: str, limit: str = "250000000/500000000", **fields: str) -> ObservedRow:
    return seen(Menu.SIMPLE_QUEUE, name=name, target=target, max_limit=limit, **fields)


def entry(list_: str, address: str, **fields: str) -> ObservedRow:
    return seen(Menu.ADDRESS_LIST, list=list_, address=address, **fields)


def binding(**fields: str) -> ObservedRow:
    return seen(Menu.IP_BINDING, **{"type": "bypassed", **fields})


def known(*subscriptions: KnownSubscription, **values: Any) -> Known:
    """One plan, one subscriber and one subnet, unless told otherwise; the list `bloqueados` is of the suspended."""
    given: dict[str, Any] = {
        "plans": (PLAN,),
        "subscribers": (KnownSubscriber(7, "Maria da Silva", "39053344705"),),
        "subnets": (ip_network("100.64.0.0/24"),),
        "restricting": frozenset({"bloqueados"}),
    }
    return Known(subscriptions, **{**given, **values})


def routed(tx: Transaction, emulated: EmulatedRouter, *, maintenance: bool = True, **values: Any) -> Router:
    """The emulator as a router of the product, in maintenance unless told otherwise."""
    router = make_router(tx, address=emulated.host, port=emulated.port, **values)
    return start_maintenance(tx, router.id) if maintenance else router


def reported(runtime: Runtime, router_id: int, restricting: tuple[str, ...] = ()) -> Adoption:
    """Read the router, keep the report."""
    with talking_to(runtime.database, router_id) as connection:
        reading = read_router(connection)
    with runtime.database.transaction() as tx:
        return store_report(tx, router=router_id, reading=reading, restricting=restricting)


def carried_out(runtime: Runtime, kind: str) -> list[str]:
    """Run the jobs of this kind until none waits; what each ended in."""
    return follow_up(runtime, kind)


def stock_ppp(emulated: EmulatedRouter, people: Mapping[str, Mapping[str, str]]) -> None:
    """A PPPoE concentrator of the usual kind: a profile `fibra` with a rate, a secret for each of the people."""
    emulated.stock("/ppp/profile", [{"name": "fibra", "rate_limit": "250M/500M", "local_address": "10.255.0.1"}])
    rows = [{"name": login, "service": "pppoe", "profile": "fibra", **words} for login, words in people.items()]
    emulated.stock("/ppp/secret", rows)


def stock_leases(emulated: EmulatedRouter, people: Mapping[str, str]) -> None:
    """A DHCP server of the usual kind: for each MAC address a static lease and a queue of its address."""
    leases = [{"mac_address": mac, "address": address, "server": "dhcp1"} for mac, address in people.items()]
    emulated.stock("/ip/dhcp-server/lease", leases)
    queues = [{"name": f"casa-{a}", "target": f"{a}/32", "max_limit": "250M/500M"} for a in people.values()]
    emulated.stock("/queue/simple", queues)
