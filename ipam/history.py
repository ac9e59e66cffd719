"""Who had which address when: tenures, half-open in time, at most one open for each address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select, update

from core.columns import Address
from core.database import Transaction
from ipam.models import AddressTenure
from ipam.notation import check_limit, parse_address


@dataclass(frozen=True, slots=True)
class Tenure:
    """`subscription_id` had `address` from `since` until before `until` (None: has it still)."""

    id: int
    address: Address
    subscription_id: int
    since: datetime
    until: datetime | None


def history_of_address(
    tx: Transaction, address: str | Address, *, before: int | None = None, limit: int = 100
) -> tuple[Tenure, ...]:
    """Newest first, from before the tenure with id `before`; also of subnets that are gone."""
    return _page(tx, AddressTenure.address == parse_address(address), before, limit)


def history_of_subscription(
    tx: Transaction, subscription_id: int, *, before: int | None = None, limit: int = 100
) -> tuple[Tenure, ...]:
    """Every address the subscription had, newest first, from before the tenure with id `before`."""
    return _page(tx, AddressTenure.subscription_id == subscription_id, before, limit)


def holder_at(tx: Transaction, address: str | Address, at: datetime) -> Tenure | None:
    """Who had the address at that instant, or None."""
    begun = select(AddressTenure).where(AddressTenure.address == parse_address(address), AddressTenure.since <= at)
    row = tx.session.scalar(begun.order_by(AddressTenure.since.desc(), AddressTenure.id.desc()).limit(1))
    return _tenure(row) if row is not None and (row.until is None or row.until > at) else None


def open_tenure(tx: Transaction, address: Address, subscription_id: int) -> None:
    """From now on `subscription_id` has the address."""
    tx.session.add(AddressTenure(address=address, subscription_id=subscription_id, since=tx.now))
    tx.session.flush()


def close_tenure(tx: Transaction, address: Address) -> None:
    """From now on nobody has the address."""
    running = update(AddressTenure).where(AddressTenure.address == address, AddressTenure.until.is_(None))
    tx.session.execute(running.values(until=tx.now), execution_options={"synchronize_session": "fetch"})


def _page(tx: Transaction, whose: ColumnElement[bool], before: int | None, limit: int) -> tuple[Tenure, ...]:
    query = select(AddressTenure).where(whose).limit(check_limit(limit))
    if before is not None:
        query = query.where(AddressTenure.id < before)
    newest_first = query.order_by(AddressTenure.since.desc(), AddressTenure.id.desc())
    return tuple(_tenure(row) for row in tx.session.scalars(newest_first))


def _tenure(row: AddressTenure) -> Tenure:
    return Tenure(row.id, row.address, row.subscription_id, row.since, row.until)
