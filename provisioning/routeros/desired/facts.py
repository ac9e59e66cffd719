"""What the desired state of a router follows from: whom it serves, and what of it is ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from provisioning.facts import ServiceState
from provisioning.routeros.rows import Access, Menu, SpeedBy
from radius.policy import Denial, Grant

_MENUS: Mapping[str, frozenset[Menu]] = {
    "ppp": frozenset({Menu.PPP_PROFILE, Menu.PPP_SECRET, Menu.PPP_ACTIVE, Menu.SIMPLE_QUEUE, Menu.ADDRESS_LIST}),
    "queues": frozenset({Menu.SIMPLE_QUEUE, Menu.QUEUE_TREE, Menu.MANGLE, Menu.PPP_ACTIVE}),
    "address-lists": frozenset({Menu.ADDRESS_LIST}),
    "leases": frozenset({Menu.DHCP_LEASE}),
    "ip-bindings": frozenset({Menu.IP_BINDING}),
    "ipv6-bindings": frozenset({Menu.IPV6_BINDING}),
    "routes": frozenset({Menu.ROUTE}),
}
_GARDEN = frozenset({Menu.FILTER, Menu.NAT, Menu.ADDRESS_LIST})


@dataclass(frozen=True, slots=True)
class Served:
    """A subscription that a router serves. `answer` and `state` are what the facts say now; `mac` "" for none.

    `removed`: the service was taken from this router; its rows have to go. `warned`: a warning of it is alive.
    `dhcp_server` "": the router's own. `duid`: the DHCPv6 client's, hexadecimal. `bound_mac`: the only caller-id that
    may dial, "" for any. `session_limit`: sessions at once, 0 for any number.
    """

    subscription_id: int
    access: Access
    login: str
    password: str = field(repr=False)
    mac: str
    answer: Grant | Denial
    state: ServiceState
    warned: bool = False
    removed: bool = False
    dhcp_server: str = ""
    duid: str = ""
    bound_mac: str = ""
    session_limit: int = 1


@dataclass(frozen=True, slots=True)
class Garden:
    """What who is suspended or paused still reaches: the portal (IPv4), the addresses and names allowed, and DNS."""

    portal: str
    portal_port: int = 80
    allow: tuple[str, ...] = ()
    dns: bool = True

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> Garden | None:
        """From `Router.garden` as it is stored."""
        if stored is None:
            return None
        return cls(stored["portal"], stored.get("portal_port", 80), tuple(stored["allow"]), stored.get("dns", True))


@dataclass(frozen=True, slots=True)
class RouterRules:
    """What of a router is ours (`manages`: see `router_fields.MANAGES`), and with what its rows are filled.

    A server "" is any of the router's; a list "" is none.
    """

    speed_by: SpeedBy
    manages: frozenset[str]
    ppp_service: str = "pppoe"
    ppp_local_address: str = ""
    dhcp_server: str = ""
    hotspot_server: str = ""
    dhcpv6_server: str = ""
    reduced_list: str = ""
    warned_list: str = ""
    suspended_list: str = "catraca-suspended"
    paused_list: str = "catraca-paused"
    garden: Garden | None = None


def menus_of(rules: RouterRules) -> frozenset[Menu]:
    """The menus that have to be read to plan for a router: those that are ours and those that are looked at.

    What another setting left behind has to be found too: so both kinds of queues are among them, and the garden's.
    """
    return _GARDEN.union(*(_MENUS[word] for word in rules.manages))
