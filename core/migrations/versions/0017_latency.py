"""how long a fact takes to be proven, warnings, what routers were read to say of sessions"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.columns import Id, JsonDict, UtcDateTime

revision = "0017_latency"
down_revision = "0016_routers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _proofs()
    _warnings()
    op.create_table(
        "session_readback",
        sa.Column("session_id", Id, primary_key=True, autoincrement=False),
        sa.Column("fingerprint", sa.String(40), nullable=False),
        sa.Column("runs", sa.Boolean),
        sa.Column("read_at", UtcDateTime, nullable=False),
    )


def _proofs() -> None:
    op.create_table(
        "proof_wait",
        sa.Column("subscription_id", Id, sa.ForeignKey("subscription.id"), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("began_at", UtcDateTime, nullable=False),
        sa.Column("desired_fingerprint", sa.String(40), nullable=False),
    )
    op.create_index("ix_proof_wait_began", "proof_wait", ["began_at", "subscription_id"])
    op.create_table(
        "proof_latency",
        sa.Column("kind", sa.String(12), primary_key=True),
        sa.Column("path", sa.String(12), primary_key=True),
        sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("times", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
    )


def _warnings() -> None:
    op.create_table(
        "warning",
        sa.Column("id", Id, primary_key=True),
        sa.Column("subscription_id", Id, sa.ForeignKey("subscription.id"), nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.Column("until", UtcDateTime, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("invoice_ids", JsonDict, nullable=False),
        sa.Column("given_by", sa.String(120), nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("end_reason", sa.String(24), nullable=False),
    )
    live = sa.text("ended_at IS NULL")
    op.create_index(
        "uq_warning_live", "warning", ["subscription_id"], unique=True, sqlite_where=live, postgresql_where=live
    )
    op.create_index("ix_warning_until", "warning", ["until"], sqlite_where=live, postgresql_where=live)
    op.create_index("ix_warning_subscription", "warning", ["subscription_id", "id"])
