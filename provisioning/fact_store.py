"""Reading the facts of many subscriptions at once: one query a kind of fact, never one a subscription."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Network
from typing import Any

from sqlalchemy import Row, String, select, type_coerce
from sqlalchemy.orm import Session

from core.among import among
from core.database import Transaction
from core.settings import Settings
from ipam.lookup import fixed_addresses_of
from ipam.routed import Prefix, Purpose, prefixes_of
from provisioning.facts import (
    Facts,
    Level,
    Pause,
    RestrictionOrder,
    ServiceRules,
    Speed,
    SpeedOverride,
    TrustUnblock,
)
from provisioning.models import (
    PauseRow,
    Plan,
    RestrictionOrderRow,
    SpeedOverrideRow,
    Subscription,
    TrustUnblockRow,
)
from radius.records import USUAL, Limits

_COLUMNS = (
    Subscription.id,
    Subscription.login,
    type_coerce(Subscription.password, String).label("password"),
    Subscription.mac,
    Subscription.installed_at,
    Subscription.cancelled_at,
    Subscription.state,
    Subscription.desired_fingerprint,
    Subscription.next_change_at,
    Subscription.record_digest,
    Subscription.session_limit,
    Subscription.mac_binding,
    Subscription.bound_mac,
    Subscription.allowed_nas_id,
    Subscription.allowed_nas_port,
    Subscription.migrates_from_id,
    Plan.download_bps,
    Plan.upload_bps,
    Plan.reduced_download_bps,
    Plan.reduced_upload_bps,
    Plan.pool,
    Plan.group.label("group_name"),
    Plan.address_list,
    Plan.ipv6_pool,
    Plan.delegated_ipv6_pool,
)


_UNREAD = frozenset({"evidence"})
"""Big and beside the point: no state follows from it."""


@dataclass(frozen=True, slots=True)
class Known:
    """A subscription's facts, with what was last concluded from them.

    `password` is as the database holds it, encrypted: opening it costs more than the evaluation, and only a record
    that is published needs it.
    """

    subscription_id: int
    login: str | None
    password: str | None = field(repr=False)
    mac: str | None
    facts: Facts
    state: str
    desired_fingerprint: str
    next_change_at: Any
    record_digest: str
    limits: Limits = USUAL


def rules_from(settings: Settings) -> ServiceRules:
    """The company's rules as the settings give them."""
    return ServiceRules(
        reduced=Speed(settings.reduced_bps, settings.reduced_bps),
        suspended=Speed(settings.suspended_bps, settings.suspended_bps),
        suspended_address_list=settings.suspended_address_list,
        paused_address_list=settings.paused_address_list,
        interim_seconds=settings.interim_seconds,
    )


def load_known(tx: Transaction, ids: Sequence[int], *, lock: bool = False) -> list[Known]:
    """The subscriptions of `ids` that exist, in order of id; `lock` keeps others from changing them meanwhile."""
    query = select(*_COLUMNS).join(Plan, Plan.id == Subscription.plan_id).where(among(tx.session, Subscription.id, ids))
    if lock:
        query = query.with_for_update(of=Subscription, key_share=True)
    rows = tx.session.execute(query.order_by(Subscription.id)).all()
    related = _Related(tx.session, ids)
    addresses, prefixes = fixed_addresses_of(tx, ids), prefixes_of(tx, ids)
    return [_known(row, related, addresses.get(row.id), prefixes.get(row.id, ())) for row in rows]


class _Related:
    """The intervals of many subscriptions, by kind and subscription."""

    def __init__(self, session: Session, ids: Sequence[int]) -> None:
        self.pauses: dict[int, list[Pause]] = defaultdict(list)
        self.trusts: dict[int, list[TrustUnblock]] = defaultdict(list)
        self.overrides: dict[int, list[SpeedOverride]] = defaultdict(list)
        self.orders: dict[int, list[RestrictionOrder]] = defaultdict(list)
        for row in _rows(session, PauseRow, ids):
            pause = Pause(row.since, row.until, row.note, row.id, row.return_note, row.ended_by)
            self.pauses[row.subscription_id].append(pause)
        for row in _rows(session, TrustUnblockRow, ids):
            self.trusts[row.subscription_id].append(TrustUnblock(row.since, row.until, row.note, row.id))
        for row in _rows(session, SpeedOverrideRow, ids):
            speed = Speed(row.download_bps, row.upload_bps)
            self.overrides[row.subscription_id].append(SpeedOverride(row.since, row.until, speed, row.id))
        for row in _rows(session, RestrictionOrderRow, ids):
            self.orders[row.subscription_id].append(order_fact(row))


def order_fact(row: Any) -> RestrictionOrder:
    """A stored order as the pure functions want it."""
    return RestrictionOrder(
        Level(row.level), row.since, row.lapsed_at, tuple(row.invoice_ids), row.rule, row.run, row.id
    )


def _rows(session: Session, table: Any, ids: Sequence[int]) -> Sequence[Row[Any]]:
    columns = [column for column in table.__table__.columns if column.name not in _UNREAD]
    query = select(*columns).where(among(session, table.subscription_id, ids))
    return session.execute(query.order_by(table.id)).all()


def _known(row: Any, related: _Related, address: IPv4Address | None, prefixes: Sequence[Prefix]) -> Known:
    reduced = None
    if row.reduced_download_bps and row.reduced_upload_bps:
        reduced = Speed(row.reduced_download_bps, row.reduced_upload_bps)
    facts = Facts(
        plan_speed=Speed(row.download_bps, row.upload_bps),
        reduced_speed=reduced,
        pool=row.pool,
        group=row.group_name,
        address_list=row.address_list,
        ipv6_pool=row.ipv6_pool,
        delegated_ipv6_pool=row.delegated_ipv6_pool,
        framed_ip_address=address,
        framed_ipv6_prefix=_ipv6(prefixes, Purpose.FRAMED),
        delegated_ipv6_prefix=_ipv6(prefixes, Purpose.DELEGATED),
        routes=tuple(prefix.network for prefix in prefixes if prefix.purpose is Purpose.ROUTE),
        installed_at=row.installed_at,
        cancelled_at=row.cancelled_at,
        awaits_migration=row.migrates_from_id is not None,
        migrates_from_id=row.migrates_from_id,
        pauses=tuple(related.pauses.get(row.id, ())),
        trusts=tuple(related.trusts.get(row.id, ())),
        orders=tuple(related.orders.get(row.id, ())),
        overrides=tuple(related.overrides.get(row.id, ())),
    )
    return Known(
        row.id, row.login, row.password, row.mac, facts,
        row.state, row.desired_fingerprint, row.next_change_at, row.record_digest, _limits(row),
    )  # fmt: skip


def _ipv6(prefixes: Sequence[Prefix], purpose: Purpose) -> IPv6Network | None:
    """The one prefix of this purpose, where there is one."""
    networks = (prefix.network for prefix in prefixes if prefix.purpose is purpose)
    return next((network for network in networks if isinstance(network, IPv6Network)), None)


def _limits(row: Any) -> Limits:
    bound = row.bound_mac if row.mac_binding != "off" else None
    mac = None if bound is None else bytes.fromhex(bound.replace(":", ""))
    return Limits(row.session_limit, mac, row.allowed_nas_id, row.allowed_nas_port)
