"""Column types that mean the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, DateTime, Dialect, Integer, LargeBinary, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import JSON, TypeDecorator, TypeEngine

from core.secrets import Keyring, Secret

Id = BigInteger().with_variant(Integer(), "sqlite")
"""Primary keys: SQLite only numbers rows by itself for INTEGER."""

JsonDict = JSON(none_as_null=True)
"""JSON: objects and lists alike. A column that is added to a table takes `JsonDefault` as its server_default."""


class JsonDefault(ColumnElement[Any]):
    """A `server_default` of a JSON column, written as PostgreSQL gives it back: it cannot compare JSON otherwise."""

    def __init__(self, text: str) -> None:
        self.text = text


@compiles(JsonDefault)
def _plain_default(element: JsonDefault, _compiler: Any, **_options: Any) -> str:
    return f"'{element.text}'"


@compiles(JsonDefault, "postgresql")
def _typed_default(element: JsonDefault, _compiler: Any, **_options: Any) -> str:
    return f"'{element.text}'::json"


Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def attach_keyring(dialect: Dialect, keyring: Keyring) -> None:
    """Give every `SecretText` of this engine its keys; `core.database` calls it once per engine."""
    dialect.catraca_keyring = keyring  # type: ignore[attr-defined]


def _keyring(dialect: Dialect) -> Keyring:
    keyring: Keyring = dialect.catraca_keyring  # type: ignore[attr-defined]
    return keyring


class UtcDateTime(TypeDecorator[datetime]):
    """A timezone-aware instant, stored as UTC (microseconds); a naive one is refused."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without a time zone cannot be stored")
        instant = value.astimezone(UTC)
        return instant if dialect.name == "postgresql" else instant.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class IpAddress(TypeDecorator[Address]):
    """An IPv4 or IPv6 address as 4 or 16 bytes, most significant first: order by value inside a family."""

    impl = LargeBinary(16)
    cache_ok = True

    def process_bind_param(self, value: Address | None, dialect: Dialect) -> bytes | None:
        return None if value is None else value.packed

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Address | None:
        return None if value is None else ipaddress.ip_address(bytes(value))


class SecretText(TypeDecorator[Secret]):
    """Text that is encrypted in the database and never shown by repr; see `core.secrets`."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Secret | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return _keyring(dialect).encrypt(value.reveal().encode()).decode("ascii")

    def process_result_value(self, value: str | None, dialect: Dialect) -> Secret | None:
        return None if value is None else Secret(_keyring(dialect).decrypt(value.encode("ascii")).decode())
