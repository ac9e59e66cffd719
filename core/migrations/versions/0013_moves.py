"""migrations, transfers, mass changes"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.columns import Id, JsonDict, UtcDateTime

revision = "0013_moves"
down_revision = "0012_procedures"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
