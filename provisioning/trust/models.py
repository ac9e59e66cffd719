"""The table of the rules for trust unblocks: one row a version, the newest in force."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from core.columns import Id, UtcDateTime
from core.database import Base


class TrustRuleVersion(Base):
    """See `provisioning.trust.rules.TrustRules`; `since` is when it came into force, `set_by` who said so."""

    __tablename__ = "trust_rule_version"

    version: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    max_days: Mapped[int] = mapped_column(Integer)
    uses: Mapped[int] = mapped_column(Integer)
    period_days: Mapped[int] = mapped_column(Integer)
    minimum_age_days: Mapped[int] = mapped_column(Integer)
    block_after_broken: Mapped[bool] = mapped_column(Boolean)
    broken_block_days: Mapped[int] = mapped_column(Integer)
    self_service: Mapped[bool] = mapped_column(Boolean)
    self_service_max_days: Mapped[int] = mapped_column(Integer)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    set_by: Mapped[str] = mapped_column(String(120))
    note: Mapped[str] = mapped_column(Text, default="")
