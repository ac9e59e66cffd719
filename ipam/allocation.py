"""Fixed addresses: given to a subscription, released into quarantine, moved to another subscription.

No address is ever given twice, and what says so is the database: `given_address` has one row an address (its primary
key) and one address of a family a subscription (unique), and a returned row is taken by an UPDATE that repeats the
condition of being vacant. The subnet's row lock in front of it only makes racing requests wait instead of fail.

Lock order: subnet, then address. Giving takes the subnet's lock and never waits for an address; releasing and
moving lock the address only. So giving sees an address whose release is not committed as assigned still.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from core.columns import Address
from core.database import Transaction
from core.errors import Conflict, InvalidInput, NotFound
from ipam.history import close_tenure, history_of_address, open_tenure
from ipam.lookup import FixedAddress, described, fixed_address_of, fixed_addresses_of, held_by
from ipam.models import ASSIGNED, FREE, QUARANTINED, GivenAddress, Subnet
from ipam.notation import check_quarantine, parse_address
from ipam.space import AddressState, Layout
from ipam.subnets import get_subnet, layout_of, lock_subnet
from ipam.utilisation import utilisation_of
from ipam.vacancy import lowest_vacant, next_quarantine_end, thaw, vacant

__all__ = [
    "FixedAddress",
    "Released",
    "assign_fixed_address",
    "fixed_address_of",
    "fixed_addresses_of",
    "move_fixed_address",
    "release_fixed_address",
]

_UNSYNCHRONISED = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Released:
    """An address that was given back; `quarantined_until` None: it may be given again at once."""

    address: IPv4Address
    subnet_id: int
    quarantined_until: datetime | None


def assign_fixed_address(
    tx: Transaction, *, subscription_id: int, subnet_id: int, address: str | IPv4Address | None = None
) -> FixedAddress:
    """Give the subscription an address of the subnet: the lowest that may be given, or the one asked for.

    InvalidInput: `address` unreadable or outside the subnet. NotFound: subnet. Conflict: the subscription has an
    address; the subnet is exhausted (the error says when the next quarantine ends); the wanted address is network,
    broadcast, gateway, reserved, in quarantine or somebody's (named).
    """
    subnet = lock_subnet(tx, subnet_id)
    layout = layout_of(tx, subnet)
    wanted = None if address is None else _inside(subnet, parse_address(address))
    _refuse_second(tx, subscription_id, subnet.family)
    if wanted is None:
        chosen = _choose(tx, subnet, layout)
    else:
        _refuse_unavailable(tx, subnet, layout, wanted)
        chosen = wanted
    _claim(tx, subnet, chosen, subscription_id)
    open_tenure(tx, chosen, subscription_id)
    tx.audit("assign", "address", chosen, after={"subscription_id": subscription_id, "subnet_id": subnet_id})
    return described(subnet, chosen, subscription_id, tx.now)


def release_fixed_address(tx: Transaction, *, subscription_id: int, quarantine_days: int) -> Released:
    """Take the subscription's address back; it rests for the subnet's own days, or else `quarantine_days`.

    InvalidInput (quarantine_days); NotFound when the subscription has no fixed address.
    """
    check_quarantine(quarantine_days)
    held = held_by(tx, subscription_id, lock=True)
    if held is None:
        raise NotFound("fixed address of subscription", subscription_id)
    own_days = get_subnet(tx, held.subnet_id).quarantine_days
    days = quarantine_days if own_days is None else own_days
    until = tx.now + timedelta(days=days) if days else None
    state = QUARANTINED if days else FREE
    returned = update(GivenAddress).where(GivenAddress.address == held.address)
    values = returned.values(state=state, subscription_id=None, since=tx.now, quarantined_until=until)
    tx.session.execute(values, execution_options=_UNSYNCHRONISED)
    close_tenure(tx, held.address)
    before, after = {"subscription_id": subscription_id}, {"state": state, "quarantined_until": until}
    tx.audit("release", "address", held.address, before, after)
    return Released(held.address, held.subnet_id, until)


def move_fixed_address(tx: Transaction, *, from_subscription: int, to_subscription: int) -> FixedAddress:
    """Hand the address on without quarantine, as when a subscription migrates.

    InvalidInput when both are one; NotFound when the first has no address; Conflict when the second has one.
    """
    if from_subscription == to_subscription:
        raise InvalidInput(
            "to_subscription", "another subscription than the one that has the address", to_subscription + 1
        )
    held = held_by(tx, from_subscription, lock=True)
    if held is None:
        raise NotFound("fixed address of subscription", from_subscription)
    _refuse_second(tx, to_subscription, held.address.version)
    handed_on = update(GivenAddress).where(GivenAddress.address == held.address)
    try:
        values = handed_on.values(subscription_id=to_subscription, since=tx.now)
        tx.session.execute(values, execution_options=_UNSYNCHRONISED)
    except IntegrityError as error:
        raise _lost_race(held.address, to_subscription) from error
    close_tenure(tx, held.address)
    open_tenure(tx, held.address, to_subscription)
    before, after = {"subscription_id": from_subscription}, {"subscription_id": to_subscription}
    tx.audit("move", "address", held.address, before, after)
    return described(get_subnet(tx, held.subnet_id), held.address, to_subscription, tx.now)


def _inside(subnet: Subnet, address: IPv4Address) -> IPv4Address:
    if address not in subnet.network:
        raise InvalidInput("address", f"an address of the subnet {subnet.label}", str(subnet.high_water))
    return address


def _refuse_second(tx: Transaction, subscription_id: int, family: int) -> None:
    query = select(GivenAddress.address, GivenAddress.subnet_id)
    mine = query.where(GivenAddress.subscription_id == subscription_id, GivenAddress.family == family)
    if (held := tx.session.execute(mine).one_or_none()) is not None:
        detail = f"subscription {subscription_id} has the fixed address {held.address} already"
        raise Conflict(detail, address=str(held.address), subnet_id=held.subnet_id)


def _choose(tx: Transaction, subnet: Subnet, layout: Layout) -> Address:
    thaw(tx, subnet)
    address, frontier = lowest_vacant(tx, subnet, layout)
    subnet.high_water = frontier
    if address is None:
        raise _exhausted(tx, subnet)
    return address


def _exhausted(tx: Transaction, subnet: Subnet) -> Conflict:
    use = utilisation_of(tx, [subnet])[subnet.id]
    ends = next_quarantine_end(tx, subnet)
    counts = f"{use.assigned} assigned, {use.quarantined} in quarantine, {use.reserved} reserved of {use.total} usable"
    hope = f"the next quarantine ends at {ends.isoformat()}" if ends else "none is in quarantine: choose another subnet"
    return Conflict(
        f"the subnet {subnet.label} has no free address ({counts}); {hope}",
        subnet_id=subnet.id,
        next_free_at=ends.isoformat() if ends else None,
    )


def _refuse_unavailable(tx: Transaction, subnet: Subnet, layout: Layout, address: IPv4Address) -> None:
    """Conflict, saying what or who has the address, unless it may be given."""
    if rule := layout.rule_on(int(address)):
        what = "reserved" if rule is AddressState.RESERVED else f"the {rule} address"
        raise Conflict(f"{address} is {what} in the subnet {subnet.label} and never given", state=rule.value)
    query = select(GivenAddress.state, GivenAddress.subscription_id, GivenAddress.quarantined_until)
    row = tx.session.execute(query.where(GivenAddress.address == address)).one_or_none()
    if row is None or row.state == FREE:
        return
    if row.state == ASSIGNED:
        detail = f"{address} is the fixed address of subscription {row.subscription_id}"
        raise Conflict(detail, state=ASSIGNED, subscription_id=row.subscription_id)
    if row.quarantined_until > tx.now:
        last = history_of_address(tx, address, limit=1)[0].subscription_id
        until = row.quarantined_until.isoformat()
        detail = f"{address} is in quarantine until {until}; subscription {last} had it"
        raise Conflict(detail, state=QUARANTINED, quarantined_until=until, last_subscription_id=last)


def _claim(tx: Transaction, subnet: Subnet, address: Address, subscription_id: int) -> None:
    """Take a vacant row over, or else write a new one. Conflict when the database refuses."""
    tx.session.flush()
    values = {"state": ASSIGNED, "subscription_id": subscription_id, "since": tx.now, "quarantined_until": None}
    returned = update(GivenAddress).where(GivenAddress.address == address, vacant(tx.now)).values(**values)
    fresh = insert(GivenAddress).values(address=address, family=subnet.family, subnet_id=subnet.id, **values)
    try:
        taken = tx.session.scalar(returned.returning(GivenAddress.address), execution_options=_UNSYNCHRONISED)
        if taken is None:
            tx.session.execute(fresh)
    except IntegrityError as error:
        raise _lost_race(address, subscription_id) from error


def _lost_race(address: Address, subscription_id: int) -> Conflict:
    detail = f"another request gave {address}, or served subscription {subscription_id}, at this moment; try again"
    return Conflict(detail, address=str(address), subscription_id=subscription_id)
