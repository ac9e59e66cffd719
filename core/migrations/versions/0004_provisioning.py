"""provisioning: the first tables"""

import sqlalchemy as sa
from alembic import op

from core.columns import Id, IpAddress, JsonDict, SecretText, UtcDateTime

revision = "0004_provisioning"
down_revision = "0003_radius"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
