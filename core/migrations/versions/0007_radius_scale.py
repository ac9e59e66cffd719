"""radius: admission rules, IPv6 prefixes, usage, address history, rejects, RadSec"""

import sqlalchemy as sa
from alembic import op

from core.columns import Id, IpAddress, SecretText, UtcDateTime

revision = "0007_radius_scale"
down_revision = "0006_api"
branch_labels = None
depends_on = None


def upgrade() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    _subscription_plan_nas()
    _session()
    if on_postgresql:
        op.execute("ALTER TABLE session SET (fillfactor = 75)")
        for name in ("granted_fingerprint", "acked_fingerprint", "refused_fingerprint"):
            op.alter_column("session", name, type_=sa.String(40))
    _rejects_and_sightings()
    _address_plan()
    _history()
    if on_postgresql:
        op.execute("CREATE TABLE address_history_default PARTITION OF address_history DEFAULT")


def _subscription_plan_nas() -> None:
    op.add_column("subscription", sa.Column("session_limit", sa.Integer, nullable=False, server_default="1"))
    op.add_column("subscription", sa.Column("mac_binding", sa.String(8), nullable=False, server_default="off"))
    op.add_column("subscription", sa.Column("bound_mac", sa.String(17)))
    op.add_column("subscription", sa.Column("mac_learns_after", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("subscription", sa.Column("allowed_nas_id", sa.BigInteger))
    op.add_column("subscription", sa.Column("allowed_nas_port", sa.String(128), nullable=False, server_default=sa.text("''")))
    learning = sa.text("mac_binding = 'learn' AND bound_mac IS NULL")
    op.create_index(
        "ix_subscription_learning", "subscription", ["id"], sqlite_where=learning, postgresql_where=learning
    )
    op.add_column("plan", sa.Column("ipv6_pool", sa.String(64), nullable=False, server_default=sa.text("''")))
    op.add_column("plan", sa.Column("delegated_ipv6_pool", sa.String(64), nullable=False, server_default=sa.text("''")))
    op.add_column("nas", sa.Column("radsec_identity", sa.String(255)))
    op.add_column("nas", sa.Column("coa_transport", sa.String(8), nullable=False, server_default="udp"))
    op.add_column("nas", sa.Column("radsec_port", sa.Integer, nullable=False, server_default="2083"))
    op.create_index("uq_nas_radsec_identity", "nas", ["radsec_identity"], unique=True)


def _session() -> None:
    op.add_column("session", sa.Column("framed_ipv6_prefix", sa.String(43)))
    op.add_column("session", sa.Column("delegated_ipv6_prefix", sa.String(43)))
    for since in ("address_since", "framed_ipv6_prefix_since", "delegated_ipv6_prefix_since"):
        op.add_column("session", sa.Column(since, UtcDateTime))
    for at in ("framed_ipv6_prefix_at", "delegated_ipv6_prefix_at"):
        op.add_column("session", sa.Column(at, UtcDateTime))
    op.add_column("session", sa.Column("told", sa.BigInteger))
    op.add_column("session", sa.Column("usage_day", sa.Date))
    op.add_column("session", sa.Column("usage_input_octets", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("session", sa.Column("usage_output_octets", sa.BigInteger, nullable=False, server_default="0"))
    op.create_index("ix_session_nas", "session", ["nas_id", "id"])
    op.drop_index("ix_session_address", "session")
    op.create_index("ix_session_address", "session", ["framed_ip_address", "stopped_at"])
    op.create_index("ix_session_framed_ipv6_prefix", "session", ["framed_ipv6_prefix", "stopped_at"])
    op.create_index("ix_session_delegated_ipv6_prefix", "session", ["delegated_ipv6_prefix", "stopped_at"])
    op.create_index("ix_session_stopped", "session", ["stopped_at", "id"])
    op.add_column("replica_counter", sa.Column("purged_revision", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "usage_day",
        sa.Column("subscription_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("input_octets", sa.BigInteger, nullable=False),
        sa.Column("output_octets", sa.BigInteger, nullable=False),
    )


def _rejects_and_sightings() -> None:
    op.create_table(
        "access_reject",
        sa.Column("id", Id, primary_key=True),
        sa.Column("key", sa.LargeBinary(16), nullable=False),
        sa.Column("subscription_id", sa.BigInteger),
        sa.Column("login", sa.String(510), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("detail", sa.String(255), nullable=False),
        sa.Column("nas_id", sa.BigInteger, nullable=False),
        sa.Column("calling_station_id", sa.String(510), nullable=False),
        sa.Column("first_at", UtcDateTime, nullable=False),
        sa.Column("last_at", UtcDateTime, nullable=False),
        sa.Column("times", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("key", name="uq_access_reject_key"),
    )
    op.create_index("ix_access_reject_subscription", "access_reject", ["subscription_id", "last_at"])
    op.create_index("ix_access_reject_login", "access_reject", ["login", "last_at"])
    op.create_index("ix_access_reject_last_at", "access_reject", ["last_at"])
    op.create_table(
        "nas_sighting",
        sa.Column("nas_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("signed_at", UtcDateTime),
        sa.Column("unsigned_at", UtcDateTime),
        sa.Column("refused_at", UtcDateTime),
    )


def _address_plan() -> None:
    op.create_table(
        "cgnat_rule",
        sa.Column("id", Id, primary_key=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("inside_first", IpAddress, nullable=False),
        sa.Column("inside_last", IpAddress, nullable=False),
        sa.Column("outside_first", IpAddress, nullable=False),
        sa.Column("outside_last", IpAddress, nullable=False),
        sa.Column("first_port", sa.Integer, nullable=False),
        sa.Column("last_port", sa.Integer, nullable=False),
        sa.Column("block_size", sa.Integer, nullable=False),
        sa.Column("layout", sa.String(10), nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.Column("until", UtcDateTime),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_cgnat_rule_outside", "cgnat_rule", ["outside_first"])
    op.create_index("ix_cgnat_rule_inside", "cgnat_rule", ["inside_first"])
    op.create_table(
        "routed_prefix",
        sa.Column("id", Id, primary_key=True),
        sa.Column("subscription_id", sa.BigInteger, nullable=False),
        sa.Column("purpose", sa.String(10), nullable=False),
        sa.Column("family", sa.SmallInteger, nullable=False),
        sa.Column("first", IpAddress, nullable=False),
        sa.Column("last", IpAddress, nullable=False),
        sa.Column("prefix_length", sa.SmallInteger, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("family", "first", name="uq_routed_prefix_family_first"),
    )
    op.create_index("ix_routed_prefix_subscription", "routed_prefix", ["subscription_id"])


def _history() -> None:
    op.create_table(
        "address_history",
        sa.Column("until", UtcDateTime, nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.Column("session_id", sa.BigInteger, nullable=False),
        sa.Column("subscription_id", sa.BigInteger),
        sa.Column("nas_id", sa.BigInteger, nullable=False),
        sa.Column("prefix_length", sa.SmallInteger, nullable=False),
        sa.Column("address", IpAddress, nullable=False),
        sa.Column("user_name", sa.String(510), nullable=False),
        sa.Column("calling_station_id", sa.String(510), nullable=False),
        sa.Column("nas_port_id", sa.String(510), nullable=False),
        sa.Column("acct_session_id", sa.String(510), nullable=False),
        sa.PrimaryKeyConstraint("address", "until", "since", "session_id", "prefix_length"),
        postgresql_partition_by="RANGE (until)",
    )
    op.create_index("ix_address_history_subscription", "address_history", ["subscription_id", "until"])
    op.create_index(
        "ix_address_history_long",
        "address_history",
        ["address", "until", "since"],
        postgresql_where=sa.text("until - since > interval '32 days'"),
        sqlite_where=sa.text("julianday(until) - julianday(since) > 32"),
    )
    op.create_table(
        "legal_hold",
        sa.Column("id", Id, primary_key=True),
        sa.Column("reference", sa.String(120), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("address", IpAddress),
        sa.Column("subscription_id", sa.BigInteger),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.Column("until", UtcDateTime, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("created_by", sa.String(120), nullable=False),
        sa.Column("released_at", UtcDateTime),
        sa.Column("released_by", sa.String(120), nullable=False),
    )
    op.create_table(
        "evidence_key",
        sa.Column("id", Id, primary_key=True),
        sa.Column("public_key", sa.String(64), nullable=False),
        sa.Column("private_key", SecretText, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
