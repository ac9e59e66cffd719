"""Tables of the address history: who had which address, what must not be purged, and the key that signs exports.

`address_history` is written once per use of an address, when that is over, and never changed: on PostgreSQL it is
partitioned by the month of `until`, so a month is purged by dropping a table. What goes on, or ended lately, is in
`session` still.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Index, PrimaryKeyConstraint, SmallInteger, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from core.columns import Address, Id, IpAddress, SecretText, UtcDateTime
from core.secrets import Secret
from core.tables import Base

LONG = timedelta(days=32)
"""Few uses last for longer; they have an index of their own, so that for all others a look-up knows where to end."""
LONG_USE = {
    "postgresql": "until - since > interval '32 days'",
    "sqlite": "julianday(until) - julianday(since) > 32",
}
"""The index's condition, which a statement has to repeat to be answered from it."""


class AddressHistory(Base):
    """One use of an address or prefix (`address` is its first, `prefix_length` 32 or 128 for a single one).

    From `since` until before `until`. Its session may be gone from `session`, so it stands for itself. `since` is in
    the primary key because "who had it at" is answered from that index; the columns of fixed length come first because
    PostgreSQL then pads nothing between them.
    """

    __tablename__ = "address_history"
    __table_args__ = (
        PrimaryKeyConstraint("address", "until", "since", "session_id", "prefix_length"),
        Index("ix_address_history_subscription", "subscription_id", "until"),
        Index(
            "ix_address_history_long",
            "address",
            "until",
            "since",
            postgresql_where=text(LONG_USE["postgresql"]),
            sqlite_where=text(LONG_USE["sqlite"]),
        ),
        {"postgresql_partition_by": "RANGE (until)"},
    )

    until: Mapped[datetime] = mapped_column(UtcDateTime)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    session_id: Mapped[int] = mapped_column(BigInteger)
    subscription_id: Mapped[int | None] = mapped_column(BigInteger)
    nas_id: Mapped[int] = mapped_column(BigInteger)
    prefix_length: Mapped[int] = mapped_column(SmallInteger)
    address: Mapped[Address] = mapped_column(IpAddress)
    user_name: Mapped[str] = mapped_column(String(510))
    calling_station_id: Mapped[str] = mapped_column(String(510))
    nas_port_id: Mapped[str] = mapped_column(String(510))
    acct_session_id: Mapped[str] = mapped_column(String(510))


class LegalHold(Base):
    """A court's order to keep the records of an address or a subscription (or, with neither, all) of a time."""

    __tablename__ = "legal_hold"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    reference: Mapped[str] = mapped_column(String(120))
    note: Mapped[str] = mapped_column(Text, default="")
    address: Mapped[Address | None] = mapped_column(IpAddress)
    subscription_id: Mapped[int | None] = mapped_column(BigInteger)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(120))
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    released_by: Mapped[str] = mapped_column(String(120), default="")


class EvidenceKey(Base):
    """An Ed25519 key pair that exports are signed with, both halves raw and in base64; the newest one signs."""

    __tablename__ = "evidence_key"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    public_key: Mapped[str] = mapped_column(String(64))
    private_key: Mapped[Secret] = mapped_column(SecretText)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
