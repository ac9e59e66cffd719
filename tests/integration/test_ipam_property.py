"""A subnet lives through any sequence of commands, beside a model that counts every address one by one.

The model is the definition: an address may be given when it is a host's, neither gateway nor reserved, held by nobody
and out of quarantine; the lowest of those is given next. High-water mark, index order and batches must never show.
"""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from core.database import Database
from core.errors import Conflict, InvalidInput, NotFound
from ipam.allocation import move_fixed_address, release_fixed_address
from ipam.listing import list_addresses
from ipam.lookup import fixed_addresses_of
from ipam.reserved import add_reserved_range, delete_reserved_range, reserved_ranges
from ipam.subnets import set_gateway
from ipam.utilisation import look_up_subnet
from ipam.vacancy import next_free_address
from tests.factories_ipam import assign, make_subnet
from tests.ticking import FakeClock

_networks = itertools.count()

OCTETS = st.integers(0, 15)
HOLDERS = st.integers(1, 9)


class SubnetLife(RuleBasedStateMachine):
    """One /28 of its own; addresses are their place in it, holders are made unique by `base`."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        super().__init__()
        self.database, self.clock = database, clock
        self.base = next(_networks) * 16
        self.network = IPv4Network((int(IPv4Address("10.0.0.0")) + self.base, 28))
        with database.transaction() as tx:
            self.subnet = make_subnet(tx, str(self.network))
        self.gateway: int | None = None
        self.reserved: set[int] = set()
        self.holders: dict[int, int] = {}
        self.resting: dict[int, datetime] = {}

    def allowed(self, octet: int) -> bool:
        return 0 < octet < 15 and octet != self.gateway and octet not in self.reserved

    def vacant(self) -> list[int]:
        now = self.clock()
        taken = set(self.holders.values()) | {octet for octet, until in self.resting.items() if until > now}
        return [octet for octet in range(16) if self.allowed(octet) and octet not in taken]

    def at(self, octet: int) -> str:
        return str(self.network[octet])

    def gives(self, holder: int, octet: int | None, expected: int | None) -> None:
        """Ask for an address; `expected` None: a refusal."""
        wanted = None if octet is None else self.at(octet)
        if expected is None:
            with pytest.raises(Conflict), self.database.transaction() as tx:
                assign(tx, self.subnet, self.base + holder, wanted)
            return
        with self.database.transaction() as tx:
            assert assign(tx, self.subnet, self.base + holder, wanted) == self.at(expected)
        self.holders[holder] = expected
        self.resting.pop(expected, None)

    @rule(holder=HOLDERS)
    def assign_the_next(self, holder: int) -> None:
        vacant = self.vacant()
        self.gives(holder, None, vacant[0] if vacant and holder not in self.holders else None)

    @rule(holder=HOLDERS, octet=OCTETS)
    def assign_by_name(self, holder: int, octet: int) -> None:
        possible = octet in self.vacant() and holder not in self.holders
        self.gives(holder, octet, octet if possible else None)

    @rule(holder=HOLDERS, days=st.integers(0, 3))
    def release(self, holder: int, days: int) -> None:
        if holder not in self.holders:
            with pytest.raises(NotFound), self.database.transaction() as tx:
                release_fixed_address(tx, subscription_id=self.base + holder, quarantine_days=days)
            return
        with self.database.transaction() as tx:
            release_fixed_address(tx, subscription_id=self.base + holder, quarantine_days=days)
        self.resting[self.holders.pop(holder)] = self.clock() + timedelta(days=days)

    @rule(holder=HOLDERS, to=HOLDERS)
    def move(self, holder: int, to: int) -> None:
        ids = {"from_subscription": self.base + holder, "to_subscription": self.base + to}
        if holder == to or holder not in self.holders or to in self.holders:
            with pytest.raises((Conflict, InvalidInput, NotFound)), self.database.transaction() as tx:
                move_fixed_address(tx, **ids)
            return
        with self.database.transaction() as tx:
            move_fixed_address(tx, **ids)
        self.holders[to] = self.holders.pop(holder)

    @rule(hours=st.sampled_from([1, 24, 48]))
    def time_passes(self, hours: int) -> None:
        self.clock.advance(hours=hours)

    @rule(first=OCTETS, length=st.integers(0, 3))
    def reserve(self, first: int, length: int) -> None:
        octets = set(range(first, min(first + length, 15) + 1))
        ends = {"first": self.at(min(octets)), "last": self.at(max(octets))}
        if octets & (self.reserved | set(self.holders.values())):
            with pytest.raises(Conflict), self.database.transaction() as tx:
                add_reserved_range(tx, subnet_id=self.subnet.id, **ends)
            return
        with self.database.transaction() as tx:
            add_reserved_range(tx, subnet_id=self.subnet.id, **ends)
        self.reserved |= octets

    @rule(choice=st.integers(0, 7))
    def lift_a_reservation(self, choice: int) -> None:
        with self.database.transaction() as tx:
            ranges = reserved_ranges(tx, self.subnet.id)
            if ranges:
                gone = ranges[choice % len(ranges)].block
                delete_reserved_range(tx, range_id=ranges[choice % len(ranges)].id)
                start = int(self.network[0])
                self.reserved -= set(range(gone.first - start, gone.last - start + 1))

    @rule(octet=st.none() | st.integers(1, 14))
    def change_the_gateway(self, octet: int | None) -> None:
        wanted = None if octet is None else self.at(octet)
        if octet in self.holders.values():
            with pytest.raises(Conflict), self.database.transaction() as tx:
                set_gateway(tx, subnet_id=self.subnet.id, gateway=wanted)
            return
        with self.database.transaction() as tx:
            set_gateway(tx, subnet_id=self.subnet.id, gateway=wanted)
        self.gateway = octet

    @invariant()
    def holders_are_those_of_the_model(self) -> None:
        with self.database.reading() as tx:
            found = fixed_addresses_of(tx, [self.base + holder for holder in range(1, 10)])
        assert {str(address) for address in found.values()} == {self.at(octet) for octet in self.holders.values()}
        assert {holder - self.base: str(it) for holder, it in found.items()} == {
            holder: self.at(octet) for holder, octet in self.holders.items()
        }
        assert all(self.allowed(octet) for octet in self.holders.values())

    @invariant()
    def preview_listing_and_counts_are_those_of_the_model(self) -> None:
        vacant = self.vacant()
        with self.database.reading() as tx:
            preview = next_free_address(tx, self.subnet.id)
            lines = list_addresses(tx, self.subnet.id).lines
            use = look_up_subnet(tx, self.subnet.id).utilisation
        assert (None if preview is None else str(preview)) == (self.at(vacant[0]) if vacant else None)
        free = [str(line.address) for line in lines if line.standing.state == "free"]
        assert free == [self.at(octet) for octet in vacant]
        assert (use.free, use.assigned) == (len(vacant), len(self.holders))


def test_any_sequence_of_commands_keeps_to_the_model(database: Database, clock: FakeClock) -> None:
    class Life(SubnetLife):
        def __init__(self) -> None:
            super().__init__(database, clock)

    run_state_machine_as_test(Life, settings=settings(max_examples=15, stateful_step_count=30))
