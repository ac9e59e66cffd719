"""Which rows of a router are one subscriber's: pure.

Secrets, static leases and ip-bindings name subscribers. A queue or list entry belongs to whoever has its address, or
the login that it is named after; a queue of a single address that nobody has is a subscriber by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from core.errors import InvalidInput
from core.units import parse_rate
from provisioning.routeros.adoption.facts import Group, Left, Rate, Remark
from provisioning.routeros.rows import Access, Menu, ObservedRow
from radius.mac_address import read_mac

READ = (
    Menu.PPP_PROFILE, Menu.PPP_SECRET, Menu.DHCP_LEASE, Menu.IP_BINDING, Menu.SIMPLE_QUEUE, Menu.ADDRESS_LIST,
)  # fmt: skip
"""The menus that adoption reads."""
_DEFAULT_PROFILES = ("default", "default-encryption")


def group_rows(rows: Iterable[ObservedRow], fixed: Collection[str] = ()) -> tuple[list[Group], list[Left]]:
    """The subscribers that the rows show, in the router's order, and the rows that are no subscriber's.

    `fixed`: addresses that the product has given; a list entry of one of them is a subscriber's without another row.
    """
    sorter = _Sorter(frozenset(fixed))
    foreign: dict[Menu, list[ObservedRow]] = {menu: [] for menu in READ}
    for row in rows:
        if row.key is not None:
            sorter.leave(row, "ours", key=row.key)
        elif row.dynamic:
            sorter.leave(row, "dynamic")
        elif row.menu in foreign:
            foreign[row.menu].append(row)
    for menu, take in sorter.takers.items():
        for row in foreign[menu]:
            take(row)
    return list(sorter.groups), sorter.left


def read_pair(text: str) -> Rate | None:
    """`50M/100M …`, `50000000` → (upload, download); None where no limit is said."""
    words = text.split()
    if not words:
        return None
    up, _, down = words[0].partition("/")
    try:
        pair = (parse_rate(up), parse_rate(down or up))
    except InvalidInput:
        return None
    return pair if any(pair) else None


def host(text: str) -> str:
    """The single IPv4 address that a RouterOS word is, with or without /32; "" for anything else, and for 0.0.0.0."""
    address, _, bits = text.strip().partition("/")
    try:
        plain = IPv4Address(address)
    except AddressValueError:
        return ""
    return str(plain) if bits in ("", "32") and int(plain) else ""


def plain_mac(text: str) -> str:
    """`02:00:5e:10:00:01` of any usual notation, "" of anything else."""
    octets = read_mac(text.strip().encode())
    return octets.hex(":") if octets else ""


def is_on(row: ObservedRow, name: str = "disabled") -> bool:
    return row.fields.get(name) in ("true", "yes")


class _Sorter:
    """Rows on their way into groups; each menu is taken whole, in the order of `takers`."""

    def __init__(self, fixed: frozenset[str]) -> None:
        self.groups: list[Group] = []
        self.left: list[Left] = []
        self.takers = {
            Menu.PPP_PROFILE: self._profile,
            Menu.PPP_SECRET: self._secret,
            Menu.IP_BINDING: self._binding,
            Menu.DHCP_LEASE: self._lease,
            Menu.SIMPLE_QUEUE: self._queue,
            Menu.ADDRESS_LIST: self._entry,
        }
        self._fixed = fixed
        self._profiles: dict[str, ObservedRow] = {}
        self._by_address: dict[str, int] = {}
        self._by_login: dict[str, int] = {}
        self._by_mac: dict[str, int] = {}

    def leave(self, row: ObservedRow, code: str, **values: str) -> None:
        self.left.append(Left(row, Remark(code, values)))

    def _profile(self, row: ObservedRow) -> None:
        name = row.fields.get("name", "")
        self._profiles[name] = row
        self.leave(row, "default_profile" if name in _DEFAULT_PROFILES else "profile", profile=name)

    def _secret(self, row: ObservedRow) -> None:
        if not (login := row.fields.get("name", "")):
            self.leave(row, "nameless")
            return
        remote, profile = row.fields.get("remote-address", ""), row.fields.get("profile", "")
        base = self._profiles.get(profile)
        address = host(remote)
        pool = "" if address or remote == "0.0.0.0" else remote
        if not remote and base is not None and not host(base.fields.get("remote-address", "")):
            pool = base.fields.get("remote-address", "")
        limit = base.fields.get("rate-limit", "") if base is not None else ""
        mac = plain_mac(row.fields.get("caller-id", ""))
        self._begin(Group(Access.PPP, (row,), login, mac, address, pool, profile, rate=read_pair(limit)))

    def _binding(self, row: ObservedRow) -> None:
        mac = plain_mac(row.fields.get("mac-address", ""))
        address = host(row.fields.get("to-address", "")) or host(row.fields.get("address", ""))
        if not mac and not address:
            self.leave(row, "no_single_host")
            return
        self._begin(Group(Access.HOTSPOT, (row,), mac=mac, address=address))

    def _lease(self, row: ObservedRow) -> None:
        mac, address = plain_mac(row.fields.get("mac-address", "")), host(row.fields.get("address", ""))
        if not mac:
            self.leave(row, "no_mac")
            return
        same = self._by_mac.get(mac)
        if same is not None and self.groups[same].access is Access.HOTSPOT:
            self._join(same, row, address=self.groups[same].address or address)
            return
        rate, server = read_pair(row.fields.get("rate-limit", "")), row.fields.get("server", "")
        self._begin(Group(Access.DHCP, (row,), mac=mac, address=address, rate=rate, dhcp_server=server))

    def _queue(self, row: ObservedRow) -> None:
        targets = [word for word in row.fields.get("target", "").split(",") if word]
        limit = read_pair(row.fields.get("max-limit", ""))
        whose = self._owner_of_queue(row, targets)
        hosts = [host(word) for word in targets]
        if whose is not None:
            self._join(whose, row, rate=None if is_on(row) else limit)
        elif len(hosts) == 1 and hosts[0]:
            self._begin(Group(Access.STATIC, (row,), address=hosts[0], rate=limit))
        else:
            self.leave(row, "no_single_host")

    def _owner_of_queue(self, row: ObservedRow, targets: Sequence[str]) -> int | None:
        """Whoever has all of its addresses, or the login that it is named after."""
        owners = {self._owner_of(word) for word in targets}
        if len(owners) == 1 and None not in owners:
            return owners.pop()
        if len(targets) == 1 and host(targets[0]):
            return None  # an address of its own says more than a name
        return self._by_login.get(_login_in(row.fields.get("name", "")))

    def _owner_of(self, target: str) -> int | None:
        if address := host(target):
            return self._by_address.get(address)
        return self._by_login.get(_login_in(target))

    def _entry(self, row: ObservedRow) -> None:
        address = host(row.fields.get("address", ""))
        whose = self._by_address.get(address)
        if not address:
            self.leave(row, "no_single_host")
        elif whose is not None:
            self._join(whose, row)
        elif address in self._fixed:
            self._begin(Group(Access.STATIC, (row,), address=address))
        else:
            self.leave(row, "address_of_nobody", address=address)

    def _begin(self, group: Group) -> None:
        place = len(self.groups)
        self.groups.append(group)
        for index, key in (
            (self._by_address, group.address),
            (self._by_login, group.login),
            (self._by_mac, group.mac if group.access is not Access.PPP else ""),
        ):
            if key:
                index.setdefault(key, place)

    def _join(self, place: int, row: ObservedRow, *, rate: Rate | None = None, address: str = "") -> None:
        """Add a row; the speed of a queue counts before that of a profile."""
        group = self.groups[place]
        self.groups[place] = replace(
            group, rows=(*group.rows, row), rate=rate or group.rate, address=address or group.address
        )
        if address:
            self._by_address.setdefault(address, place)


def _login_in(text: str) -> str:
    """`<pppoe-maria>` → `maria`; anything else as it is."""
    if text.startswith("<") and text.endswith(">") and "-" in text:
        return text[1:-1].partition("-")[2]
    return text


def within(address: str, networks: Iterable[IPv4Network]) -> bool:
    place = IPv4Address(address)
    return any(place in network for network in networks)
