"""How one address stands, from its subnet, its row and the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network

import pytest

from ipam.space import AddressState, Block, Layout
from ipam.standing import Given, Standing, standing

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
BEFORE, MOMENT = NOW - timedelta(days=3), timedelta(microseconds=1)
BASE = int(IPv4Address("10.0.0.0"))
LAYOUT = Layout(IPv4Network("10.0.0.0/28"), BASE + 1, (Block(BASE + 4, BASE + 6),))

HELD = Given("assigned", 7, BEFORE, None)
RETURNED = Given("free", None, BEFORE, None)


def resting(until: datetime) -> Given:
    return Given("quarantined", None, BEFORE, until)


FREE = Standing(AddressState.FREE)
RESERVED = Standing(AddressState.RESERVED)


@pytest.mark.parametrize(
    ("last_octet", "given", "expected"),
    [
        pytest.param(2, None, FREE, id="never-given"),
        pytest.param(2, RETURNED, FREE, id="given-back"),
        pytest.param(2, HELD, Standing(AddressState.ASSIGNED, 7, BEFORE), id="held"),
        pytest.param(
            2,
            resting(NOW + MOMENT),
            Standing(AddressState.QUARANTINED, None, BEFORE, NOW + MOMENT),
            id="quarantine-almost-over",
        ),
        pytest.param(2, resting(NOW), FREE, id="quarantine-over-at-its-instant"),
        pytest.param(0, None, Standing(AddressState.NETWORK), id="network"),
        pytest.param(15, None, Standing(AddressState.BROADCAST), id="broadcast"),
        pytest.param(1, None, Standing(AddressState.GATEWAY), id="gateway"),
        pytest.param(1, resting(NOW + MOMENT), Standing(AddressState.GATEWAY), id="gateway-before-quarantine"),
        pytest.param(5, None, RESERVED, id="reserved"),
        pytest.param(5, resting(NOW + MOMENT), RESERVED, id="reserved-before-quarantine"),
        pytest.param(5, HELD, Standing(AddressState.ASSIGNED, 7, BEFORE), id="a-holder-before-all"),
    ],
)
def test_standing(last_octet: int, given: Given | None, expected: Standing) -> None:
    assert standing(LAYOUT, BASE + last_octet, given, NOW) == expected
