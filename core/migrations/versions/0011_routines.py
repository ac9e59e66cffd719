"""routines with their runs, scheduled changes"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.columns import Id, JsonDict, UtcDateTime

revision = "0011_routines"
down_revision = "0010_dunning"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "routine",
        sa.Column("id", Id, primary_key=True),
        sa.Column("description", sa.String(120), nullable=False),
        sa.Column("task", sa.String(40), nullable=False),
        sa.Column("parameters", JsonDict, nullable=False),
        sa.Column("months", JsonDict, nullable=False),
        sa.Column("days", JsonDict, nullable=False),
        sa.Column("weekdays", JsonDict, nullable=False),
        sa.Column("hours", JsonDict, nullable=False),
        sa.Column("minutes", JsonDict, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("next_at", UtcDateTime),
        sa.Column("last_slot_at", UtcDateTime),
        sa.Column("seed", sa.String(40)),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("created_by", sa.String(120), nullable=False),
        sa.Column("removed_at", UtcDateTime),
        sa.UniqueConstraint("seed", name="uq_routine_seed"),
    )
    op.create_index("ix_routine_next_at", "routine", ["next_at"])
    op.create_table(
        "routine_run",
        sa.Column("id", Id, primary_key=True),
        sa.Column("routine_id", Id, sa.ForeignKey("routine.id"), nullable=False),
        sa.Column("slot_at", UtcDateTime),
        sa.Column("trigger", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("finished_at", UtcDateTime),
        sa.Column("counts", JsonDict, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("missed", sa.Integer, nullable=False),
        sa.Column("actor", sa.String(120), nullable=False),
        sa.UniqueConstraint("routine_id", "slot_at", name="uq_routine_run_slot"),
    )
    op.create_index("ix_routine_run_status", "routine_run", ["routine_id", "status", "id"])
    op.create_table(
        "scheduled_change",
        sa.Column("id", Id, primary_key=True),
        sa.Column("subscription_id", Id, sa.ForeignKey("subscription.id"), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("arguments", JsonDict, nullable=False),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("created_by", sa.String(120), nullable=False),
        sa.Column("actor", sa.String(120), nullable=False),
        sa.Column("permissions", JsonDict),
        sa.Column("done_at", UtcDateTime),
    )
    op.create_index("ix_scheduled_change_subscription_id", "scheduled_change", ["subscription_id"])
    op.create_index("ix_scheduled_change_due", "scheduled_change", ["status", "due_at"])
