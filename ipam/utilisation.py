"""How full subnets are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, or_, select

from core.database import Transaction
from ipam.models import ASSIGNED, QUARANTINED, GivenAddress, ReservedRange, Subnet
from ipam.space import Block, Layout, Utilisation
from ipam.subnets import get_subnet


@dataclass(frozen=True, slots=True)
class SubnetReport:
    """A subnet with its reserved ranges (by address) and how full it is."""

    subnet: Subnet
    reserved: tuple[ReservedRange, ...]
    utilisation: Utilisation


def look_up_subnet(tx: Transaction, subnet_id: int) -> SubnetReport:
    """NotFound."""
    subnet = get_subnet(tx, subnet_id)
    return SubnetReport(subnet, tuple(_ranges(tx, [subnet_id])), utilisation_of(tx, [subnet])[subnet_id])


def utilisation_of(tx: Transaction, subnets: Sequence[Subnet]) -> dict[int, Utilisation]:
    """By subnet id; three queries for any number of subnets. A reserved address in quarantine counts as reserved."""
    ids = [subnet.id for subnet in subnets]
    blocks: dict[int, list[Block]] = defaultdict(list)
    for reserved in _ranges(tx, ids):
        blocks[reserved.subnet_id].append(reserved.block)
    assigned, quarantined = _assigned(tx, ids), _quarantined(tx, ids)
    layouts = {subnet.id: _layout(subnet, blocks[subnet.id]) for subnet in subnets}
    return {
        subnet_id: Utilisation(
            total=layout.usable,
            assigned=assigned.get(subnet_id, 0),
            quarantined=quarantined.get(subnet_id, 0),
            reserved=layout.reserved_count,
        )
        for subnet_id, layout in layouts.items()
    }


def _layout(subnet: Subnet, blocks: Sequence[Block]) -> Layout:
    return Layout(subnet.network, None if subnet.gateway is None else int(subnet.gateway), tuple(blocks))


def _ranges(tx: Transaction, subnet_ids: Sequence[int]) -> Sequence[ReservedRange]:
    mine = select(ReservedRange).where(ReservedRange.subnet_id.in_(subnet_ids))
    return tx.session.scalars(mine.order_by(ReservedRange.subnet_id, ReservedRange.first)).all()


def _assigned(tx: Transaction, subnet_ids: Sequence[int]) -> dict[int, int]:
    mine = (GivenAddress.subnet_id.in_(subnet_ids), GivenAddress.state == ASSIGNED)
    counted = select(GivenAddress.subnet_id, func.count()).where(*mine).group_by(GivenAddress.subnet_id)
    return dict(tx.session.execute(counted).all())


def _quarantined(tx: Transaction, subnet_ids: Sequence[int]) -> dict[int, int]:
    covering = select(ReservedRange.id).where(
        ReservedRange.subnet_id == GivenAddress.subnet_id,
        ReservedRange.first <= GivenAddress.address,
        ReservedRange.last >= GivenAddress.address,
    )
    counted = (
        select(GivenAddress.subnet_id, func.count())
        .join(Subnet, Subnet.id == GivenAddress.subnet_id)
        .where(GivenAddress.subnet_id.in_(subnet_ids), GivenAddress.state == QUARANTINED)
        .where(GivenAddress.quarantined_until > tx.now, ~covering.exists())
        .where(or_(Subnet.gateway.is_(None), Subnet.gateway != GivenAddress.address))
        .group_by(GivenAddress.subnet_id)
    )
    return dict(tx.session.execute(counted).all())
