"""Finding the lowest address of a subnet that may be given now.

Two sources are compared. Returned addresses have a row: those in state `free`, and those whose quarantine is over.
Never-given ones have none: they begin at the subnet's high-water mark, which steps over the gateway, reserved ranges
and addresses that were asked for by name. Neither costs more as the subnet fills: the first is one step in an
index, the second moves the mark forward once per address.

A quarantine ends by its instant; no timer has to fire. `thaw` merely files the ended ones under `free`, so that the
next search finds the lowest in an index instead of sorting them all again.

Who gives addresses holds the subnet's row lock (`subnets.lock_subnet`) rather than skip rows that others have locked
(SKIP LOCKED): only so is the answer exactly the lowest address, and "none is left" certain instead of a guess about
transactions that may still roll back. Releasing takes no such lock, so that it never waits for somebody who gives.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select, update

from core.columns import Address
from core.database import Transaction
from ipam.models import FREE, QUARANTINED, GivenAddress, ReservedRange, Subnet
from ipam.space import Layout, first_gap, first_outside
from ipam.subnets import get_subnet, layout_of

_FIRST_BATCH, _LARGEST_BATCH = 64, 4096


def next_free_address(tx: Transaction, subnet_id: int) -> Address | None:
    """The address that the next automatic assignment would give, or None; nothing is held. NotFound."""
    subnet = get_subnet(tx, subnet_id)
    return lowest_vacant(tx, subnet, layout_of(tx, subnet))[0]


def lowest_vacant(tx: Transaction, subnet: Subnet, layout: Layout) -> tuple[Address | None, Address]:
    """The lowest address that may be given now, if any, and the lowest that was never given (or one behind the end)."""
    fresh = _lowest_never_given(tx, subnet, layout)
    returned = _lowest_returned(tx, subnet)
    found = [int(address) for address in (fresh, returned) if address is not None]
    frontier = fresh if fresh is not None else subnet.at(layout.hosts.last + 1)
    return (subnet.at(min(found)) if found else None), frontier


def thaw(tx: Transaction, subnet: Subnet) -> None:
    """File the subnet's ended quarantines under `free`. Under the subnet's lock."""
    ended = update(GivenAddress).where(GivenAddress.subnet_id == subnet.id, _quarantine_over(tx.now))
    free = ended.values(state=FREE, since=GivenAddress.quarantined_until, quarantined_until=None)
    tx.session.execute(free, execution_options={"synchronize_session": False})


def vacant(now: datetime) -> ColumnElement[bool]:
    """Condition: the row's address may be given again."""
    return or_(GivenAddress.state == FREE, _quarantine_over(now))


def givable(subnet: Subnet) -> ColumnElement[bool]:
    """Condition: the row's address is neither the subnet's gateway nor reserved."""
    covering = select(ReservedRange.id).where(
        ReservedRange.subnet_id == subnet.id,
        ReservedRange.first <= GivenAddress.address,
        ReservedRange.last >= GivenAddress.address,
    )
    unreserved = ~covering.exists()
    return unreserved if subnet.gateway is None else and_(GivenAddress.address != subnet.gateway, unreserved)


def next_quarantine_end(tx: Transaction, subnet: Subnet) -> datetime | None:
    """When the next address of the subnet comes out of quarantine and may be given."""
    resting = select(func.min(GivenAddress.quarantined_until)).where(
        GivenAddress.subnet_id == subnet.id, GivenAddress.state == QUARANTINED, givable(subnet)
    )
    return tx.session.scalar(resting)


def _quarantine_over(now: datetime) -> ColumnElement[bool]:
    return and_(GivenAddress.state == QUARANTINED, GivenAddress.quarantined_until <= now)


def _lowest_returned(tx: Transaction, subnet: Subnet) -> Address | None:
    lowest = select(GivenAddress.address).where(GivenAddress.subnet_id == subnet.id, givable(subnet))
    lowest = lowest.order_by(GivenAddress.address).limit(1)
    free = tx.session.scalar(lowest.where(GivenAddress.state == FREE))
    ended = tx.session.scalar(lowest.where(_quarantine_over(tx.now)))
    return min((address for address in (free, ended) if address is not None), key=int, default=None)


def _lowest_never_given(tx: Transaction, subnet: Subnet, layout: Layout) -> Address | None:
    last, barred = layout.hosts.last, layout.barred
    candidate = first_outside(max(int(subnet.high_water), layout.hosts.first), last, barred)
    batch = _FIRST_BATCH
    while candidate is not None:
        gap = first_gap(candidate, _given_from(tx, subnet, candidate, batch))
        if gap == candidate:
            return subnet.at(candidate)
        candidate = first_outside(gap, last, barred)
        batch = min(batch * 4, _LARGEST_BATCH)
    return None


def _given_from(tx: Transaction, subnet: Subnet, start: int, limit: int) -> list[int]:
    given = select(GivenAddress.address).where(GivenAddress.address.between(subnet.at(start), subnet.last))
    return [int(address) for address in tx.session.scalars(given.order_by(GivenAddress.address).limit(limit))]
