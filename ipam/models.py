"""The tables of address management.

A subnet is never materialised: `given_address` has a row only for an address that was given at least once, and the
subnet's high-water mark says from where on nobody has looked yet. A /8 therefore costs one row. Addresses are 4 or 16
bytes with a family beside them, so that IPv6 needs no other tables; subnets of one family never overlap, which makes
the address alone the primary key, and a second holder a violation of it.
"""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, SmallInteger, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.columns import Address, Id, IpAddress, UtcDateTime
from core.tables import Base
from ipam.space import Block, Network

ASSIGNED, QUARANTINED, FREE = "assigned", "quarantined", "free"


class AddressPlan(Base):
    """One row (id 1, written by the first change) that every change of folders and subnets locks.

    Such changes are rare and made by people; one after the other, none can create an overlap, a name twice, a circle
    of folders or a subnet in a folder that is being deleted. `revision` counts them.
    """

    __tablename__ = "address_plan"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    revision: Mapped[int] = mapped_column(BigInteger)


class Folder(Base):
    """A node of the tree that subnets are filed in; `parent_id` None: at the top. Names are unique among siblings."""

    __tablename__ = "folder"
    __table_args__ = (
        UniqueConstraint("parent_id", "name"),
        Index(
            "uq_folder_top_name",
            "name",
            unique=True,
            sqlite_where=text("parent_id IS NULL"),
            postgresql_where=text("parent_id IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("folder.id"))
    name: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Subnet(Base):
    """A network of which fixed addresses are given.

    `first` and `last` are the network's lowest and highest address. `quarantine_days` None: the company's setting.
    `high_water`: every givable address below it has a row in `given_address`; may lie one behind `last`.
    """

    __tablename__ = "subnet"
    __table_args__ = (
        UniqueConstraint("folder_id", "name"),
        UniqueConstraint("family", "first"),
        CheckConstraint("family IN (4, 6)", name="family"),
        CheckConstraint("first <= last", name="order"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    folder_id: Mapped[int] = mapped_column(ForeignKey("folder.id"))
    name: Mapped[str] = mapped_column(String(80))
    family: Mapped[int] = mapped_column(SmallInteger)
    first: Mapped[Address] = mapped_column(IpAddress)
    last: Mapped[Address] = mapped_column(IpAddress)
    prefix_length: Mapped[int] = mapped_column(SmallInteger)
    gateway: Mapped[Address | None] = mapped_column(IpAddress)
    quarantine_days: Mapped[int | None] = mapped_column(SmallInteger)
    high_water: Mapped[Address] = mapped_column(IpAddress)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def network(self) -> Network:
        kind = IPv4Network if self.family == 4 else IPv6Network
        return kind((int(self.first), self.prefix_length))

    @property
    def cidr(self) -> str:
        return f"{self.first}/{self.prefix_length}"

    @property
    def label(self) -> str:
        """How messages name it: `Residential (10.0.0.0/24)`."""
        return f"{self.name} ({self.cidr})"

    def at(self, value: int) -> Address:
        """The address with this number, in the subnet's family."""
        return IPv4Address(value) if self.family == 4 else IPv6Address(value)


class ReservedRange(Base):
    """Addresses `first` to `last`, both included, that are never given; `purpose` says to people what for."""

    __tablename__ = "reserved_range"
    __table_args__ = (UniqueConstraint("subnet_id", "first"), CheckConstraint("first <= last", name="order"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subnet_id: Mapped[int] = mapped_column(ForeignKey("subnet.id"))
    first: Mapped[Address] = mapped_column(IpAddress)
    last: Mapped[Address] = mapped_column(IpAddress)
    purpose: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def block(self) -> Block:
        return Block(int(self.first), int(self.last))


class GivenAddress(Base):
    """An address that was given at least once, and how it stands now: assigned, quarantined or free.

    The constraints are what forbids two holders: one row an address, one address of a family a subscription, and a
    holder exactly when assigned. A quarantine that is over may still stand as `quarantined`; see `ipam.vacancy`.
    `since`: of the present state.
    """

    __tablename__ = "given_address"
    __table_args__ = (
        UniqueConstraint("subscription_id", "family"),
        CheckConstraint("state IN ('assigned', 'quarantined', 'free')", name="state"),
        CheckConstraint("(state = 'assigned') = (subscription_id IS NOT NULL)", name="holder"),
        CheckConstraint("(state = 'quarantined') = (quarantined_until IS NOT NULL)", name="quarantine"),
        # Full indexes: SQLite ignores a partial one until somebody runs ANALYZE.
        Index("ix_given_address_lowest", "subnet_id", "state", "address"),
        Index("ix_given_address_quarantine", "subnet_id", "state", "quarantined_until"),
    )

    address: Mapped[Address] = mapped_column(IpAddress, primary_key=True)
    family: Mapped[int] = mapped_column(SmallInteger)
    subnet_id: Mapped[int] = mapped_column(ForeignKey("subnet.id"))
    state: Mapped[str] = mapped_column(String(12))
    subscription_id: Mapped[int | None] = mapped_column(BigInteger)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    quarantined_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AddressTenure(Base):
    """Who had an address, from `since` until before `until` (None: still). Outlives the subnet: no foreign key."""

    __tablename__ = "address_tenure"
    __table_args__ = (
        Index("ix_address_tenure_address", "address", "since"),
        Index("ix_address_tenure_subscription", "subscription_id", "since"),
        Index(
            "uq_address_tenure_open",
            "address",
            unique=True,
            sqlite_where=text("until IS NULL"),
            postgresql_where=text("until IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    address: Mapped[Address] = mapped_column(IpAddress)
    subscription_id: Mapped[int] = mapped_column(BigInteger)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RoutedPrefix(Base):
    """A prefix that is routed to one subscription: its `framed` or `delegated` IPv6 prefix, or a `route`."""

    __tablename__ = "routed_prefix"
    __table_args__ = (
        UniqueConstraint("family", "first", name="uq_routed_prefix_family_first"),
        Index("ix_routed_prefix_subscription", "subscription_id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subscription_id: Mapped[int] = mapped_column(BigInteger)
    purpose: Mapped[str] = mapped_column(String(10))
    family: Mapped[int] = mapped_column(SmallInteger)
    first: Mapped[Address] = mapped_column(IpAddress)
    last: Mapped[Address] = mapped_column(IpAddress)
    prefix_length: Mapped[int] = mapped_column(SmallInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CgnatRule(Base):
    """How inside addresses share outside ones in a time: each has a block of `block_size` ports (`ipam.cgnat`)."""

    __tablename__ = "cgnat_rule"
    __table_args__ = (
        Index("ix_cgnat_rule_outside", "outside_first"),
        Index("ix_cgnat_rule_inside", "inside_first"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    inside_first: Mapped[Address] = mapped_column(IpAddress)
    inside_last: Mapped[Address] = mapped_column(IpAddress)
    outside_first: Mapped[Address] = mapped_column(IpAddress)
    outside_last: Mapped[Address] = mapped_column(IpAddress)
    first_port: Mapped[int]
    last_port: Mapped[int]
    block_size: Mapped[int]
    layout: Mapped[str] = mapped_column(String(10))
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
