"""Tables of the RADIUS layer: who may ask, what every RADIUS host has to know, who is or was connected.

Nothing here is read while a request is answered; that is `radius.store`'s part. `session` is kept: it is the answer to
"who had this address at that second?". So it names its NAS by number without a foreign key (a NAS goes, its history
stays) and a number is never given to a second NAS (`sqlite_autoincrement`).
"""

from __future__ import annotations

from datetime import date, datetime
from ipaddress import IPv4Address

from sqlalchemy import BigInteger, Boolean, Date, Index, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.columns import Address, Id, IpAddress, SecretText, UtcDateTime
from core.secrets import Secret
from core.tables import Base
from radius.accounting import octets_of
from radius.vendors import SessionIdentity

_FINGERPRINT = String(40).with_variant(String(32), "sqlite")
"""SQLite minds no length, and would have to copy the table to change one."""


class Nas(Base):
    """A RADIUS client: one address (`network` is a /32 or /128) or all of a network, in canonical CIDR notation.

    `coa_echoes_class`: whether a session's accounting shows the Class that a CoA brought, which then is proof.
    `radsec_identity`: the name in its client certificate (RFC 6614); `coa_transport` is "udp" (`coa_port`) or "radsec"
    (`radsec_port`).
    """

    __tablename__ = "nas"
    __table_args__ = (
        UniqueConstraint("name", name="uq_nas_name"),
        UniqueConstraint("network", name="uq_nas_network"),
        Index("uq_nas_radsec_identity", "radsec_identity", unique=True),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    network: Mapped[str] = mapped_column(String(43))
    vendor: Mapped[str] = mapped_column(String(32))
    secret: Mapped[Secret] = mapped_column(SecretText)
    require_message_authenticator: Mapped[bool] = mapped_column(Boolean, default=True)
    mac_auth: Mapped[bool] = mapped_column(Boolean, default=False)
    coa_port: Mapped[int] = mapped_column(Integer)
    coa_echoes_class: Mapped[bool] = mapped_column(Boolean)
    radsec_identity: Mapped[str | None] = mapped_column(String(255))
    coa_transport: Mapped[str] = mapped_column(String(8), default="udp", server_default="udp")
    radsec_port: Mapped[int] = mapped_column(Integer, default=2083, server_default="2083")
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Session(Base):
    """One connection of one subscriber, as its accounting told it; `radius.fold` says how.

    `key` identifies the session as its NAS numbers it; NAS use their numbers again, and `instance` counts that.
    Octets are named as in RFC 2866: input came from the subscriber. `closed_by` says whose word the end is (see
    `radius.fold`); "" while open. The columns `acked_…`, `refused_…` and `disconnect_acked_at` belong to whoever
    converges sessions; accounting that shows another Class resets the first two. `usage_…_octets` are what the counters
    stood at when the company's day `usage_day` began; what came before it is in `usage_day` already.
    `address_since` and `…_prefix_since`: from when on it has its address or prefix, where that is not the one that
    it began with (the use of the one before is in `address_history` already); NULL: since it began. `told` is the
    digest of all but times and counters that an Interim-Update may tell without changing more than those
    (`radius.interim`); NULL: not known.
    """

    __tablename__ = "session"
    __table_args__ = (
        UniqueConstraint("key", "instance", name="uq_session_key_instance"),
        Index("ix_session_subscription", "subscription_id", "stopped_at"),
        Index("ix_session_open", "stopped_at", "nas_id"),
        Index("ix_session_user", "user_name", "stopped_at"),
        Index("ix_session_address", "framed_ip_address", "stopped_at"),
        Index("ix_session_framed_ipv6_prefix", "framed_ipv6_prefix", "stopped_at"),
        Index("ix_session_delegated_ipv6_prefix", "delegated_ipv6_prefix", "stopped_at"),
        Index("ix_session_nas", "nas_id", "id"),
        Index("ix_session_stopped", "stopped_at", "id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    key: Mapped[bytes] = mapped_column(LargeBinary(16))
    instance: Mapped[int] = mapped_column(Integer, default=0)
    nas_id: Mapped[int] = mapped_column(BigInteger)
    nas_address: Mapped[Address] = mapped_column(IpAddress)
    acct_session_id: Mapped[str] = mapped_column(String(510))
    user_name: Mapped[str] = mapped_column(String(510))

    subscription_id: Mapped[int | None] = mapped_column(BigInteger)
    granted_fingerprint: Mapped[str] = mapped_column(_FINGERPRINT, default="")
    granted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    framed_ip_address: Mapped[Address | None] = mapped_column(IpAddress)
    address_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    framed_ipv6_prefix: Mapped[str | None] = mapped_column(String(43))
    delegated_ipv6_prefix: Mapped[str | None] = mapped_column(String(43))
    framed_ipv6_prefix_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delegated_ipv6_prefix_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    address_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    framed_ipv6_prefix_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delegated_ipv6_prefix_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    nas_ip_address: Mapped[Address | None] = mapped_column(IpAddress)
    calling_station_id: Mapped[str] = mapped_column(String(510), default="")
    nas_port_id: Mapped[str] = mapped_column(String(510), default="")

    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    stopped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_by: Mapped[str] = mapped_column(String(16), default="")
    terminate_cause: Mapped[str] = mapped_column(String(32), default="")
    input_octets: Mapped[int] = mapped_column(BigInteger, default=0)
    output_octets: Mapped[int] = mapped_column(BigInteger, default=0)
    session_seconds: Mapped[int] = mapped_column(BigInteger, default=0)
    usage_day: Mapped[date | None] = mapped_column(Date)
    usage_input_octets: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    usage_output_octets: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    told: Mapped[int | None] = mapped_column(BigInteger)

    acked_fingerprint: Mapped[str] = mapped_column(_FINGERPRINT, default="")
    acked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    refused_fingerprint: Mapped[str] = mapped_column(_FINGERPRINT, default="")
    disconnect_acked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def identity(self) -> SessionIdentity:
        """What a CoA or Disconnect names it by, in the NAS's own octets."""
        return SessionIdentity(
            octets_of(self.user_name),
            octets_of(self.acct_session_id),
            self.framed_ip_address if isinstance(self.framed_ip_address, IPv4Address) else None,
            self.nas_ip_address if isinstance(self.nas_ip_address, IPv4Address) else None,
        )


class ReplicaEntry(Base):
    """What every RADIUS host must know under `key`; NULL: it must forget. `revision` is of the last change."""

    __tablename__ = "replica_entry"
    __table_args__ = (Index("ix_replica_entry_revision", "revision"),)

    key: Mapped[bytes] = mapped_column(LargeBinary(255), primary_key=True)
    revision: Mapped[int] = mapped_column(BigInteger)
    value: Mapped[bytes | None] = mapped_column(LargeBinary)


class ReplicaCounter(Base):
    """One row: the last revision, and a random name of this feed, so that no replica mistakes another one for it.

    Keys that were to be forgotten by `purged_revision` may be gone from the feed (`radius.replica_purge`).
    """

    __tablename__ = "replica_counter"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    revision: Mapped[int] = mapped_column(BigInteger)
    feed: Mapped[str] = mapped_column(String(32))
    purged_revision: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")


class ReplicaHost(Base):
    """How far a RADIUS host has got. `seen_at` is the machine's time; `live` is false after an orderly stop."""

    __tablename__ = "replica_host"

    host: Mapped[str] = mapped_column(String(128), primary_key=True)
    applied_revision: Mapped[int] = mapped_column(BigInteger)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    live: Mapped[bool] = mapped_column(Boolean)


class SpoolPosition(Base):
    """How far the spool of one host is in `session`; written in the transaction that writes the sessions.

    Everything received until `caught_up_at` is in the database. Accounting has been listened to without a gap since
    `listening_since` (product's clock); `seen_at` is when that was last said.
    """

    __tablename__ = "spool_position"

    spool: Mapped[str] = mapped_column(String(64), primary_key=True)
    segment: Mapped[int] = mapped_column(BigInteger)
    offset: Mapped[int] = mapped_column(BigInteger)
    caught_up_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    listening_since: Mapped[datetime] = mapped_column(UtcDateTime)


class UsageDay(Base):
    """What a subscription has moved on one of the company's days, of the days that its sessions have left behind.

    The present day of an open session is its counters less `Session.usage_…_octets`.
    """

    __tablename__ = "usage_day"

    subscription_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    input_octets: Mapped[int] = mapped_column(BigInteger)
    output_octets: Mapped[int] = mapped_column(BigInteger)


class AccessReject(Base):
    """Access-Rejects of one kind (login, reason, NAS and caller make the `key`): when first and last, how often."""

    __tablename__ = "access_reject"
    __table_args__ = (
        UniqueConstraint("key", name="uq_access_reject_key"),
        Index("ix_access_reject_subscription", "subscription_id", "last_at"),
        Index("ix_access_reject_login", "login", "last_at"),
        Index("ix_access_reject_last_at", "last_at"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    key: Mapped[bytes] = mapped_column(LargeBinary(16))
    subscription_id: Mapped[int | None] = mapped_column(BigInteger)
    login: Mapped[str] = mapped_column(String(510))
    reason: Mapped[str] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(String(255))
    nas_id: Mapped[int] = mapped_column(BigInteger)
    calling_station_id: Mapped[str] = mapped_column(String(510))
    first_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    times: Mapped[int] = mapped_column(BigInteger)


class NasSighting(Base):
    """When a NAS last sent an Access-Request with Message-Authenticator, without, and one refused for the lack."""

    __tablename__ = "nas_sighting"

    nas_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    signed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    unsigned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    refused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
