"""Which open connections bypass a restriction that has just come to stand on a router. Pure.

Fasttracked connections pass no rules, and whoever keeps one open keeps it however long the list says otherwise: only
their removal makes the next packet meet the rules. PPP needs none of it where the session itself is ended.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from provisioning.routeros.connection import Command
from provisioning.routeros.desired.facts import RouterRules
from provisioning.routeros.rows import Add, Change, DesiredRow, Menu, Step

CONNECTIONS = "/ip/firewall/connection"
SOURCE = "src-address"
"""Who opened it: `address:port`, or the address alone where the protocol knows no ports."""
BATCH = 50
_ENTERS = frozenset({"list", "address", "disabled"})
_BITS = 32


def newly_restricted(done: Iterable[Step], rules: RouterRules) -> frozenset[IPv4Network]:
    """Addresses and networks that these steps brought into the list of who is suspended or paused."""
    rows = (row for step in done if (row := _entered(step)) is not None)
    lists = {rules.suspended_list, rules.paused_list} - {""}
    found = (IPv4Network(row.fields["address"]) for row in rows if row.fields["list"] in lists)
    return frozenset(network for network in found if network.prefixlen)


def _entered(step: Step) -> DesiredRow | None:
    """The entry of a list that came to be, or came to hold."""
    if not isinstance(step, Add | Change) or step.row.menu is not Menu.ADDRESS_LIST:
        return None
    return step.row if isinstance(step, Add) or not _ENTERS.isdisjoint(step.fields) else None


def connections_of(rows: Iterable[Mapping[str, str]], networks: Collection[IPv4Network]) -> list[str]:
    """The `.id` of each connection (`.id`, `src-address`) that somebody in these networks opened."""
    by_length: dict[int, set[int]] = defaultdict(set)
    for network in networks:
        by_length[network.prefixlen].add(int(network.network_address) >> (_BITS - network.prefixlen))
    return [row[".id"] for row in rows if _is_in(row.get(SOURCE, ""), by_length) and row.get(".id", "").startswith("*")]


def _is_in(source: str, by_length: Mapping[int, Collection[int]]) -> bool:
    """A router has a hundred thousand connections, so each is looked up and not compared with every network."""
    try:
        address = int(IPv4Address(source.partition(":")[0]))
    except AddressValueError:
        return False
    return any(address >> (_BITS - length) in starts for length, starts in by_length.items())


def batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """So many as go in one sentence."""
    for first in range(0, len(ids), BATCH):
        yield ids[first : first + BATCH]


def removal(ids: Sequence[str]) -> Command:
    """The sentence that ends these connections."""
    return Command(f"{CONNECTIONS}/remove", {".id": ",".join(ids)})


def halves(ids: Sequence[str]) -> list[Sequence[str]]:
    """What to send of a batch in which one had ended by itself, which refuses it whole; nothing once that is alone."""
    middle = len(ids) // 2
    return [ids[:middle], ids[middle:]] if middle else []
