"""promotional discounts, receipts in a cash box, monthly billing"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.columns import Id, JsonDict, UtcDateTime

revision = "0014_money"
down_revision = "0013_moves"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _discounts()
    op.add_column("receipt", sa.Column("cash_box", sa.String(60), nullable=False, server_default=sa.text("''")))
    op.add_column("billing_method", sa.Column("postpaid", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("billing_account", sa.Column("own_invoice", sa.Boolean, nullable=False, server_default=sa.false()))
    _runs()
    _lines()
    _bills()


def _discounts() -> None:
    """Checks that come with their column need no new table on SQLite, which others already refer to."""
    checks = {
        "charge": "discount_cents >= 0 AND discount_cents < amount_cents",
        "invoice": "discount_cents >= 0 AND paid_cents + discount_cents <= amount_cents",
        "payment": "discount_cents >= 0",
    }
    for table, check in checks.items():
        column = f"discount_cents BIGINT DEFAULT '0' NOT NULL CONSTRAINT ck_{table}_discount CHECK ({check})"
        op.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
    op.add_column("charge", sa.Column("discount_days", sa.Integer, nullable=False, server_default="0"))


def _runs() -> None:
    op.create_table(
        "billing_run",
        sa.Column("id", Id, primary_key=True),
        sa.Column("month", sa.Date, nullable=False),
        sa.Column("filters", JsonDict, nullable=False),
        sa.Column("pro_rata", sa.Boolean, nullable=False),
        sa.Column("auto", sa.Boolean, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(120), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("prepared_at", UtcDateTime),
        sa.Column("finished_at", UtcDateTime),
        sa.Column("cursor", Id, nullable=False),
        sa.Column("candidates", sa.Integer, nullable=False),
        sa.Column("looked_at", sa.Integer, nullable=False),
        sa.Column("billed_before", sa.Integer, nullable=False),
        sa.Column("included", sa.Integer, nullable=False),
        sa.Column("included_cents", sa.BigInteger, nullable=False),
        sa.Column("excluded", sa.Integer, nullable=False),
        sa.Column("billed", sa.Integer, nullable=False),
        sa.Column("billed_cents", sa.BigInteger, nullable=False),
        sa.Column("invoices", sa.Integer, nullable=False),
        sa.Column("skipped", sa.Integer, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_index("ix_billing_run_status", "billing_run", ["status"])


def _lines() -> None:
    op.create_table(
        "billing_run_line",
        sa.Column("id", Id, primary_key=True),
        sa.Column("run_id", Id, sa.ForeignKey("billing_run.id"), nullable=False),
        sa.Column("subscription_id", sa.BigInteger, nullable=False),
        sa.Column("subscriber_id", sa.BigInteger, nullable=False),
        sa.Column("billing_method_id", sa.BigInteger, nullable=False),
        sa.Column("own_invoice", sa.Boolean, nullable=False),
        sa.Column("description", sa.String(200), nullable=False),
        sa.Column("amount_cents", sa.BigInteger, nullable=False),
        sa.Column("days", sa.Integer, nullable=False),
        sa.Column("due_on", sa.Date, nullable=False),
        sa.Column("decision", sa.String(8), nullable=False),
        sa.Column("decided_by", sa.String(120), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("invoice_id", Id, sa.ForeignKey("invoice.id")),
        sa.Column("detail", sa.Text, nullable=False),
        sa.UniqueConstraint("run_id", "subscription_id", name="uq_billing_run_line_subscription"),
    )
    op.create_index("ix_billing_run_line_subscriber", "billing_run_line", ["run_id", "status", "subscriber_id"])
    op.create_table(
        "billing_run_alert",
        sa.Column("id", Id, primary_key=True),
        sa.Column("run_id", Id, sa.ForeignKey("billing_run.id"), nullable=False),
        sa.Column("line_id", Id, sa.ForeignKey("billing_run_line.id"), nullable=False),
        sa.Column("code", sa.String(24), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("warning", sa.Boolean, nullable=False),
        sa.Column("confirmed_at", UtcDateTime),
        sa.Column("confirmed_by", sa.String(120), nullable=False),
        sa.UniqueConstraint("line_id", "code", name="uq_billing_run_alert_line"),
    )
    op.create_index("ix_billing_run_alert_run", "billing_run_alert", ["run_id", "code"])


def _bills() -> None:
    op.create_table(
        "monthly_bill",
        sa.Column("subscription_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("month", sa.Date, primary_key=True),
        sa.Column("amount_cents", sa.BigInteger, nullable=False),
        sa.Column("invoice_id", Id, sa.ForeignKey("invoice.id"), nullable=False),
        sa.Column("run_id", Id, sa.ForeignKey("billing_run.id"), nullable=False),
    )
    op.create_index("ix_monthly_bill_invoice_id", "monthly_bill", ["invoice_id"])
