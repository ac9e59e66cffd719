"""What to do about one live session: desired state against observed state. Pure; planning twice plans nothing.

The observed policy is what the session itself tells: the `Class` that its accounting echoes (`granted`). A
CoA-ACK is not proof (some NAS acknowledge what they ignore), so an acknowledged policy (`acked`) only counts until
the next accounting record speaks. A NAS that does not adopt a `Class` sent by CoA cannot prove a CoA over RADIUS;
its sessions stay `AwaitProof` until they end or another observer reads the router.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from radius.codec import Attribute
from radius.policy import Denial, Grant, Policy
from radius.vendors import Vendor

CLOCK_SLACK = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Observed:
    """One open session. Fingerprints are "" when unknown; `refused_coa`: the NAS NAKed a CoA for `desired`.

    `read_to_run`: the router's own rows, read after it acknowledged `desired`, show it (True), or show something else
    (False); None: nobody read them, or they do not tell. `to_be_read`: they can be read, and were not yet.
    """

    started_at: datetime
    seen_at: datetime
    granted: str
    acked: str = ""
    acked_at: datetime | None = None
    disconnect_acked_at: datetime | None = None
    refused_coa: bool = False
    read_to_run: bool | None = None
    to_be_read: bool = False


@dataclass(frozen=True, slots=True)
class Nothing:
    """The session runs what it should."""


@dataclass(frozen=True, slots=True)
class AwaitProof:
    """Acknowledged; `until` is when to ask again (None: this NAS gives no proof over RADIUS)."""

    until: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class ChangeSession:
    """Send a CoA with these attributes."""

    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class EndSession:
    """Send a Disconnect; the subscriber's next session gets the right policy."""

    reason: str


Action = Nothing | AwaitProof | ChangeSession | EndSession
PolicyOf = Callable[[str], Policy | None]


def plan(
    observed: Observed,
    desired: Grant | Denial,
    desired_since: datetime,
    vendor: Vendor,
    adopts_class: bool,
    policy_of: PolicyOf,
    now: datetime,
    proof: timedelta,
) -> Action:
    """The one next step for this session."""
    if isinstance(desired, Grant) and _runs(observed, desired, desired_since):
        return Nothing()
    if observed.disconnect_acked_at is not None and now < observed.disconnect_acked_at + proof:
        return AwaitProof(observed.disconnect_acked_at + proof, "Disconnect acknowledged, Accounting-Stop awaited")
    if isinstance(desired, Denial):
        return EndSession(f"no service: {desired.reason}")
    if observed.acked == desired.fingerprint and observed.acked_at is not None:
        return _after_ack(observed, observed.acked_at, adopts_class, proof)
    return _towards(observed, desired, vendor, policy_of)


def _runs(observed: Observed, desired: Grant, desired_since: datetime) -> bool:
    if observed.acked == desired.fingerprint and (observed.to_be_read or observed.read_to_run is not None):
        return bool(observed.read_to_run)
    if observed.granted:
        # What was granted may have been changed by a CoA since, with or without proof.
        return observed.granted == desired.fingerprint and observed.acked in ("", desired.fingerprint)
    # A NAS that echoes no Class: a session begun under the present policy runs it.
    return observed.started_at >= desired_since


def _after_ack(observed: Observed, acked_at: datetime, adopts_class: bool, proof: timedelta) -> Action:
    if observed.read_to_run is False:
        return EndSession("the router acknowledged the CoA but its rows show another policy")
    if observed.to_be_read:
        return AwaitProof(None, "CoA acknowledged; the router's rows are to be read")
    if not adopts_class:
        return AwaitProof(None, "CoA acknowledged; this NAS gives no proof over RADIUS")
    if observed.seen_at > acked_at + CLOCK_SLACK:
        return EndSession("the NAS acknowledged the CoA but goes on with the old policy")
    return AwaitProof(acked_at + proof, "CoA acknowledged, accounting with the new Class awaited")


def _as_said(policy: Policy, desired: Grant) -> Policy:
    """The policy without the pools that fixed addresses stand in for: the session was never told of them."""
    return policy.without_pools(
        address=desired.framed_ip_address is not None,
        framed=desired.framed_ipv6_prefix is not None,
        delegated=desired.delegated_ipv6_prefix is not None,
    )


def _towards(observed: Observed, desired: Grant, vendor: Vendor, policy_of: PolicyOf) -> Action:
    running = observed.acked or observed.granted
    old = policy_of(running.partition(".")[0]) if running else None
    if old is None:
        return EndSession("what the session runs is not known")
    if running.partition(".")[2] != desired.fingerprint.partition(".")[2]:
        return EndSession("another fixed address, prefix or route needs a new session")
    changes = vendor.coa_changes(_as_said(old, desired), _as_said(desired.policy, desired))
    if changes is None:
        return EndSession("this change needs a new session on this kind of NAS")
    if not changes:
        return AwaitProof(None, "the difference comes with the next session")
    if observed.refused_coa:
        return EndSession("the NAS refused the CoA")
    return ChangeSession(changes)
