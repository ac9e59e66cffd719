"""routines with their runs, scheduled changes"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.columns import Id, JsonDict, UtcDateTime

revision = "0011_routines"
down_revision = "0010_dunning"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
