"""api: tokens and idempotency keys"""

import sqlalchemy as sa
from alembic import op

from core.columns import Id, SecretText, UtcDateTime

revision = "0006_api"
down_revision = "0005_billing"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", Id, primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("operator", sa.String(120), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime),
        sa.Column("revoked_at", UtcDateTime),
        sa.Column("last_used_at", UtcDateTime),
        sa.UniqueConstraint("sha256", name="uq_api_token_sha256"),
    )
    op.create_table(
        "idempotency_key",
        sa.Column("id", Id, primary_key=True),
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("fingerprint", SecretText, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("body", SecretText, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("scope", name="uq_idempotency_key_scope"),
    )
    op.create_index("ix_idempotency_key_created_at", "idempotency_key", ["created_at"])
