"""DHCP clients at the emulated router: they get their static lease, or a dynamic one of the pool."""

from __future__ import annotations

from ipaddress import IPv4Address
from itertools import count

from lab.routeros.state import RouterState
from lab.routeros.table import Row, Table
from lab.routeros.traps import failure

_PATH = "/ip/dhcp-server/lease"
_FIRST = int(IPv4Address("10.253.0.2"))


def bind(state: RouterState, mac: bytes, server: bytes, host_name: str) -> Row | None:
    """The client's lease, bound; None: it is blocked. Under the state's lock."""
    leases = state.tables[_PATH]
    mine = next((leases.rows[number] for number in leases.where("mac-address", mac)), None)
    if mine is not None and (mine.fields.get("disabled") == b"true" or mine.fields.get("block-access") == b"true"):
        return None
    row = mine or _dynamic(state, leases, mac, server)
    seen = {"active-address": row.fields["address"], "active-mac-address": mac, "host-name": host_name.encode()}
    leases.change(row, {**seen, "status": b"bound", "last-seen": b"0s"})
    return row


def _dynamic(state: RouterState, leases: Table, mac: bytes, server: bytes) -> Row:
    taken = leases.index("address")
    address = next(text for at in count(_FIRST) if (text := str(IPv4Address(at)).encode()) not in taken)
    return state.add(leases, {"address": address, "mac-address": mac, "server": server, "dynamic": b"true"})


def make_static(state: RouterState, table: Table, row: Row) -> None:
    """The command `make-static`: a lease of the pool becomes the client's for good."""
    if not row.dynamic:
        raise failure("lease is already static")
    kept = {name: value for name, value in row.fields.items() if name != "dynamic"}
    state.remove(table, row)
    state.add(table, kept, number=row.number)
