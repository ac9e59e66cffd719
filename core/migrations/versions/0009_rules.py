"""suspension rules with notices and calendar, holidays, what an order was decided by"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.columns import Id, JsonDict, UtcDateTime

revision = "0009_rules"
down_revision = "0008_alarms"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
