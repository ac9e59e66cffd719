"""trust rules, pending speeds, permissions of tokens"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.columns import Id, JsonDict, UtcDateTime

revision = "0012_procedures"
down_revision = "0011_routines"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _trust()
    _speed()
    op.add_column("pause", sa.Column("return_note", sa.Text, nullable=False, server_default=sa.text("''")))
    op.add_column("pause", sa.Column("ended_by", sa.String(120), nullable=False, server_default=sa.text("''")))
    op.add_column("api_token", sa.Column("permissions", JsonDict))
    op.create_table(
        "self_service_window",
        sa.Column("subject", sa.String(64), primary_key=True),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
    )
    op.create_index("ix_self_service_window_since", "self_service_window", ["since"])


def _trust() -> None:
    nothing = sa.text("''")
    op.add_column("trust_unblock", sa.Column("rule_version", sa.Integer, nullable=False, server_default="0"))
    op.add_column("trust_unblock", sa.Column("protocol", sa.String(32), nullable=False, server_default=nothing))
    op.add_column("trust_unblock", sa.Column("channel", sa.String(64), nullable=False, server_default="operator"))
    op.add_column("trust_unblock", sa.Column("beyond_rules", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "trust_rule_version",
        sa.Column("version", Id, primary_key=True, autoincrement=False),
        sa.Column("max_days", sa.Integer, nullable=False),
        sa.Column("uses", sa.Integer, nullable=False),
        sa.Column("period_days", sa.Integer, nullable=False),
        sa.Column("minimum_age_days", sa.Integer, nullable=False),
        sa.Column("block_after_broken", sa.Boolean, nullable=False),
        sa.Column("broken_block_days", sa.Integer, nullable=False),
        sa.Column("self_service", sa.Boolean, nullable=False),
        sa.Column("self_service_max_days", sa.Integer, nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.Column("set_by", sa.String(120), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )


def _speed() -> None:
    op.create_table(
        "pending_speed",
        sa.Column("id", Id, primary_key=True),
        sa.Column("subscription_id", Id, sa.ForeignKey("subscription.id"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("download_bps", sa.BigInteger),
        sa.Column("upload_bps", sa.BigInteger),
        sa.Column("until", UtcDateTime),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("before", JsonDict, nullable=False),
        sa.Column("after", JsonDict, nullable=False),
        sa.Column("sends", JsonDict, nullable=False),
        sa.Column("proposed_at", UtcDateTime, nullable=False),
        sa.Column("proposed_by", sa.String(120), nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("settled_at", UtcDateTime),
        sa.Column("settled_by", sa.String(120), nullable=False),
    )
    waiting = sa.text("outcome = ''")
    op.create_index(
        "uq_pending_speed_waiting", "pending_speed", ["subscription_id"], unique=True,
        sqlite_where=waiting, postgresql_where=waiting,
    )
    op.create_index("ix_pending_speed_subscription_id", "pending_speed", ["subscription_id"])
