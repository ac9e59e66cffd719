"""ipam: the first tables"""

import sqlalchemy as sa
from alembic import op

from core.columns import Id, IpAddress, JsonDict, SecretText, UtcDateTime

revision = "0002_ipam"
down_revision = "0001_core"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
