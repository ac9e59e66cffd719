"""Subnets: added, described, moved between folders, deleted. No two overlap; the refused one learns which is there."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address

from sqlalchemy import delete, select

from core.columns import Address
from core.database import Transaction
from core.errors import Conflict, NotAllowed, NotFound
from core.rows import get_row
from ipam.folders import NAMED_IN_ERRORS, get_folder, lock_plan
from ipam.models import ASSIGNED, QUARANTINED, GivenAddress, ReservedRange, Subnet
from ipam.notation import check_limit, check_quarantine, parse_gateway, parse_name, parse_network
from ipam.routed_space import refuse_routed
from ipam.space import Layout, Network, hosts_of


def get_subnet(tx: Transaction, subnet_id: int) -> Subnet:
    """NotFound."""
    return get_row(tx, Subnet, subnet_id, "subnet")


def lock_subnet(tx: Transaction, subnet_id: int, *, to_delete: bool = False) -> Subnet:
    """The subnet as it is now; until the commit nobody else gives addresses of it or changes what may be given.

    The lock leaves foreign keys that point here alone, unless the row is to go.
    """
    locked = select(Subnet).where(Subnet.id == subnet_id).with_for_update(key_share=not to_delete)
    subnet = tx.session.scalar(locked, execution_options={"populate_existing": True})
    if subnet is None:
        raise NotFound("subnet", subnet_id)
    return subnet


def list_subnets(
    tx: Transaction, *, folder_id: int | None = None, after: Address | None = None, limit: int = 100
) -> Sequence[Subnet]:
    """By address, from behind the subnet that begins at `after`; of one folder or all."""
    query = select(Subnet).order_by(Subnet.family, Subnet.first).limit(check_limit(limit))
    if folder_id is not None:
        get_folder(tx, folder_id)
        query = query.where(Subnet.folder_id == folder_id)
    if after is not None:
        later = (Subnet.family == after.version) & (Subnet.first > after)
        query = query.where(later | (Subnet.family > after.version))
    return tx.session.scalars(query).all()


def subnet_around(tx: Transaction, address: Address) -> Subnet | None:
    """The subnet that the address lies in. Subnets do not overlap: only the nearest one below can be it."""
    nearest = select(Subnet).where(Subnet.family == address.version, Subnet.first <= address)
    subnet = tx.session.scalar(nearest.order_by(Subnet.first.desc()).limit(1))
    return subnet if subnet is not None and int(subnet.last) >= int(address) else None


def layout_of(tx: Transaction, subnet: Subnet) -> Layout:
    """What of the subnet may be given at all."""
    ranges = select(ReservedRange).where(ReservedRange.subnet_id == subnet.id).order_by(ReservedRange.first)
    blocks = tuple(reserved.block for reserved in tx.session.scalars(ranges))
    return Layout(subnet.network, None if subnet.gateway is None else int(subnet.gateway), blocks)


def add_subnet(
    tx: Transaction,
    *,
    folder_id: int,
    name: str,
    cidr: str | IPv4Network,
    gateway: str | IPv4Address | IPv6Address | None = None,
    quarantine_days: int | None = None,
) -> Subnet:
    """A new subnet in a folder.

    InvalidInput (name, cidr, gateway, quarantine_days); NotFound (folder); Conflict when a subnet of that name is in
    the folder, when one anywhere overlaps, or when some of it is routed to a subscription: the error names it.
    """
    name, network = parse_name(name), parse_network(cidr)
    router = None if gateway is None else parse_gateway(gateway, network)
    check_quarantine(quarantine_days)
    lock_plan(tx)
    get_folder(tx, folder_id)
    _refuse_overlap(tx, network)
    refuse_routed(tx, network[0], network[-1], "be in a subnet")
    _refuse_namesake(tx, name, folder_id)
    subnet = Subnet(
        folder_id=folder_id, name=name, family=network.version, first=network[0], last=network[-1],
        prefix_length=network.prefixlen, gateway=router, quarantine_days=quarantine_days,
        high_water=IPv4Address(hosts_of(network).first), created_at=tx.now,
    )  # fmt: skip
    tx.session.add(subnet)
    tx.session.flush()
    tx.audit("add", "subnet", subnet.id, after=_described(subnet))
    return subnet


def rename_subnet(tx: Transaction, *, subnet_id: int, name: str) -> Subnet:
    """InvalidInput, NotFound, Conflict (name in the folder)."""
    name = parse_name(name)
    lock_plan(tx)
    subnet = lock_subnet(tx, subnet_id)
    if name != subnet.name:
        _refuse_namesake(tx, name, subnet.folder_id)
        tx.audit("rename", "subnet", subnet_id, {"name": subnet.name}, {"name": name})
        subnet.name = name
        tx.session.flush()
    return subnet


def move_subnet(tx: Transaction, *, subnet_id: int, folder_id: int) -> Subnet:
    """File the subnet in another folder. NotFound, Conflict (name there)."""
    lock_plan(tx)
    subnet = lock_subnet(tx, subnet_id)
    if folder_id != subnet.folder_id:
        get_folder(tx, folder_id)
        _refuse_namesake(tx, subnet.name, folder_id)
        tx.audit("move", "subnet", subnet_id, {"folder_id": subnet.folder_id}, {"folder_id": folder_id})
        subnet.folder_id = folder_id
        tx.session.flush()
    return subnet


def set_gateway(tx: Transaction, *, subnet_id: int, gateway: str | IPv4Address | IPv6Address | None) -> Subnet:
    """Change or remove the gateway; the former one may be given from now on.

    InvalidInput; NotFound; Conflict when a subscription has the address, or a route that it lies in.
    """
    subnet = lock_subnet(tx, subnet_id)
    router = None if gateway is None else parse_gateway(gateway, subnet.network)
    if router == subnet.gateway:
        return subnet
    if router is not None:
        refuse_holders(tx, subnet, router, router, "be the gateway")
        refuse_routed(tx, router, router, "hold the gateway")
    if subnet.gateway is not None:
        rewind(subnet, subnet.gateway)
    tx.audit("set-gateway", "subnet", subnet_id, {"gateway": subnet.gateway}, {"gateway": router})
    subnet.gateway = router
    tx.session.flush()
    return subnet


def set_quarantine(tx: Transaction, *, subnet_id: int, quarantine_days: int | None) -> Subnet:
    """Days of rest for addresses released from now on; None: the company's setting. InvalidInput, NotFound."""
    check_quarantine(quarantine_days)
    subnet = lock_subnet(tx, subnet_id)
    if quarantine_days != subnet.quarantine_days:
        before, after = {"quarantine_days": subnet.quarantine_days}, {"quarantine_days": quarantine_days}
        tx.audit("set-quarantine", "subnet", subnet_id, before, after)
        subnet.quarantine_days = quarantine_days
        tx.session.flush()
    return subnet


