"""suspension rules with notices and calendar, holidays, what an order was decided by"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.columns import Id, JsonDefault, JsonDict, UtcDateTime

revision = "0009_rules"
down_revision = "0008_alarms"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("billing_method", "suspension_rule_version"):
        op.add_column(table, sa.Column("notice_days", sa.Integer, nullable=False, server_default="0"))
        op.add_column(table, sa.Column("held_weekdays", JsonDict, nullable=False, server_default=JsonDefault("[]")))
        for name in ("hold_holidays", "hold_holiday_eves"):
            op.add_column(table, sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("restriction_order", sa.Column("evidence", JsonDict, nullable=False, server_default=JsonDefault("{}")))
    op.add_column("restriction_order", sa.Column("rule_version", sa.Integer))
    _holidays()
    _notices()


def _holidays() -> None:
    op.create_table(
        "company_holiday",
        sa.Column("id", Id, primary_key=True),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("yearly", sa.Boolean, nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("region", sa.String(2), nullable=False),
        sa.Column("city", sa.String(120), nullable=False),
        sa.Column("working", sa.Boolean, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("removed_at", UtcDateTime),
    )


def _notices() -> None:
    op.create_table(
        "debt_notice",
        sa.Column("id", Id, primary_key=True),
        sa.Column("subscription_id", Id, sa.ForeignKey("subscription.id"), nullable=False),
        sa.Column("invoice_id", sa.BigInteger, nullable=False),
        sa.Column("level", sa.String(8), nullable=False),
        sa.Column("given_on", sa.Date, nullable=False),
        sa.Column("restriction_from", sa.Date, nullable=False),
        sa.Column("open_cents", sa.BigInteger, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("subscription_id", "invoice_id", name="uq_debt_notice_debt"),
    )
