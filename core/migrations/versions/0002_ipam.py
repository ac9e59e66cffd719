"""ipam: the first tables"""

import sqlalchemy as sa
from alembic import op

from core.columns import Id, IpAddress, JsonDict, SecretText, UtcDateTime

revision = "0002_ipam"
down_revision = "0001_core"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "address_plan",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "folder",
        sa.Column("id", Id, primary_key=True),
        sa.Column("parent_id", Id, sa.ForeignKey("folder.id")),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("parent_id", "name"),
    )
    at_top = sa.text("parent_id IS NULL")
    op.create_index("uq_folder_top_name", "folder", ["name"], unique=True, sqlite_where=at_top, postgresql_where=at_top)
    op.create_table(
        "subnet",
        sa.Column("id", Id, primary_key=True),
        sa.Column("folder_id", Id, sa.ForeignKey("folder.id"), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("family", sa.SmallInteger, nullable=False),
        sa.Column("first", IpAddress, nullable=False),
        sa.Column("last", IpAddress, nullable=False),
        sa.Column("prefix_length", sa.SmallInteger, nullable=False),
        sa.Column("gateway", IpAddress),
        sa.Column("quarantine_days", sa.SmallInteger),
        sa.Column("high_water", IpAddress, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("folder_id", "name"),
        sa.UniqueConstraint("family", "first"),
        sa.CheckConstraint("family IN (4, 6)", name="family"),
        sa.CheckConstraint("first <= last", name="order"),
    )
    op.create_table(
        "reserved_range",
        sa.Column("id", Id, primary_key=True),
        sa.Column("subnet_id", Id, sa.ForeignKey("subnet.id"), nullable=False),
        sa.Column("first", IpAddress, nullable=False),
        sa.Column("last", IpAddress, nullable=False),
        sa.Column("purpose", sa.String(200), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("subnet_id", "first"),
        sa.CheckConstraint("first <= last", name="order"),
    )
    op.create_table(
        "given_address",
        sa.Column("address", IpAddress, primary_key=True),
        sa.Column("family", sa.SmallInteger, nullable=False),
        sa.Column("subnet_id", Id, sa.ForeignKey("subnet.id"), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("subscription_id", sa.BigInteger),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.Column("quarantined_until", UtcDateTime),
        sa.UniqueConstraint("subscription_id", "family"),
        sa.CheckConstraint("state IN ('assigned', 'quarantined', 'free')", name="state"),
        sa.CheckConstraint("(state = 'assigned') = (subscription_id IS NOT NULL)", name="holder"),
        sa.CheckConstraint("(state = 'quarantined') = (quarantined_until IS NOT NULL)", name="quarantine"),
    )
    op.create_index("ix_given_address_lowest", "given_address", ["subnet_id", "state", "address"])
    op.create_index("ix_given_address_quarantine", "given_address", ["subnet_id", "state", "quarantined_until"])
    op.create_table(
        "address_tenure",
        sa.Column("id", Id, primary_key=True),
        sa.Column("address", IpAddress, nullable=False),
        sa.Column("subscription_id", sa.BigInteger, nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.Column("until", UtcDateTime),
    )
    op.create_index("ix_address_tenure_address", "address_tenure", ["address", "since"])
    op.create_index("ix_address_tenure_subscription", "address_tenure", ["subscription_id", "since"])
    still = sa.text("until IS NULL")
    op.create_index(
        "uq_address_tenure_open", "address_tenure", ["address"], unique=True, sqlite_where=still, postgresql_where=still
    )
