"""provisioning: the first tables"""

import sqlalchemy as sa
from alembic import op

from core.columns import Id, IpAddress, JsonDict, SecretText, UtcDateTime

revision = "0004_provisioning"
down_revision = "0003_radius"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('plan',
    sa.Column('id', Id, nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('price_cents', sa.BigInteger(), nullable=False),
    sa.Column('download_bps', sa.BigInteger(), nullable=False),
    sa.Column('upload_bps', sa.BigInteger(), nullable=False),
    sa.Column('reduced_download_bps', sa.BigInteger(), nullable=True),
    sa.Column('reduced_upload_bps', sa.BigInteger(), nullable=True),
    sa.Column('technology', sa.String(length=40), nullable=False),
    sa.Column('group_name', sa.String(length=64), nullable=False),
    sa.Column('pool', sa.String(length=64), nullable=False),
    sa.Column('address_list', sa.String(length=64), nullable=False),
    sa.Column('created_at', UtcDateTime, nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_plan')),
    sa.UniqueConstraint('name', name=op.f('uq_plan_name'))
    )
    op.create_table('subscriber',
    sa.Column('id', Id, nullable=False),
    sa.Column('kind', sa.String(length=8), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('document', sa.String(length=14), nullable=False),
    sa.Column('email', sa.String(length=200), nullable=False),
    sa.Column('phone', sa.String(length=32), nullable=False),
    sa.Column('birth_date', sa.Date(), nullable=True),
    sa.Column('city', sa.String(length=120), nullable=False),
    sa.Column('region', sa.String(length=2), nullable=False),
    sa.Column('created_at', UtcDateTime, nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_subscriber')),
    sa.UniqueConstraint('document', name=op.f('uq_subscriber_document'))
    )
    op.create_index(op.f('ix_subscriber_name'), 'subscriber', ['name'], unique=False)
    op.create_table('subscription',
    sa.Column('id', Id, nullable=False),
    sa.Column('subscriber_id', Id, nullable=False),
    sa.Column('plan_id', Id, nullable=False),
    sa.Column('login', sa.String(length=128), nullable=True),
    sa.Column('password', SecretText, nullable=True),
    sa.Column('mac', sa.String(length=17), nullable=True),
    sa.Column('opened_at', UtcDateTime, nullable=False),
    sa.Column('installed_at', UtcDateTime, nullable=True),
    sa.Column('cancelled_at', UtcDateTime, nullable=True),
    sa.Column('protocol', sa.String(length=32), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('state_since', UtcDateTime, nullable=False),
    sa.Column('desired_fingerprint', sa.String(length=40), nullable=False),
    sa.Column('desired_since', UtcDateTime, nullable=False),
    sa.Column('next_change_at', UtcDateTime, nullable=True),
    sa.Column('record_digest', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['plan_id'], ['plan.id'], name=op.f('fk_subscription_plan_id_plan')),
    sa.ForeignKeyConstraint(['subscriber_id'], ['subscriber.id'], name=op.f('fk_subscription_subscriber_id_subscriber')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_subscription'))
    )
    op.create_index(op.f('ix_subscription_next_change_at'), 'subscription', ['next_change_at'], unique=False)
    op.create_index(op.f('ix_subscription_plan_id'), 'subscription', ['plan_id'], unique=False)
    op.create_index('ix_subscription_state', 'subscription', ['state', 'id'], unique=False)
    op.create_index(op.f('ix_subscription_subscriber_id'), 'subscription', ['subscriber_id'], unique=False)
    op.create_index('uq_subscription_login', 'subscription', ['login'], unique=True, sqlite_where=sa.text('cancelled_at IS NULL'), postgresql_where=sa.text('cancelled_at IS NULL'))
    op.create_index('uq_subscription_mac', 'subscription', ['mac'], unique=True, sqlite_where=sa.text('cancelled_at IS NULL'), postgresql_where=sa.text('cancelled_at IS NULL'))
    op.create_table('debt',
    sa.Column('subscription_id', Id, nullable=False),
    sa.Column('invoice_id', Id, autoincrement=False, nullable=False),
    sa.Column('due_on', sa.Date(), nullable=False),
    sa.Column('open_cents', sa.BigInteger(), nullable=False),
    sa.Column('updated_at', UtcDateTime, nullable=False),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscription.id'], name=op.f('fk_debt_subscription_id_subscription')),
    sa.PrimaryKeyConstraint('subscription_id', 'invoice_id', name=op.f('pk_debt'))
    )
    op.create_table('divergence',
    sa.Column('session_id', Id, autoincrement=False, nullable=False),
    sa.Column('subscription_id', Id, nullable=False),
    sa.Column('nas_id', Id, nullable=False),
    sa.Column('desired_fingerprint', sa.String(length=40), nullable=False),
    sa.Column('since', UtcDateTime, nullable=False),
    sa.Column('status', sa.String(length=16), nullable=False),
    sa.Column('action', sa.String(length=16), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('tried_at', UtcDateTime, nullable=True),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscription.id'], name=op.f('fk_divergence_subscription_id_subscription')),
    sa.PrimaryKeyConstraint('session_id', name=op.f('pk_divergence'))
    )
    op.create_index(op.f('ix_divergence_nas_id'), 'divergence', ['nas_id'], unique=False)
    op.create_index(op.f('ix_divergence_subscription_id'), 'divergence', ['subscription_id'], unique=False)
    op.create_table('pause',
    sa.Column('id', Id, nullable=False),
    sa.Column('subscription_id', Id, nullable=False),
    sa.Column('since', UtcDateTime, nullable=False),
    sa.Column('until', UtcDateTime, nullable=True),
    sa.Column('note', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscription.id'], name=op.f('fk_pause_subscription_id_subscription')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_pause'))
    )
    op.create_index(op.f('ix_pause_subscription_id'), 'pause', ['subscription_id'], unique=False)
    op.create_table('restriction_order',
    sa.Column('id', Id, nullable=False),
    sa.Column('subscription_id', Id, nullable=False),
    sa.Column('level', sa.String(length=8), nullable=False),
    sa.Column('since', UtcDateTime, nullable=False),
    sa.Column('lapsed_at', UtcDateTime, nullable=True),
    sa.Column('invoice_ids', JsonDict, nullable=False),
    sa.Column('minimum_open_cents', sa.BigInteger(), nullable=False),
    sa.Column('rule', sa.String(length=120), nullable=False),
    sa.Column('run', sa.String(length=64), nullable=False),
    sa.Column('ordered_by', sa.String(length=120), nullable=False),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscription.id'], name=op.f('fk_restriction_order_subscription_id_subscription')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_restriction_order'))
    )
    op.create_index(op.f('ix_restriction_order_subscription_id'), 'restriction_order', ['subscription_id'], unique=False)
    op.create_table('speed_override',
    sa.Column('id', Id, nullable=False),
    sa.Column('subscription_id', Id, nullable=False),
    sa.Column('since', UtcDateTime, nullable=False),
    sa.Column('until', UtcDateTime, nullable=True),
    sa.Column('download_bps', sa.BigInteger(), nullable=False),
    sa.Column('upload_bps', sa.BigInteger(), nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscription.id'], name=op.f('fk_speed_override_subscription_id_subscription')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_speed_override'))
    )
    op.create_index(op.f('ix_speed_override_subscription_id'), 'speed_override', ['subscription_id'], unique=False)
    op.create_table('timeline_entry',
    sa.Column('id', Id, nullable=False),
    sa.Column('subscription_id', Id, nullable=False),
    sa.Column('at', UtcDateTime, nullable=False),
    sa.Column('event', sa.String(length=48), nullable=False),
    sa.Column('actor', sa.String(length=120), nullable=False),
    sa.Column('source', sa.String(length=16), nullable=False),
    sa.Column('state_before', sa.String(length=20), nullable=False),
    sa.Column('state_after', sa.String(length=20), nullable=False),
    sa.Column('details', JsonDict, nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscription.id'], name=op.f('fk_timeline_entry_subscription_id_subscription')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_timeline_entry'))
    )
    op.create_index('ix_timeline_entry_subscription', 'timeline_entry', ['subscription_id', 'id'], unique=False)
    op.create_table('trust_unblock',
    sa.Column('id', Id, nullable=False),
    sa.Column('subscription_id', Id, nullable=False),
    sa.Column('since', UtcDateTime, nullable=False),
    sa.Column('until', UtcDateTime, nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('granted_by', sa.String(length=120), nullable=False),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscription.id'], name=op.f('fk_trust_unblock_subscription_id_subscription')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_trust_unblock'))
    )
    op.create_index(op.f('ix_trust_unblock_subscription_id'), 'trust_unblock', ['subscription_id'], unique=False)
