"""Routers that are held over their API, whom they serve, and how far they are in step."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.columns import Id, JsonDict, SecretText, UtcDateTime
from core.database import Base
from core.secrets import Secret


class Router(Base):
    """A MikroTik that is held over the RouterOS API.

    `tls`: off, pinned (to `tls_fingerprint`, SHA-256 in hexadecimal) or ca. `nas_id`: the NAS that it also is.
    `speed_by` and `manages` say what of it is ours (`rows.SpeedBy`, `settings.MANAGES`). `garden`: the walled garden
    that is to be kept on it; None: none. `cut_connections`: who comes to be suspended or paused loses
    the connections that are open. `drift`: repair or report. `removal_cap` None: the product's own.
    `maintenance_since`: no writes since then, plans pile up.
    """

    __tablename__ = "router"
    __table_args__ = (UniqueConstraint("name", name="uq_router_name"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(255))
    port: Mapped[int] = mapped_column(Integer)
    tls: Mapped[str] = mapped_column(String(8))
    tls_fingerprint: Mapped[str] = mapped_column(String(64), default="")
    login: Mapped[str] = mapped_column(String(64))
    password: Mapped[Secret] = mapped_column(SecretText)
    charset: Mapped[str] = mapped_column(String(16))
    nas_id: Mapped[int | None] = mapped_column(BigInteger)
    speed_by: Mapped[str] = mapped_column(String(16))
    manages: Mapped[list[str]] = mapped_column(JsonDict)
    ppp_service: Mapped[str] = mapped_column(String(16), default="pppoe")
    ppp_local_address: Mapped[str] = mapped_column(String(64), default="")
    dhcp_server: Mapped[str] = mapped_column(String(64), default="")
    hotspot_server: Mapped[str] = mapped_column(String(64), default="")
    dhcpv6_server: Mapped[str] = mapped_column(String(64), default="")
    reduced_list: Mapped[str] = mapped_column(String(64), default="")
    warned_list: Mapped[str] = mapped_column(String(64), default="")
    garden: Mapped[dict[str, Any] | None] = mapped_column(JsonDict)
    cut_connections: Mapped[bool] = mapped_column(Boolean, default=True)
    drift: Mapped[str] = mapped_column(String(8))
    check_minutes: Mapped[int] = mapped_column(Integer)
    writes_per_second: Mapped[int] = mapped_column(Integer)
    removal_cap: Mapped[int | None] = mapped_column(Integer)
    timeout_seconds: Mapped[int] = mapped_column(Integer)
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    maintenance_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    maintenance_note: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RouterService(Base):
    """That a router serves a subscription, and how (`access`, see `rows.Access`).

    `removed_at`: it does so no more; the row stays until its rows are proven gone. `touched_at`: when facts last
    changed that may change its rows; None: none since the router was proven to have them.
    """

    __tablename__ = "router_service"
    __table_args__ = (
        Index("ix_router_service_subscription", "subscription_id"),
        Index("ix_router_service_touched", "router_id", "touched_at"),
    )

    router_id: Mapped[int] = mapped_column(ForeignKey("router.id"), primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id"), primary_key=True)
    access: Mapped[str] = mapped_column(String(8))
    dhcp_server: Mapped[str] = mapped_column(String(64), default="")
    duid: Mapped[str] = mapped_column(String(260), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    touched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RouterConvergence(Base):
    """The record of one subscription on one router (`subscription_id` 0: the router's own rows).

    Fingerprints are of the rows that the facts demand and of those that were last seen; "" for none.
    `differs_since` None: proven equal at `observed_at`, which is when the record last changed. `proven_fingerprint` is
    what was last proven: where it is what is desired, a difference is drift, not delay.
    """

    __tablename__ = "router_convergence"
    __table_args__ = (Index("ix_router_convergence_differs", "differs_since", "router_id"),)

    router_id: Mapped[int] = mapped_column(ForeignKey("router.id"), primary_key=True)
    subscription_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    desired_fingerprint: Mapped[str] = mapped_column(String(32), default="")
    observed_fingerprint: Mapped[str] = mapped_column(String(32), default="")
    proven_fingerprint: Mapped[str] = mapped_column(String(32), default="")
    observed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    differs_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    why: Mapped[str] = mapped_column(Text, default="")


class RouterStatus(Base):
    """How a router stands: what it said of itself, how talking to it goes, and its last plan.

    `failures` in a row and `retry_at` are the circuit breaker's; `trouble` is the last one's words. `full_at`: when all
    of it was last read. `plan` is the last plan's counts by kind of step; `held`: removals that the guard holds back.
    """

    __tablename__ = "router_status"

    router_id: Mapped[int] = mapped_column(ForeignKey("router.id"), primary_key=True, autoincrement=False)
    version: Mapped[str] = mapped_column(String(32), default="")
    identity: Mapped[str] = mapped_column(String(128), default="")
    board: Mapped[str] = mapped_column(String(128), default="")
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    full_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failures: Mapped[int] = mapped_column(Integer, default=0)
    retry_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    trouble: Mapped[str] = mapped_column(Text, default="")
    trouble_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    plan: Mapped[dict[str, Any]] = mapped_column(JsonDict, default=dict)
    plan_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    held: Mapped[int] = mapped_column(Integer, default=0)


class RouterDrift(Base):
    """One row of ours that somebody changed at the router: what, since when it is known, who the log names.

    `kind`: changed, removed, added; `status`: open, repaired, gone. `details`: field → [ours, theirs], secrets masked.
    """

    __tablename__ = "router_drift"
    __table_args__ = (
        Index("ix_router_drift_router", "router_id", "id"),
        Index("ix_router_drift_open", "router_id", "status"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    router_id: Mapped[int] = mapped_column(ForeignKey("router.id"))
    subscription_id: Mapped[int | None] = mapped_column(BigInteger)
    menu: Mapped[str] = mapped_column(String(40))
    key: Mapped[str] = mapped_column(String(120))
    name: Mapped[str] = mapped_column(String(255), default="")
    kind: Mapped[str] = mapped_column(String(8))
    details: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    found_at: Mapped[datetime] = mapped_column(UtcDateTime)
    who: Mapped[str] = mapped_column(Text, default="")
    status: Mapped[str] = mapped_column(String(8))
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
