"""Subscribers, plans, subscriptions, and the facts that decide a subscription's service."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Date, ForeignKey, Index, Integer, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.columns import Id, JsonDefault, JsonDict, SecretText, UtcDateTime
from core.database import Base
from core.secrets import Secret

_NOT_CANCELLED = text("cancelled_at IS NULL")
_WAITING_TO_MIGRATE = text("installed_at IS NULL AND cancelled_at IS NULL")
_LEARNING = text("mac_binding = 'learn' AND bound_mac IS NULL")


class Subscriber(Base):
    """A person (CPF) or a company (CNPJ). `document` holds digits and letters only and is unique."""

    __tablename__ = "subscriber"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    name: Mapped[str] = mapped_column(String(200), index=True)
    document: Mapped[str] = mapped_column(String(14), unique=True)
    email: Mapped[str] = mapped_column(String(200), default="")
    phone: Mapped[str] = mapped_column(String(32), default="")
    birth_date: Mapped[date | None] = mapped_column(Date)
    city: Mapped[str] = mapped_column(String(120), default="")
    region: Mapped[str] = mapped_column(String(2), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Plan(Base):
    """What is sold: price and speeds; speeds are bits per second, from the subscriber's side."""

    __tablename__ = "plan"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    price_cents: Mapped[int] = mapped_column(BigInteger)
    download_bps: Mapped[int] = mapped_column(BigInteger)
    upload_bps: Mapped[int] = mapped_column(BigInteger)
    reduced_download_bps: Mapped[int | None] = mapped_column(BigInteger)
    reduced_upload_bps: Mapped[int | None] = mapped_column(BigInteger)
    technology: Mapped[str] = mapped_column(String(40), default="")
    group: Mapped[str] = mapped_column("group_name", String(64), default="")
    pool: Mapped[str] = mapped_column(String(64), default="")
    address_list: Mapped[str] = mapped_column(String(64), default="")
    ipv6_pool: Mapped[str] = mapped_column(String(64), default="", server_default=text("''"))
    delegated_ipv6_pool: Mapped[str] = mapped_column(String(64), default="", server_default=text("''"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Subscription(Base):
    """One service of a subscriber.

    `installed_at`, `cancelled_at` and the tables below are facts. `state`, `state_since`, `desired_fingerprint`,
    `desired_since`, `next_change_at` and `record_digest` are what followed from them at the last evaluation: kept
    for lists and for the planner, never read to decide.

    Where it may be used: `session_limit` sessions at once (0: any number), from `bound_mac` once `mac_binding` ("off",
    "learn", "pinned") has one, only at `allowed_nas_id` and there at `allowed_nas_port`, where they are set. Sessions
    up to the number `mac_learns_after` teach no address.

    `price_cents`: its own price; None: the plan's. `migrates_from_id`: the subscription that it takes or took the place
    of; until it is installed it awaits that migration, one for each old subscription.
    """

    __tablename__ = "subscription"
    __table_args__ = (
        Index(
            "uq_subscription_login", "login", unique=True, sqlite_where=_NOT_CANCELLED, postgresql_where=_NOT_CANCELLED
        ),
        Index("uq_subscription_mac", "mac", unique=True, sqlite_where=_NOT_CANCELLED, postgresql_where=_NOT_CANCELLED),
        Index("ix_subscription_state", "state", "id"),
        Index(
            "uq_subscription_migrates_from",
            "migrates_from_id",
            unique=True,
            sqlite_where=_WAITING_TO_MIGRATE,
            postgresql_where=_WAITING_TO_MIGRATE,
        ),
        Index("ix_subscription_learning", "id", sqlite_where=_LEARNING, postgresql_where=_LEARNING),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscriber.id"), index=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id"), index=True)
    login: Mapped[str | None] = mapped_column(String(128))
    password: Mapped[Secret | None] = mapped_column(SecretText)
    mac: Mapped[str | None] = mapped_column(String(17))
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    installed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    protocol: Mapped[str] = mapped_column(String(32), default="")
    state: Mapped[str] = mapped_column(String(20), default="PENDING_INSTALL")
    state_since: Mapped[datetime] = mapped_column(UtcDateTime)
    desired_fingerprint: Mapped[str] = mapped_column(String(40), default="")
    desired_since: Mapped[datetime] = mapped_column(UtcDateTime)
    next_change_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    record_digest: Mapped[str] = mapped_column(String(32), default="")
    session_limit: Mapped[int] = mapped_column(Integer, default=1, server_default="1")
    mac_binding: Mapped[str] = mapped_column(String(8), default="off", server_default="off")
    bound_mac: Mapped[str | None] = mapped_column(String(17))
    mac_learns_after: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    allowed_nas_id: Mapped[int | None] = mapped_column(BigInteger)
    allowed_nas_port: Mapped[str] = mapped_column(String(128), default="", server_default=text("''"))
    price_cents: Mapped[int | None] = mapped_column(BigInteger)
    migrates_from_id: Mapped[int | None] = mapped_column(BigInteger, index=True)

    subscriber: Mapped[Subscriber] = relationship(lazy="joined", innerjoin=True)
    plan: Mapped[Plan] = relationship(lazy="joined", innerjoin=True)


class TrustUnblockRow(Base):
    """A trust unblock. `until` is mandatory; ending it early moves `until` to that instant.

    Granted under version `rule_version` of the rules (0: the settings' own), through `channel` (operator,
    self-service); `beyond_rules`: somebody with the permission granted what they refuse.
    """

    __tablename__ = "trust_unblock"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id"), index=True)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
    note: Mapped[str] = mapped_column(Text)
    granted_by: Mapped[str] = mapped_column(String(120))
    rule_version: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    protocol: Mapped[str] = mapped_column(String(32), default="", server_default=text("''"))
    channel: Mapped[str] = mapped_column(String(64), default="operator", server_default="operator")
    beyond_rules: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())


