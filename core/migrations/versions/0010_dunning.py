"""dunning runs with their lines, marks of the clock"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.columns import Id, JsonDict, UtcDateTime

revision = "0010_dunning"
down_revision = "0009_rules"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
