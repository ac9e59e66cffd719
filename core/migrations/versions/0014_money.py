"""promotional discounts, receipts in a cash box, monthly billing"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.columns import Id, JsonDict, UtcDateTime

revision = "0014_money"
down_revision = "0013_moves"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