def delete_subnet(tx: Transaction, *, subnet_id: int) -> None:
    """NotFound; NotAllowed, naming some addresses, while any is assigned or in quarantine. History stays."""
    lock_plan(tx)
    subnet = lock_subnet(tx, subnet_id, to_delete=True)
    resting = (GivenAddress.state == QUARANTINED) & (GivenAddress.quarantined_until > tx.now)
    mine = GivenAddress.subnet_id == subnet_id
    query = select(GivenAddress.address, GivenAddress.state).where(mine, (GivenAddress.state == ASSIGNED) | resting)
    used = tx.session.execute(query.order_by(GivenAddress.address).limit(NAMED_IN_ERRORS)).all()
    if used:
        named = ", ".join(f"{address} ({state})" for address, state in used)
        detail = f"the subnet {subnet.label} is not empty: {named}{' …' if len(used) == NAMED_IN_ERRORS else ''}"
        raise NotAllowed(detail, subnet_id=subnet_id, addresses=[str(address) for address, _ in used])
    unsynchronised = {"synchronize_session": False}
    tx.session.execute(delete(GivenAddress).where(mine), execution_options=unsynchronised)
    tx.session.execute(delete(ReservedRange).where(ReservedRange.subnet_id == subnet_id))
    tx.session.delete(subnet)
    tx.session.flush()
    tx.audit("delete", "subnet", subnet_id, before=_described(subnet))


def rewind(subnet: Subnet, address: Address) -> None:
    """Have the search for never-given addresses begin no higher than `address`, which may be given again."""
    if int(address) < int(subnet.high_water):
        subnet.high_water = address


def refuse_holders(tx: Transaction, subnet: Subnet, first: Address, last: Address, purpose: str) -> None:
    """Conflict, naming addresses from `first` to `last` and who has them, unless nobody has one."""
    query = (
        select(GivenAddress.address, GivenAddress.subscription_id)
        .where(GivenAddress.subnet_id == subnet.id, GivenAddress.state == ASSIGNED)
        .where(GivenAddress.address.between(first, last))
        .order_by(GivenAddress.address)
        .limit(NAMED_IN_ERRORS + 1)
    )
    held = tx.session.execute(query).all()
    if held:
        named = ", ".join(f"{address} (subscription {holder})" for address, holder in held[:NAMED_IN_ERRORS])
        detail = f"in use, so cannot {purpose}: {named}{' and more' if len(held) > NAMED_IN_ERRORS else ''}"
        addresses = [{"address": str(address), "subscription_id": holder} for address, holder in held[:NAMED_IN_ERRORS]]
        raise Conflict(detail, subnet_id=subnet.id, addresses=addresses)


def _refuse_overlap(tx: Transaction, network: Network) -> None:
    # The existing ones do not overlap: of those that begin before our end, the last one reaches furthest.
    before_our_end = select(Subnet).where(Subnet.family == network.version, Subnet.first <= network[-1])
    other = tx.session.scalar(before_our_end.order_by(Subnet.first.desc()).limit(1))
    if other is not None and int(other.last) >= int(network[0]):
        detail = f"{network} overlaps the subnet {other.label}"
        raise Conflict(detail, subnet_id=other.id, name=other.name, cidr=other.cidr)


def _refuse_namesake(tx: Transaction, name: str, folder_id: int) -> None:
    same = select(Subnet).where(Subnet.folder_id == folder_id, Subnet.name == name)
    if (other := tx.session.scalar(same)) is not None:
        detail = f"the folder holds a subnet named {other.label} already (subnet {other.id})"
        raise Conflict(detail, subnet_id=other.id, name=other.name, cidr=other.cidr)


def _described(subnet: Subnet) -> dict[str, object]:
    return {
        "folder_id": subnet.folder_id,
        "name": subnet.name,
        "cidr": subnet.cidr,
        "gateway": subnet.gateway,
        "quarantine_days": subnet.quarantine_days,
    }
