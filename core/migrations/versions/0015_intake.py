"""billing sources and their events"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.columns import Id, JsonDict, UtcDateTime

revision = "0015_intake"
down_revision = "0014_money"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _sources()
    _events()
    _runs()
    _mirror()


def _sources() -> None:
    op.create_table(
        "billing_source",
        sa.Column("id", Id, primary_key=True),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("settings", JsonDict, nullable=False),
        sa.Column("secret", sa.String, nullable=False),
        sa.Column("previous_secret", sa.String),
        sa.Column("previous_until", UtcDateTime),
        sa.Column("password", sa.String),
        sa.Column("last_event_at", UtcDateTime),
        sa.Column("last_full_at", UtcDateTime),
        sa.Column("last_full_count", sa.Integer),
        sa.Column("failing_since", UtcDateTime),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failure", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("name", name="uq_billing_source_name"),
    )
    op.create_table(
        "external_subscription",
        sa.Column("source_id", Id, sa.ForeignKey("billing_source.id"), primary_key=True),
        sa.Column("external_id", sa.String(80), primary_key=True),
        sa.Column("subscription_id", Id, sa.ForeignKey("subscription.id"), nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
    )
    op.create_index("ix_external_subscription_subscription_id", "external_subscription", ["subscription_id"])


def _events() -> None:
    op.create_table(
        "intake_event",
        sa.Column("id", Id, primary_key=True),
        sa.Column("source_id", Id, sa.ForeignKey("billing_source.id"), nullable=False),
        sa.Column("event_id", sa.String(160), nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("external_id", sa.String(80), nullable=False),
        sa.Column("version", sa.BigInteger),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("body", JsonDict, nullable=False),
        sa.Column("outcome", sa.String(12), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("invoice_id", sa.BigInteger),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("concluded_at", UtcDateTime),
        sa.UniqueConstraint("source_id", "event_id", name="uq_intake_event_source_id_event_id"),
    )
    op.create_index("ix_intake_event_outcome", "intake_event", ["outcome", "source_id", "id"])
    op.create_index("ix_intake_event_external", "intake_event", ["source_id", "external_id", "id"])


def _runs() -> None:
    op.create_table(
        "intake_run",
        sa.Column("id", Id, primary_key=True),
        sa.Column("source_id", Id, sa.ForeignKey("billing_source.id"), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("phase", sa.String(12), nullable=False),
        sa.Column("dry_run", sa.Boolean, nullable=False),
        sa.Column("accept_smaller", sa.Boolean, nullable=False),
        sa.Column("actor", sa.String(120), nullable=False),
        sa.Column("actor_source", sa.String(16), nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("moved_at", UtcDateTime, nullable=False),
        sa.Column("finished_at", UtcDateTime),
        sa.Column("plan", JsonDict, nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("page", sa.Integer, nullable=False),
        sa.Column("cursor", Id, nullable=False),
        sa.Column("seen", sa.Integer, nullable=False),
        sa.Column("unchanged", sa.Integer, nullable=False),
        sa.Column("created", sa.Integer, nullable=False),
        sa.Column("changed", sa.Integer, nullable=False),
        sa.Column("closed", sa.Integer, nullable=False),
        sa.Column("unmatched", sa.Integer, nullable=False),
        sa.Column("conflicts", sa.Integer, nullable=False),
        sa.Column("refused", sa.Integer, nullable=False),
        sa.Column("differences", JsonDict, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("ix_intake_run_source_id", "intake_run", ["source_id", "id"])
    op.create_table(
        "intake_snapshot",
        sa.Column("id", Id, primary_key=True),
        sa.Column("run_id", Id, sa.ForeignKey("intake_run.id"), nullable=False),
        sa.Column("external_id", sa.String(80), nullable=False),
        sa.Column("body", JsonDict, nullable=False),
        sa.Column("trouble", sa.Text, nullable=False),
        sa.UniqueConstraint("run_id", "external_id", name="uq_intake_snapshot_run_id_external_id"),
    )


def _mirror() -> None:
    op.add_column("invoice", sa.Column("source_id", sa.BigInteger))
    op.add_column("invoice", sa.Column("external_id", sa.String(80)))
    op.add_column("invoice", sa.Column("external_version", sa.BigInteger))
    op.add_column("invoice", sa.Column("external_digest", sa.String(64)))
    op.create_index("uq_invoice_external", "invoice", ["source_id", "external_id"], unique=True)
