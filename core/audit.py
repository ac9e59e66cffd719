"""The audit trail: who changed what, when, from where, from what, to what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from core.columns import Id, JsonDict, UtcDateTime
from core.redaction import is_secret_name, redact_text
from core.secrets import Secret
from core.tables import Base


class AuditEntry(Base):
    """One change. `before` and `after` hold only what changed; secrets stand there as `***`."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_entity", "entity", "entity_id", "id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(120))
    source: Mapped[str] = mapped_column(String(16))
    request_id: Mapped[str] = mapped_column(String(64), default="")
    action: Mapped[str] = mapped_column(String(64))
    entity: Mapped[str] = mapped_column(String(32))
    entity_id: Mapped[str] = mapped_column(String(64))
    before: Mapped[dict[str, Any] | None] = mapped_column(JsonDict)
    after: Mapped[dict[str, Any] | None] = mapped_column(JsonDict)
    note: Mapped[str] = mapped_column(Text, default="")


def presentable(values: Mapping[str, object] | None) -> dict[str, Any] | None:
    """The mapping as JSON may hold it: secrets hidden, instants and enumerations as text."""
    if values is None:
        return None
    return {name: _plain(name, value) for name, value in values.items()}


def _plain(name: str, value: object) -> Any:
    if isinstance(value, Secret) or (value is not None and is_secret_name(name)):
        return "***"
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(name, item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact_text(value if isinstance(value, str) else str(value))
