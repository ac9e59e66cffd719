"""dunning runs with their lines, marks of the clock"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.columns import Id, JsonDict, UtcDateTime

revision = "0010_dunning"
down_revision = "0009_rules"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _runs()
    _lines()
    _marks()


def _runs() -> None:
    nothing = sa.text("''")
    levels = sa.text("'partial,total'")
    op.add_column("dunning_run", sa.Column("levels", sa.String(16), nullable=False, server_default=levels))
    op.add_column("dunning_run", sa.Column("origin", sa.String(120), nullable=False, server_default=nothing))
    op.add_column("dunning_run", sa.Column("looked_at", sa.Integer, nullable=False, server_default="0"))
    op.add_column("dunning_run", sa.Column("dismissed", sa.Integer, nullable=False, server_default="0"))
    op.add_column("dunning_run", sa.Column("planned_at", UtcDateTime))
    op.add_column("dunning_run", sa.Column("expires_at", UtcDateTime))
    op.add_column("dunning_run", sa.Column("decided_at", UtcDateTime))
    op.add_column("dunning_run", sa.Column("decided_by", sa.String(120), nullable=False, server_default=nothing))
    op.add_column("dunning_run", sa.Column("note", sa.Text, nullable=False, server_default=nothing))
    op.create_index("ix_dunning_run_day", "dunning_run", ["day"])
    # Runs of before have no lines to go on with; the next one finds whoever they left.
    op.execute("UPDATE dunning_run SET status = 'done' WHERE status = 'running'")
    op.execute("UPDATE dunning_run SET status = 'replaced' WHERE status = 'waiting'")


def _lines() -> None:
    op.create_table(
        "dunning_run_line",
        sa.Column("run_id", Id, sa.ForeignKey("dunning_run.id"), primary_key=True),
        sa.Column("subscription_id", Id, primary_key=True, autoincrement=False),
        sa.Column("level", sa.String(8), nullable=False),
        sa.Column("invoice_ids", JsonDict, nullable=False),
        sa.Column("open_cents", sa.BigInteger, nullable=False),
        sa.Column("days_late", sa.Integer, nullable=False),
        sa.Column("rule_version", sa.Integer),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )


def _marks() -> None:
    op.create_table(
        "clock_mark",
        sa.Column("clock", sa.String(80), primary_key=True),
        sa.Column("wall", UtcDateTime, nullable=False),
        sa.Column("boot_id", sa.String(36), nullable=False),
        sa.Column("uptime", sa.Float, nullable=False),
        sa.Column("alarm_id", sa.BigInteger),
    )
