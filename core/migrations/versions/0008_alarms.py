"""alarms and protocol numbers"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.columns import Id, JsonDict, UtcDateTime

revision = "0008_alarms"
down_revision = "0007_radius_scale"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alarm",
        sa.Column("id", Id, primary_key=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("raised_at", UtcDateTime, nullable=False),
        sa.Column("cleared_at", UtcDateTime),
        sa.Column("cleared_by", sa.String(120), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    still_open = sa.text("cleared_at IS NULL")
    op.create_index(
        "uq_alarm_open", "alarm", ["kind", "subject"], unique=True, sqlite_where=still_open, postgresql_where=still_open
    )
    op.create_table(
        "protocol",
        sa.Column("id", Id, primary_key=True),
        sa.Column("number", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger, nullable=False),
        sa.Column("subscription_id", sa.BigInteger),
        sa.Column("issued_at", UtcDateTime, nullable=False),
        sa.Column("issued_by", sa.String(120), nullable=False),
        sa.Column("details", JsonDict, nullable=False),
        sa.UniqueConstraint("number", name="uq_protocol_number"),
    )
    op.create_index("ix_protocol_subscriber_id", "protocol", ["subscriber_id"])
    op.create_index("ix_protocol_subscription_id", "protocol", ["subscription_id"])
