"""trust rules, pending speeds, permissions of tokens"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.columns import Id, JsonDict, UtcDateTime

revision = "0012_procedures"
down_revision = "0011_routines"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
