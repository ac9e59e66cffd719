"""routers that are held over their API"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.columns import Id, JsonDict, UtcDateTime

revision = "0016_routers"
down_revision = "0015_intake"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "router",
        sa.Column("id", Id, primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("address", sa.String(255), nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("tls", sa.String(8), nullable=False),
        sa.Column("tls_fingerprint", sa.String(64), nullable=False),
        sa.Column("login", sa.String(64), nullable=False),
        sa.Column("password", sa.String, nullable=False),
        sa.Column("charset", sa.String(16), nullable=False),
        sa.Column("nas_id", sa.BigInteger),
        sa.Column("speed_by", sa.String(16), nullable=False),
        sa.Column("manages", JsonDict, nullable=False),
        sa.Column("ppp_service", sa.String(16), nullable=False),
        sa.Column("ppp_local_address", sa.String(64), nullable=False),
        sa.Column("dhcp_server", sa.String(64), nullable=False),
        sa.Column("hotspot_server", sa.String(64), nullable=False),
        sa.Column("dhcpv6_server", sa.String(64), nullable=False),
        sa.Column("reduced_list", sa.String(64), nullable=False),
        sa.Column("warned_list", sa.String(64), nullable=False),
        sa.Column("garden", JsonDict),
        sa.Column("cut_connections", sa.Boolean, nullable=False),
        sa.Column("drift", sa.String(8), nullable=False),
        sa.Column("check_minutes", sa.Integer, nullable=False),
        sa.Column("writes_per_second", sa.Integer, nullable=False),
        sa.Column("removal_cap", sa.Integer),
        sa.Column("timeout_seconds", sa.Integer, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("maintenance_since", UtcDateTime),
        sa.Column("maintenance_note", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("name", name="uq_router_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "router_service",
        sa.Column("router_id", Id, sa.ForeignKey("router.id"), primary_key=True, autoincrement=False),
        sa.Column("subscription_id", Id, sa.ForeignKey("subscription.id"), primary_key=True, autoincrement=False),
        sa.Column("access", sa.String(8), nullable=False),
        sa.Column("dhcp_server", sa.String(64), nullable=False),
        sa.Column("duid", sa.String(260), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("removed_at", UtcDateTime),
        sa.Column("touched_at", UtcDateTime),
    )
    op.create_index("ix_router_service_subscription", "router_service", ["subscription_id"])
    op.create_index("ix_router_service_touched", "router_service", ["router_id", "touched_at"])
    op.create_table(
        "router_convergence",
        sa.Column("router_id", Id, sa.ForeignKey("router.id"), primary_key=True, autoincrement=False),
        sa.Column("subscription_id", Id, primary_key=True, autoincrement=False),
        sa.Column("desired_fingerprint", sa.String(32), nullable=False),
        sa.Column("observed_fingerprint", sa.String(32), nullable=False),
        sa.Column("proven_fingerprint", sa.String(32), nullable=False),
        sa.Column("observed_at", UtcDateTime),
        sa.Column("differs_since", UtcDateTime),
        sa.Column("why", sa.Text, nullable=False),
    )
    op.create_index("ix_router_convergence_differs", "router_convergence", ["differs_since", "router_id"])
    op.create_table(
        "router_status",
        sa.Column("router_id", Id, sa.ForeignKey("router.id"), primary_key=True, autoincrement=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("identity", sa.String(128), nullable=False),
        sa.Column("board", sa.String(128), nullable=False),
        sa.Column("seen_at", UtcDateTime),
        sa.Column("full_at", UtcDateTime),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("retry_at", UtcDateTime),
        sa.Column("trouble", sa.Text, nullable=False),
        sa.Column("trouble_since", UtcDateTime),
        sa.Column("plan", JsonDict, nullable=False),
        sa.Column("plan_at", UtcDateTime),
        sa.Column("held", sa.Integer, nullable=False),
    )
    op.create_table(
        "router_drift",
        sa.Column("id", Id, primary_key=True),
        sa.Column("router_id", Id, sa.ForeignKey("router.id"), nullable=False),
        sa.Column("subscription_id", sa.BigInteger),
        sa.Column("menu", sa.String(40), nullable=False),
        sa.Column("key", sa.String(120), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("details", JsonDict, nullable=False),
        sa.Column("found_at", UtcDateTime, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("ended_at", UtcDateTime),
    )
    op.create_index("ix_router_drift_open", "router_drift", ["router_id", "status"])
    op.create_index("ix_router_drift_router", "router_drift", ["router_id", "id"])
