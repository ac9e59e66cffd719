"""radius: NAS, sessions, the replica feed and the spool's position"""

import sqlalchemy as sa
from alembic import op

from core.columns import Id, IpAddress, SecretText, UtcDateTime

revision = "0003_radius"
down_revision = "0002_ipam"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "nas",
        sa.Column("id", Id, primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("network", sa.String(43), nullable=False),
        sa.Column("vendor", sa.String(32), nullable=False),
        sa.Column("secret", SecretText, nullable=False),
        sa.Column("require_message_authenticator", sa.Boolean, nullable=False),
        sa.Column("mac_auth", sa.Boolean, nullable=False),
        sa.Column("coa_port", sa.Integer, nullable=False),
        sa.Column("coa_echoes_class", sa.Boolean, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("name", name="uq_nas_name"),
        sa.UniqueConstraint("network", name="uq_nas_network"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "session",
        sa.Column("id", Id, primary_key=True),
        sa.Column("key", sa.LargeBinary(16), nullable=False),
        sa.Column("instance", sa.Integer, nullable=False),
        sa.Column("nas_id", sa.BigInteger, nullable=False),
        sa.Column("nas_address", IpAddress, nullable=False),
        sa.Column("acct_session_id", sa.String(510), nullable=False),
        sa.Column("user_name", sa.String(510), nullable=False),
        sa.Column("subscription_id", sa.BigInteger),
        sa.Column("granted_fingerprint", sa.String(32), nullable=False),
        sa.Column("granted_at", UtcDateTime),
        sa.Column("framed_ip_address", IpAddress),
        sa.Column("address_at", UtcDateTime),
        sa.Column("nas_ip_address", IpAddress),
        sa.Column("calling_station_id", sa.String(510), nullable=False),
        sa.Column("nas_port_id", sa.String(510), nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("stopped_at", UtcDateTime),
        sa.Column("closed_by", sa.String(16), nullable=False),
        sa.Column("terminate_cause", sa.String(32), nullable=False),
        sa.Column("input_octets", sa.BigInteger, nullable=False),
        sa.Column("output_octets", sa.BigInteger, nullable=False),
        sa.Column("session_seconds", sa.BigInteger, nullable=False),
        sa.Column("acked_fingerprint", sa.String(32), nullable=False),
        sa.Column("acked_at", UtcDateTime),
        sa.Column("refused_fingerprint", sa.String(32), nullable=False),
        sa.Column("disconnect_acked_at", UtcDateTime),
        sa.UniqueConstraint("key", "instance", name="uq_session_key_instance"),
    )
    op.create_index("ix_session_subscription", "session", ["subscription_id", "stopped_at"])
    op.create_index("ix_session_open", "session", ["stopped_at", "nas_id"])
    op.create_index("ix_session_user", "session", ["user_name", "stopped_at"])
    op.create_index("ix_session_address", "session", ["framed_ip_address", "started_at"])
    op.create_table(
        "replica_entry",
        sa.Column("key", sa.LargeBinary(255), primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("value", sa.LargeBinary),
    )
    op.create_index("ix_replica_entry_revision", "replica_entry", ["revision"])
    op.create_table(
        "replica_counter",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("feed", sa.String(32), nullable=False),
    )
    op.create_table(
        "replica_host",
        sa.Column("host", sa.String(128), primary_key=True),
        sa.Column("applied_revision", sa.BigInteger, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.Column("live", sa.Boolean, nullable=False),
    )
    op.create_table(
        "spool_position",
        sa.Column("spool", sa.String(64), primary_key=True),
        sa.Column("segment", sa.BigInteger, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("caught_up_at", UtcDateTime, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.Column("listening_since", UtcDateTime, nullable=False),
    )
