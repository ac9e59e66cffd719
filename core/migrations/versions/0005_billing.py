"""billing: methods with their rules, accounts, charges, invoices, receipts, dunning runs"""

import sqlalchemy as sa
from alembic import op

from core.columns import Id, UtcDateTime

revision = "0005_billing"
down_revision = "0004_provisioning"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _methods()
    _invoices()
    _receipts()
    _dunning()


def _rules() -> list[sa.Column]:
    return [
        sa.Column("total_enabled", sa.Boolean, nullable=False),
        sa.Column("total_days", sa.Integer, nullable=False),
        sa.Column("partial_enabled", sa.Boolean, nullable=False),
        sa.Column("partial_days", sa.Integer, nullable=False),
        sa.Column("minimum_open_cents", sa.BigInteger, nullable=False),
    ]


def _methods() -> None:
    op.create_table(
        "billing_method",
        sa.Column("id", Id, primary_key=True),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("rule_version", sa.Integer, nullable=False),
        *_rules(),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("name", name="uq_billing_method_name"),
    )
    op.create_table(
        "suspension_rule_version",
        sa.Column("billing_method_id", Id, sa.ForeignKey("billing_method.id"), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        *_rules(),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.Column("set_by", sa.String(120), nullable=False),
    )
    op.create_table(
        "billing_account",
        sa.Column("subscription_id", Id, sa.ForeignKey("subscription.id"), primary_key=True, autoincrement=False),
        sa.Column("billing_method_id", Id, sa.ForeignKey("billing_method.id"), nullable=False),
        sa.Column("due_day", sa.Integer, nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
    )
    op.create_index("ix_billing_account_billing_method_id", "billing_account", ["billing_method_id"])


def _invoices() -> None:
    op.create_table(
        "invoice",
        sa.Column("id", Id, primary_key=True),
        sa.Column("subscriber_id", Id, sa.ForeignKey("subscriber.id"), nullable=False),
        sa.Column("due_on", sa.Date, nullable=False),
        sa.Column("amount_cents", sa.BigInteger, nullable=False),
        sa.Column("paid_cents", sa.BigInteger, nullable=False),
        sa.Column("issued_at", UtcDateTime, nullable=False),
        sa.Column("cancelled_at", UtcDateTime),
        sa.Column("cancel_note", sa.Text, nullable=False),
        sa.CheckConstraint("paid_cents >= 0 AND paid_cents <= amount_cents", name=op.f("ck_invoice_paid")),
    )
    op.create_index("ix_invoice_subscriber", "invoice", ["subscriber_id", "id"])
    op.create_table(
        "charge",
        sa.Column("id", Id, primary_key=True),
        sa.Column("subscription_id", Id, sa.ForeignKey("subscription.id"), nullable=False),
        sa.Column("invoice_id", Id, sa.ForeignKey("invoice.id")),
        sa.Column("description", sa.String(200), nullable=False),
        sa.Column("amount_cents", sa.BigInteger, nullable=False),
        sa.Column("reference", sa.Date, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("cancelled_at", UtcDateTime),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_charge_amount")),
    )
    op.create_index("ix_charge_subscription_id", "charge", ["subscription_id"])
    op.create_index("ix_charge_invoice_id", "charge", ["invoice_id"])


def _receipts() -> None:
    op.create_table(
        "receipt",
        sa.Column("id", Id, primary_key=True),
        sa.Column("subscriber_id", Id, sa.ForeignKey("subscriber.id"), nullable=False),
        sa.Column("amount_cents", sa.BigInteger, nullable=False),
        sa.Column("method", sa.String(32), nullable=False),
        sa.Column("paid_at", UtcDateTime, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("received_by", sa.String(120), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("reversed_at", UtcDateTime),
        sa.Column("reversed_by", sa.String(120), nullable=False),
        sa.Column("reversal_note", sa.Text, nullable=False),
    )
    op.create_index("ix_receipt_subscriber", "receipt", ["subscriber_id", "id"])
    op.create_table(
        "payment",
        sa.Column("id", Id, primary_key=True),
        sa.Column("receipt_id", Id, sa.ForeignKey("receipt.id"), nullable=False),
        sa.Column("invoice_id", Id, sa.ForeignKey("invoice.id"), nullable=False),
        sa.Column("amount_cents", sa.BigInteger, nullable=False),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_payment_amount")),
    )
    op.create_index("ix_payment_receipt_id", "payment", ["receipt_id"])
    op.create_index("ix_payment_invoice_id", "payment", ["invoice_id"])


def _dunning() -> None:
    op.create_table(
        "dunning_run",
        sa.Column("id", Id, primary_key=True),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("scheduled_on", sa.Date),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("approved", sa.Boolean, nullable=False),
        sa.Column("actor", sa.String(120), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("finished_at", UtcDateTime),
        sa.Column("active_count", sa.Integer, nullable=False),
        sa.Column("cap", sa.Integer, nullable=False),
        sa.Column("planned_total", sa.Integer, nullable=False),
        sa.Column("planned_partial", sa.Integer, nullable=False),
        sa.Column("ordered_total", sa.Integer, nullable=False),
        sa.Column("ordered_partial", sa.Integer, nullable=False),
        sa.Column("skipped", sa.Integer, nullable=False),
        sa.Column("cursor", Id, nullable=False),
        sa.UniqueConstraint("scheduled_on", name="uq_dunning_run_scheduled_on"),
    )
    op.create_index("ix_dunning_run_status", "dunning_run", ["status"])
