"""Reading what a router has, and nothing else: one session, under the router's lease, a read for each menu."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from core.database import Database
from core.errors import Unavailable
from provisioning.routeros.adoption.grouping import READ
from provisioning.routeros.alone import alone_with
from provisioning.routeros.connection import Connection, ReadRefused, RouterError, Target
from provisioning.routeros.driver.session import connect
from provisioning.routeros.mark import key_of
from provisioning.routeros.routers import get_router, target_of
from provisioning.routeros.rows import Menu, ObservedRow

FIELDS: Mapping[Menu, tuple[str, ...]] = {
    Menu.PPP_PROFILE: (
        "name", "rate-limit", "address-list", "local-address", "remote-address", "remote-ipv6-prefix-pool",
        "dhcpv6-pd-pool", "only-one",
    ),
    Menu.PPP_SECRET: (
        "name", "password", "service", "profile", "local-address", "remote-address", "remote-ipv6-prefix", "routes",
        "ipv6-routes", "caller-id",
    ),
    Menu.DHCP_LEASE: (
        "address", "mac-address", "client-id", "server", "rate-limit", "address-lists", "block-access", "host-name",
    ),
    Menu.IP_BINDING: ("mac-address", "address", "to-address", "server", "type"),
    Menu.SIMPLE_QUEUE: (
        "name", "target", "max-limit", "burst-limit", "limit-at", "parent", "queue", "priority", "packet-marks",
    ),
    Menu.ADDRESS_LIST: ("list", "address", "timeout"),
}  # fmt: skip
"""What is read of each menu: what tells whose a row is, and what people would miss if it changed unseen."""
_ALWAYS = ("comment", "disabled", "dynamic")
UNREAD = frozenset({"host-name"})
"""Fields that the router changes by itself: shown, but no reason to say that somebody changed the row."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a router said. `unread`: menus that it did not let us read, with its words."""

    version: str
    identity: str
    rows: tuple[ObservedRow, ...]
    unread: Mapping[str, str]


@contextmanager
def talking_to(database: Database, router_id: int) -> Iterator[Connection]:
    """The only session with this router. Unavailable when somebody else talks to it, or when it cannot be talked to."""
    with database.reading() as tx:
        router = get_router(tx, router_id)
        name, target, pace = router.name, target_of(router), router.writes_per_second
    with alone_with(database, router_id) as lease:
        if not lease:
            raise Unavailable(f"router {name} is being read or written at this moment; try again")
        with _told(name):
            connection = _connected(target, pace)
            try:
                yield connection
            finally:
                connection.close()


@contextmanager
def _told(name: str) -> Iterator[None]:
    try:
        yield
    except RouterError as error:
        raise Unavailable(f"router {name}: {error}") from error


def _connected(target: Target, pace: int) -> Connection:
    return connect(target, writes_per_second=pace)


def read_router(connection: Connection, menus: tuple[Menu, ...] = READ) -> Reading:
    """Every row of the menus. One that the router does not have, or does not show us, is left out and named."""
    rows: list[ObservedRow] = []
    unread: dict[str, str] = {}
    for menu in menus:
        try:
            found = connection.read(menu.value, (*FIELDS[menu], *_ALWAYS))
        except ReadRefused as refusal:
            unread[menu.value] = str(refusal)
            continue
        rows.extend(map(_row_of(menu), range(len(found)), found))
    return Reading(str(connection.version), connection.identity, tuple(rows), unread)


def _row_of(menu: Menu) -> Callable[[int, Mapping[str, str]], ObservedRow]:
    def made(position: int, raw: Mapping[str, str]) -> ObservedRow:
        fields = {name: value for name, value in raw.items() if name != ".id"}
        return ObservedRow(menu, raw.get(".id", ""), fields, key_of(fields.get("comment", "")), position)

    return made
