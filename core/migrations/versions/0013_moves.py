"""migrations, transfers, mass changes"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.columns import Id, JsonDict, UtcDateTime

revision = "0013_moves"
down_revision = "0012_procedures"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("subscription", sa.Column("price_cents", sa.BigInteger))
    op.add_column("subscription", sa.Column("migrates_from_id", sa.BigInteger))
    waiting = sa.text("installed_at IS NULL AND cancelled_at IS NULL")
    op.create_index(
        "uq_subscription_migrates_from", "subscription", ["migrates_from_id"], unique=True,
        sqlite_where=waiting, postgresql_where=waiting,
    )
    op.create_index("ix_subscription_migrates_from_id", "subscription", ["migrates_from_id"])
    op.create_table(
        "subscriber_entry",
        sa.Column("id", Id, primary_key=True),
        sa.Column("subscriber_id", Id, sa.ForeignKey("subscriber.id"), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("event", sa.String(48), nullable=False),
        sa.Column("actor", sa.String(120), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("details", JsonDict, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_index("ix_subscriber_entry_subscriber", "subscriber_entry", ["subscriber_id", "id"])
    _mass_change()


def _mass_change() -> None:
    op.create_table(
        "mass_change",
        sa.Column("id", Id, primary_key=True),
        sa.Column("plan_id", Id, sa.ForeignKey("plan.id"), nullable=False),
        sa.Column("change_price", sa.Boolean, nullable=False),
        sa.Column("selection", JsonDict, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(120), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("finished_at", UtcDateTime),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("skipped", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("cursor", Id, nullable=False),
    )
    op.create_table(
        "mass_change_row",
        sa.Column("id", Id, primary_key=True),
        sa.Column("mass_change_id", Id, sa.ForeignKey("mass_change.id"), nullable=False),
        sa.Column("subscription_id", Id, sa.ForeignKey("subscription.id"), nullable=False),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("changed_at", UtcDateTime),
        sa.UniqueConstraint(
            "mass_change_id", "subscription_id", name="uq_mass_change_row_mass_change_id_subscription_id"
        ),
    )
