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
    pass
