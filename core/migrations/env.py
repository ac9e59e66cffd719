"""Alembic's entry: works on the connection that `core.migrate` hands over."""

from alembic import context

from core.tables import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    transaction_per_migration=False,
    render_as_batch=True,
)
context.run_migrations()
