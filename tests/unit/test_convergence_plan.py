"""The next step for one live session, as a table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Network

import pytest

from provisioning.convergence.plan import AwaitProof, ChangeSession, EndSession, Nothing, Observed, plan
from radius.policy import Denial, Grant, Policy
from radius.vendors import VENDORS

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PROOF = timedelta(seconds=60)
FULL = Policy(500_000_000, 250_000_000)
SLOW = Policy(1_000_000, 1_000_000)
WALLED = Policy(256_000, 256_000, address_list="walled")
POOLED = Policy(1_000_000, 1_000_000, pool="cgnat-1")
LINKED = Policy(1_000_000, 1_000_000, ipv6_pool="v6-link")
HOUSED = Policy(1_000_000, 1_000_000, delegated_ipv6_pool="v6-house")
POLICIES = {policy.policy_id: policy for policy in (FULL, SLOW, WALLED, POOLED, LINKED, HOUSED)}
HOUSE, OTHER_HOUSE = IPv6Network("2001:db8:700::/56"), IPv6Network("2001:db8:800::/56")
ROUTE = IPv4Network("203.0.113.8/29")
FIXED = IPv4Address("192.0.2.7")
Kind = type[Nothing | AwaitProof | ChangeSession | EndSession]


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def seen(granted: Grant | None, **more: object) -> Observed:
    fingerprint = granted.fingerprint if granted else ""
    return Observed(**{"started_at": ago(3600), "seen_at": ago(100), "granted": fingerprint, **more})  # type: ignore[arg-type]


CASES: dict[str, tuple[Observed, Grant | Denial, str, bool, Kind]] = {
    "runs what it should": (seen(Grant(FULL)), Grant(FULL), "mikrotik", True, Nothing),
    "a rate changes by CoA": (seen(Grant(FULL)), Grant(SLOW), "mikrotik", True, ChangeSession),
    "an address list needs a new session": (seen(Grant(FULL)), Grant(WALLED), "mikrotik", True, EndSession),
    "a generic NAS is trusted with no CoA": (seen(Grant(FULL)), Grant(SLOW), "generic", True, EndSession),
    "another fixed address": (seen(Grant(SLOW)), Grant(SLOW, FIXED), "mikrotik", True, EndSession),
    "the fixed address goes": (seen(Grant(SLOW, FIXED)), Grant(SLOW), "mikrotik", True, EndSession),
    "a delegated prefix": (seen(Grant(SLOW)), Grant(SLOW, None, None, HOUSE), "mikrotik", True, EndSession),
    "another delegated prefix": (
        seen(Grant(SLOW, None, None, OTHER_HOUSE)), Grant(SLOW, None, None, HOUSE), "mikrotik", True, EndSession,
    ),
    "a prefix that was delegated is the link's": (
        seen(Grant(SLOW, None, None, HOUSE)), Grant(SLOW, None, HOUSE), "mikrotik", True, EndSession,
    ),
    "one more route": (
        seen(Grant(SLOW, None, None, HOUSE)), Grant(SLOW, None, None, HOUSE, (ROUTE,)), "mikrotik", True, EndSession,
    ),
    "a rate changes by CoA beside the same prefixes": (
        seen(Grant(FULL, FIXED, None, HOUSE, (ROUTE,))), Grant(SLOW, FIXED, None, HOUSE, (ROUTE,)),
        "mikrotik", True, ChangeSession,
    ),
    "another pool": (seen(Grant(POOLED)), Grant(SLOW), "mikrotik", True, EndSession),
    "another pool that a fixed address stands in for": (
        seen(Grant(POOLED, FIXED)), Grant(SLOW, FIXED), "mikrotik", True, AwaitProof,
    ),
    "another pool that a delegated prefix stands in for": (
        seen(Grant(HOUSED, None, None, HOUSE)), Grant(SLOW, None, None, HOUSE), "mikrotik", True, AwaitProof,
    ),
    "another pool that a framed prefix stands in for": (
        seen(Grant(LINKED, None, HOUSE)), Grant(SLOW, None, HOUSE), "mikrotik", True, AwaitProof,
    ),
    "juniper lifts a walled garden by CoA": (seen(Grant(WALLED)), Grant(FULL), "juniper", False, ChangeSession),
    "huawei closes one in by CoA": (seen(Grant(FULL)), Grant(WALLED), "huawei", False, ChangeSession),
    "huawei lifts a walled garden with a new session": (seen(Grant(WALLED)), Grant(FULL), "huawei", False, EndSession),
    "no service at all": (seen(Grant(FULL)), Denial("cancelled"), "mikrotik", True, EndSession),
    "unknown policy": (seen(Grant(Policy(7_000_000, 7_000_000))), Grant(FULL), "mikrotik", True, EndSession),
    "refused CoA falls back": (seen(Grant(FULL), refused_coa=True), Grant(SLOW), "mikrotik", True, EndSession),
    "acknowledged a moment ago": (
        seen(Grant(FULL), acked=Grant(SLOW).fingerprint, acked_at=ago(5)),
        Grant(SLOW), "mikrotik", True, AwaitProof,
    ),
    "acknowledged, then the old policy in accounting": (
        seen(Grant(FULL), acked=Grant(SLOW).fingerprint, acked_at=ago(50), seen_at=ago(10)),
        Grant(SLOW), "mikrotik", True, EndSession,
    ),
    "acknowledged by a NAS that cannot prove it": (
        seen(Grant(FULL), acked=Grant(SLOW).fingerprint, acked_at=ago(50), seen_at=ago(10)),
        Grant(SLOW), "mikrotik", False, AwaitProof,
    ),
    "changed by an unproven CoA, and what was granted is wanted again": (
        seen(Grant(FULL), acked=Grant(SLOW).fingerprint, acked_at=ago(50)),
        Grant(FULL), "mikrotik", False, ChangeSession,
    ),
    "changed by CoA and back": (
        seen(Grant(FULL), acked=Grant(FULL).fingerprint, acked_at=ago(50)),
        Grant(FULL), "mikrotik", False, Nothing,
    ),
    "acknowledged, and the router's rows show it": (
        seen(Grant(FULL), acked=Grant(SLOW).fingerprint, acked_at=ago(50), read_to_run=True),
        Grant(SLOW), "mikrotik", False, Nothing,
    ),
    "acknowledged, and the router's rows show something else": (
        seen(Grant(FULL), acked=Grant(SLOW).fingerprint, acked_at=ago(50), read_to_run=False),
        Grant(SLOW), "mikrotik", False, EndSession,
    ),
    "changed by CoA and back, which the router's rows are yet to show": (
        seen(Grant(FULL), acked=Grant(FULL).fingerprint, acked_at=ago(50), to_be_read=True),
        Grant(FULL), "mikrotik", False, AwaitProof,
    ),
    "changed by CoA and back, which the router's rows do not show": (
        seen(Grant(FULL), acked=Grant(FULL).fingerprint, acked_at=ago(50), read_to_run=False),
        Grant(FULL), "mikrotik", False, EndSession,
    ),
    "shown by the router's rows, and wanted no more": (
        seen(Grant(FULL), acked=Grant(SLOW).fingerprint, acked_at=ago(50), read_to_run=True),
        Grant(WALLED), "mikrotik", False, EndSession,
    ),
    "acknowledged a policy that is wanted no more": (
        seen(Grant(FULL), acked=Grant(SLOW).fingerprint, acked_at=ago(50)),
        Grant(WALLED), "mikrotik", False, EndSession,
    ),
    "Disconnect acknowledged a moment ago": (
        seen(Grant(FULL), disconnect_acked_at=ago(5)), Grant(WALLED), "mikrotik", True, AwaitProof,
    ),
    "Disconnect acknowledged, and no Stop came": (
        seen(Grant(FULL), disconnect_acked_at=ago(61)), Grant(WALLED), "mikrotik", True, EndSession,
    ),
    "no Class, begun before the policy": (seen(None), Grant(FULL), "mikrotik", True, EndSession),
    "no Class, begun under the policy": (seen(None, started_at=ago(1)), Grant(FULL), "mikrotik", True, Nothing),
}  # fmt: skip


@pytest.mark.parametrize(("observed", "desired", "vendor", "adopts", "kind"), CASES.values(), ids=CASES.keys())
def test_next_step(observed: Observed, desired: Grant | Denial, vendor: str, adopts: bool, kind: Kind) -> None:
    action = plan(observed, desired, ago(60), VENDORS[vendor], adopts, POLICIES.get, NOW, PROOF)
    assert isinstance(action, kind), action
