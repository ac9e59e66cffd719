"""The addresses of a subnet, page by page: every one, also those that nobody ever had and that have no row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Select, select

from core.columns import Address
from core.database import Transaction
from core.errors import InvalidInput
from ipam.models import QUARANTINED, GivenAddress, Subnet
from ipam.notation import check_limit
from ipam.space import Layout
from ipam.standing import Given, Standing, standing
from ipam.subnets import get_subnet, layout_of
from ipam.vacancy import givable

Only = Literal["assigned", "quarantined"]
_COLUMNS = (
    GivenAddress.address,
    GivenAddress.state,
    GivenAddress.subscription_id,
    GivenAddress.since,
    GivenAddress.quarantined_until,
)


@dataclass(frozen=True, slots=True)
class AddressLine:
    address: Address
    standing: Standing


@dataclass(frozen=True, slots=True)
class AddressPage:
    """Ascending; `after` is what the next page is asked for with, None on the last page."""

    lines: tuple[AddressLine, ...]
    after: Address | None


def list_addresses(
    tx: Transaction, subnet_id: int, *, only: Only | None = None, after: Address | None = None, limit: int = 100
) -> AddressPage:
    """The subnet's addresses behind `after`, from its first to its last one; or only those in the state `only`.

    A page costs the same wherever in the subnet it lies. NotFound; InvalidInput (limit, after).
    """
    check_limit(limit)
    subnet = get_subnet(tx, subnet_id)
    if after is not None and after.version != subnet.family:
        raise InvalidInput("after", f"an address of the subnet's family, IPv{subnet.family}", str(subnet.first))
    start = int(subnet.first) if after is None else max(int(after) + 1, int(subnet.first))
    if start > int(subnet.last):
        return AddressPage((), None)
    layout = layout_of(tx, subnet)
    if only is None:
        return _page_of_all(tx, subnet, layout, start, limit)
    return _page_of(tx, subnet, layout, only, start, limit)


def given_between(tx: Transaction, first: Address, last: Address) -> dict[Address, Given]:
    """The rows of addresses from `first` to `last`, both included; ascending."""
    return _read(tx, select(*_COLUMNS).where(GivenAddress.address.between(first, last)))


def _page_of_all(tx: Transaction, subnet: Subnet, layout: Layout, start: int, limit: int) -> AddressPage:
    end = min(start + limit - 1, layout.whole.last)
    addresses = [subnet.at(number) for number in range(start, end + 1)]
    given = given_between(tx, addresses[0], addresses[-1])
    lines = tuple(AddressLine(it, standing(layout, int(it), given.get(it), tx.now)) for it in addresses)
    return AddressPage(lines, addresses[-1] if end < layout.whole.last else None)


def _page_of(tx: Transaction, subnet: Subnet, layout: Layout, only: Only, start: int, limit: int) -> AddressPage:
    query = select(*_COLUMNS).where(GivenAddress.subnet_id == subnet.id, GivenAddress.state == only)
    if only == QUARANTINED:
        query = query.where(GivenAddress.quarantined_until > tx.now, givable(subnet))
    given = _read(tx, query.where(GivenAddress.address >= subnet.at(start)).limit(limit + 1))
    lines = [AddressLine(it, standing(layout, int(it), row, tx.now)) for it, row in given.items()]
    return AddressPage(tuple(lines[:limit]), lines[limit - 1].address if len(lines) > limit else None)


def _read(tx: Transaction, query: Select[*tuple[Any, ...]]) -> dict[Address, Given]:
    rows = tx.session.execute(query.order_by(GivenAddress.address))
    return {address: Given(*values) for address, *values in rows}
