"""what a router already has"""

from __future__ import annotations

revision = "0018_adoption"
down_revision = "0017_latency"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
