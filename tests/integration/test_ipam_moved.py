"""Prefixes that are handed on to another subscription, with the ranges that their routes keep free."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from core.database import Database
from core.errors import Conflict, InvalidInput
from ipam.models import ReservedRange
from ipam.reserved import add_reserved_range
from ipam.routed import give_prefix, move_prefixes, prefixes_of, withdraw_prefixes
from tests.factories_core import audit_of
from tests.factories_ipam import make_subnet

OLD, NEW, OTHER = 1001, 1002, 1003


def test_all_of_them_move_and_what_they_keep_free_goes_with_them(database: Database) -> None:
    with database.transaction() as tx:
        subnet = make_subnet(tx, "203.0.113.0/24")
        by_hand = add_reserved_range(
            tx, subnet_id=subnet.id, first="203.0.113.200", last="203.0.113.210", purpose="switches"
        ).id
        route = give_prefix(tx, subscription_id=OLD, purpose="route", network="203.0.113.8/29")
        delegated = give_prefix(tx, subscription_id=OLD, purpose="delegated", network="2001:db8:700::/56")
        give_prefix(tx, subscription_id=OTHER, purpose="route", network="203.0.113.16/29")
        moved = move_prefixes(tx, from_subscription=OLD, to_subscription=NEW)
        assert {prefix.network for prefix in moved} == {route.network, delegated.network}
        assert {holder: len(found) for holder, found in prefixes_of(tx, [OLD, NEW, OTHER]).items()} == {
            NEW: 2,
            OTHER: 1,
        }
        withdraw_prefixes(tx, subscription_id=NEW)
        left = tx.session.scalars(select(ReservedRange).order_by(ReservedRange.first)).all()
        assert [row.purpose for row in left] == [f"routed to subscription {OTHER}", "switches"]
        assert left[1].id == by_hand
    moves = [line for line in audit_of(database, "routed_prefix") if line.action == "move"]
    assert [(line.before, line.after) for line in moves] == [({"subscription_id": OLD}, {"subscription_id": NEW})] * 2


def test_nothing_to_move_is_no_error(database: Database) -> None:
    with database.transaction() as tx:
        assert move_prefixes(tx, from_subscription=OLD, to_subscription=NEW) == ()


def test_what_is_refused(database: Database) -> None:
    with database.transaction() as tx:
        give_prefix(tx, subscription_id=NEW, purpose="delegated", network="2001:db8:700::/56")
        with pytest.raises(Conflict, match="2001:db8:700::/56 is routed to subscription 1002"):
            move_prefixes(tx, from_subscription=OLD, to_subscription=NEW)
        with pytest.raises(InvalidInput, match="another subscription"):
            move_prefixes(tx, from_subscription=OLD, to_subscription=OLD)