class SpeedOverrideRow(Base):
    """A custom speed; the newest one that holds counts."""

    __tablename__ = "speed_override"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id"), index=True)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    download_bps: Mapped[int] = mapped_column(BigInteger)
    upload_bps: Mapped[int] = mapped_column(BigInteger)
    note: Mapped[str] = mapped_column(Text, default="")


class PauseRow(Base):
    """A pause at the subscriber's request, with or without a planned end.

    `return_note` is for whoever sees it come back; `ended_by` is who ended it before its time, "" for nobody.
    """

    __tablename__ = "pause"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id"), index=True)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    note: Mapped[str] = mapped_column(Text, default="")
    return_note: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    ended_by: Mapped[str] = mapped_column(String(120), default="", server_default=text("''"))


class RestrictionOrderRow(Base):
    """An order to restrict, with the invoices and the rule that justified it; `evidence` is what it was decided by."""

    __tablename__ = "restriction_order"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id"), index=True)
    level: Mapped[str] = mapped_column(String(8))
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    lapsed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    invoice_ids: Mapped[list[int]] = mapped_column(JsonDict)
    minimum_open_cents: Mapped[int] = mapped_column(BigInteger, default=0)
    rule: Mapped[str] = mapped_column(String(120), default="")
    run: Mapped[str] = mapped_column(String(64), default="")
    ordered_by: Mapped[str] = mapped_column(String(120))
    evidence: Mapped[dict[str, Any]] = mapped_column(JsonDict, default=dict, server_default=JsonDefault("{}"))
    rule_version: Mapped[int | None] = mapped_column(Integer)


class Debt(Base):
    """What is open on one invoice for one subscription, as billing last said; zero when it is settled."""

    __tablename__ = "debt"

    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id"), primary_key=True)
    invoice_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    due_on: Mapped[date] = mapped_column(Date)
    open_cents: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class TimelineEntry(Base):
    """One thing that happened to a subscription: who, when, from, to, why."""

    __tablename__ = "timeline_entry"
    __table_args__ = (Index("ix_timeline_entry_subscription", "subscription_id", "id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    event: Mapped[str] = mapped_column(String(48))
    actor: Mapped[str] = mapped_column(String(120))
    source: Mapped[str] = mapped_column(String(16))
    state_before: Mapped[str] = mapped_column(String(20), default="")
    state_after: Mapped[str] = mapped_column(String(20), default="")
    details: Mapped[dict[str, Any]] = mapped_column(JsonDict, default=dict)
    note: Mapped[str] = mapped_column(Text, default="")


class Divergence(Base):
    """A live session that does not run, or is not proven to run, the policy its subscription should have.

    `status`: pending, acknowledged (the NAS ACKed; proof is awaited), failing. The row goes away with the proof.
    """

    __tablename__ = "divergence"

    session_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id"), index=True)
    nas_id: Mapped[int] = mapped_column(Id, index=True)
    desired_fingerprint: Mapped[str] = mapped_column(String(40))
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    status: Mapped[str] = mapped_column(String(16))
    action: Mapped[str] = mapped_column(String(16), default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    tried_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
