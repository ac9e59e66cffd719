"""Folders and subnets for tests, and threads that race."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

from sqlalchemy import select

from core.database import Database, Transaction
from core.errors import CatracaError
from ipam.allocation import assign_fixed_address, release_fixed_address
from ipam.folders import add_folder
from ipam.models import Folder, Subnet
from ipam.subnets import add_subnet

Result = TypeVar("Result")


def make_folder(tx: Transaction, name: str = "Centro") -> Folder:
    """The folder of that name at the top; a new one unless it is there."""
    found = tx.session.scalar(select(Folder).where(Folder.name == name, Folder.parent_id.is_(None)))
    return found or add_folder(tx, name=name)


def make_subnet(
    tx: Transaction,
    cidr: str = "10.0.0.0/29",
    *,
    name: str = "",
    gateway: str | None = None,
    quarantine_days: int | None = None,
) -> Subnet:
    """A subnet in the folder Centro, named after its network unless told otherwise."""
    folder = make_folder(tx)
    return add_subnet(
        tx, folder_id=folder.id, name=name or cidr, cidr=cidr, gateway=gateway, quarantine_days=quarantine_days
    )


def assign(tx: Transaction, subnet: Subnet, subscription_id: int, address: str | None = None) -> str:
    """Give an address; says which."""
    given = assign_fixed_address(tx, subscription_id=subscription_id, subnet_id=subnet.id, address=address)
    return str(given.address)


def release(tx: Transaction, subscription_id: int, days: int = 30) -> timedelta | None:
    """Take the address back; says how long it rests."""
    until = release_fixed_address(tx, subscription_id=subscription_id, quarantine_days=days).quarantined_until
    return None if until is None else until - tx.now


def open_subnet(
    database: Database, cidr: str = "10.0.0.0/29", gateway: str | None = None, name: str = "Residencial"
) -> Subnet:
    """A subnet in a transaction of its own."""
    with database.transaction() as tx:
        return make_subnet(tx, cidr, name=name, gateway=gateway)


def fill(database: Database, subnet: Subnet, *holders: int) -> list[str]:
    """Give each holder the next address, in one transaction; says which."""
    with database.transaction() as tx:
        return [assign(tx, subnet, holder) for holder in holders]


def race(count: int, attempt: Callable[[int], Result]) -> list[Result | CatracaError]:
    """Run `attempt(0)` … `attempt(count - 1)` in threads that start together; refusals come back as errors."""
    start = threading.Barrier(count)

    def run(number: int) -> Result | CatracaError:
        start.wait()
        try:
            return attempt(number)
        except CatracaError as error:
            return error

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))
