"""What every body and every answer of the API has in common.

A `Body` is what a caller sends: unknown fields are refused. A `View` is what is answered: it is read from an ORM row by
the names of its fields, so a column that no view names (a password, a secret) cannot leave. Both give every field a
description and an example; `api.openapi` builds the examples of whole requests and answers from those.
"""

from __future__ import annotations

from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from api.fields import broken
from core.secrets import Secret

Item = TypeVar("Item")


class Body(BaseModel):
    """What a caller sends."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    def given(self) -> dict[str, Any]:
        """The fields that the caller did send, as the keyword arguments of a command; secrets wrapped as `Secret`."""
        return {name: _plain(getattr(self, name)) for name in type(self).model_fields if name in self.model_fields_set}


class Change(Body):
    """A body of PATCH: what is absent stays as it is, so at least one field has to be there.

    Fields that cannot be null have a `default_factory`: it makes them optional, and the value is never used.
    """

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise broken("must have at least one field to change")
        return self


class View(BaseModel):
    """What the API answers."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def of(cls, row: object, **extra: object) -> Self:
        """The view of an ORM row or of any object with attributes of the same names; `extra` are no attributes."""
        if not extra:
            return cls.model_validate(row)
        own = {name: getattr(row, name) for name in cls.model_fields if name not in extra}
        return cls.model_validate(own | extra)


class Page(View, Generic[Item]):
    """A page of a list."""

    items: list[Item] = Field(description="The things of this page, in the order of their ids")
    next: str | None = Field(
        description="Give it back as `after` to get the next page; null: this was the last one",
        examples=["MS41MA"],
    )


def columns(*names: str) -> ConfigDict:
    """The `model_config` of a view that tables on a terminal show with these columns only."""
    return ConfigDict(json_schema_extra={"x-columns": list(names)})


def for_machines(*names: str) -> ConfigDict:
    """The `model_config` of a view of which a terminal shows all but these fields; `--json` has them."""
    return ConfigDict(json_schema_extra={"x-for-machines": list(names)})


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return Secret(value.get_secret_value())
    if isinstance(value, Body):
        return value.given()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
