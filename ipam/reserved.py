"""Reserved ranges: addresses of a subnet that are for something else and are never given to subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address

from sqlalchemy import select

from core.columns import Address
from core.database import Transaction
from core.errors import Conflict, NotFound
from ipam.models import ReservedRange, Subnet
from ipam.notation import parse_purpose, parse_range
from ipam.routed_space import refuse_routed
from ipam.subnets import get_subnet, lock_subnet, refuse_holders, rewind


def reserved_ranges(tx: Transaction, subnet_id: int) -> Sequence[ReservedRange]:
    """By address. NotFound."""
    get_subnet(tx, subnet_id)
    mine = select(ReservedRange).where(ReservedRange.subnet_id == subnet_id)
    return tx.session.scalars(mine.order_by(ReservedRange.first)).all()


def add_reserved_range(
    tx: Transaction, *, subnet_id: int, first: str | IPv4Address, last: str | IPv4Address, purpose: str = ""
) -> ReservedRange:
    """Keep the addresses `first` to `last`, both included, from being given.

    InvalidInput; NotFound; Conflict when the range meets another (named) or addresses in use (named, with holders).
    An address in quarantine may be reserved: nobody has it.
    """
    purpose = parse_purpose(purpose)
    subnet = lock_subnet(tx, subnet_id)
    low, high = parse_range(first, last, subnet.network)
    _refuse_other(tx, subnet, low, high)
    refuse_holders(tx, subnet, low, high, "be reserved")
    added = ReservedRange(subnet_id=subnet_id, first=low, last=high, purpose=purpose, created_at=tx.now)
    tx.session.add(added)
    tx.session.flush()
    tx.audit("add", "reserved_range", added.id, after=_described(added))
    return added


def delete_reserved_range(tx: Transaction, *, range_id: int) -> None:
    """From now on its addresses may be given. NotFound; Conflict while some of them are routed to a subscription."""
    subnet_id = tx.session.scalar(select(ReservedRange.subnet_id).where(ReservedRange.id == range_id))
    if subnet_id is None:
        raise NotFound("reserved range", range_id)
    subnet = lock_subnet(tx, subnet_id)
    gone = tx.session.get(ReservedRange, range_id, populate_existing=True)
    if gone is None:  # somebody else deleted it while we waited for the lock
        raise NotFound("reserved range", range_id)
    refuse_routed(tx, gone.first, gone.last, "be given")
    rewind(subnet, gone.first)
    tx.session.delete(gone)
    tx.session.flush()
    tx.audit("delete", "reserved_range", range_id, before=_described(gone))


def _refuse_other(tx: Transaction, subnet: Subnet, first: Address, last: Address) -> None:
    mine = select(ReservedRange).where(ReservedRange.subnet_id == subnet.id)
    meeting = mine.where(ReservedRange.first <= last, ReservedRange.last >= first).order_by(ReservedRange.first)
    if (other := tx.session.scalar(meeting.limit(1))) is not None:
        what = f"{other.first}–{other.last}" + (f" ({other.purpose})" if other.purpose else "")
        detail = f"{first}–{last} meets the reserved range {what} of {subnet.label}"
        raise Conflict(detail, range_id=other.id, first=str(other.first), last=str(other.last))


def _described(reserved: ReservedRange) -> dict[str, object]:
    return {
        "subnet_id": reserved.subnet_id,
        "first": reserved.first,
        "last": reserved.last,
        "purpose": reserved.purpose,
    }
