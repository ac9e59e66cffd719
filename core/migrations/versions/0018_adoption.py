"""what a router already has"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.columns import Id, JsonDict, UtcDateTime

revision = "0018_adoption"
down_revision = "0017_latency"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "adoption",
        sa.Column("id", Id, primary_key=True),
        sa.Column("router_id", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("identity", sa.String(128), nullable=False),
        sa.Column("restricting", JsonDict, nullable=False),
        sa.Column("counts", JsonDict, nullable=False),
        sa.Column("left_rows", sa.Integer, nullable=False),
        sa.Column("unread", JsonDict, nullable=False),
        sa.Column("actor", sa.String(120), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("closed_at", UtcDateTime),
        sa.Column("import_cursor", sa.BigInteger, nullable=False),
        sa.Column("trouble", sa.Text, nullable=False),
    )
    not_closed = sa.text("status != 'closed'")
    op.create_index(
        "uq_adoption_open", "adoption", ["router_id"], unique=True,
        sqlite_where=not_closed, postgresql_where=not_closed,
    )
    _candidates()
    _rows()


def _candidates() -> None:
    op.create_table(
        "adoption_candidate",
        sa.Column("id", Id, primary_key=True),
        sa.Column("adoption_id", Id, sa.ForeignKey("adoption.id"), nullable=False),
        sa.Column("verdict", sa.String(12), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("access", sa.String(8), nullable=False),
        sa.Column("login", sa.String(255), nullable=False),
        sa.Column("password", sa.String),
        sa.Column("mac", sa.String(17), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("pool", sa.String(128), nullable=False),
        sa.Column("profile", sa.String(255), nullable=False),
        sa.Column("dhcp_server", sa.String(64), nullable=False),
        sa.Column("rate", JsonDict),
        sa.Column("suspended", sa.Boolean, nullable=False),
        sa.Column("found_id", sa.BigInteger),
        sa.Column("plan_id", sa.BigInteger),
        sa.Column("subscriber_id", sa.BigInteger),
        sa.Column("guess_document", sa.String(14), nullable=False),
        sa.Column("guess_name", sa.String(200), nullable=False),
        sa.Column("differs", JsonDict, nullable=False),
        sa.Column("remarks", JsonDict, nullable=False),
        sa.Column("decision", sa.String(8), nullable=False),
        sa.Column("wanted", JsonDict, nullable=False),
        sa.Column("decided_by", sa.String(120), nullable=False),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("subscription_id", sa.BigInteger),
    )
    op.create_index("ix_adoption_candidate_verdict", "adoption_candidate", ["adoption_id", "verdict", "id"])
    op.create_index("ix_adoption_candidate_status", "adoption_candidate", ["adoption_id", "status", "id"])
    op.create_index("ix_adoption_candidate_name", "adoption_candidate", ["adoption_id", "name"])


def _rows() -> None:
    op.create_table(
        "adoption_row",
        sa.Column("id", Id, primary_key=True),
        sa.Column("adoption_id", Id, sa.ForeignKey("adoption.id"), nullable=False),
        sa.Column("candidate_id", Id, sa.ForeignKey("adoption_candidate.id")),
        sa.Column("menu", sa.String(40), nullable=False),
        sa.Column("row_id", sa.String(32), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("fields", JsonDict, nullable=False),
        sa.Column("why", JsonDict),
        sa.Column("key", sa.String(120), nullable=False),
        sa.Column("mark", sa.String(8), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("ix_adoption_row_adoption", "adoption_row", ["adoption_id", "id"])
    op.create_index("ix_adoption_row_candidate", "adoption_row", ["candidate_id"])
