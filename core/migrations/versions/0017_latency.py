"""how long a fact takes to be proven"""

from __future__ import annotations

revision = "0017_latency"
down_revision = "0016_routers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
