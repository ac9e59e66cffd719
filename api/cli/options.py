"""From a field's schema to an option of the command line, and from what was typed to what the API is sent.

The API validates; here a word only becomes the JSON type that the field has. `null` empties a list, and a field that
may be empty. A secret is never a word of the command line, where the shell's history and the process list would show
it: its option takes `-` and the value comes from the prompt, or from a line of standard input.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from api.openapi import Json, Operation, resolve

if TYPE_CHECKING:
    _Type = click.ParamType[Any]
else:
    _Type = click.ParamType

NOTHING = "null"


class Word(_Type):
    """Text, or `null` where the field may be empty."""

    def __init__(self, schema: Json) -> None:
        self.name = _metavar(schema)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value


class Whole(Word):
    """A whole number, or `null` where the field may be empty."""

    def __init__(self, schema: Json) -> None:
        super().__init__(schema)
        self._nullable = bool(schema.get("nullable"))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, int) or (value == NOTHING and self._nullable):
            return value
        try:
            return int(value)
        except ValueError:
            self.fail(f"{value!r} is not a whole number", param, ctx)


class SecretWord(_Type):
    """`-`: ask for the value, or read it from a line of standard input."""

    name = "-"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value not in ("-", NOTHING):
            self.fail("a secret is not typed here, where history would keep it; give `-` and type it then", param, ctx)
        return value


def argument(name: str) -> click.Argument:
    return click.Argument([name])


def option(name: str, schema: Json, required: bool) -> click.Option:
    """The option of a query parameter or body field."""
    flag = "--" + name.replace("_", "-")
    words = _words(schema)
    if is_secret(schema):
        return click.Option([flag, name], type=SecretWord(), required=required, help=words)
    match schema.get("type"):
        case "boolean":
            return click.Option([f"{flag}/--no-{flag[2:]}", name], default=None, required=required, help=words)
        case "integer":
            return click.Option([flag, name], type=Whole(schema), required=required, help=words)
        case "array":
            return click.Option([flag, name], type=Word(schema), multiple=True, required=required, help=words)
        case _:
            return click.Option([flag, name], type=Word(schema), required=required, help=words)


def read(given: Mapping[str, Any], fields: Mapping[str, Json], operation: Operation) -> Json | None:
    """The body that the words make; None when the operation takes none."""
    if not operation.body:
        return None
    schemas = {name: resolve(schema, operation.schemas) for name, schema in fields.items()}
    return {name: _value(name, value, schemas[name], operation) for name, value in given.items()}


def is_secret(schema: Json) -> bool:
    return schema.get("format") == "password"


def _value(name: str, value: Any, schema: Json, operation: Operation) -> Any:
    if value == NOTHING and schema.get("nullable"):
        return None
    if is_secret(schema):
        return ask_secret(name)
    if schema.get("type") == "array":
        items = resolve(schema.get("items", {}), operation.schemas)
        return [] if tuple(value) == (NOTHING,) else [_entry(name, word, items) for word in value]
    return _json(name, value) if schema.get("type") == "object" else value


def _entry(name: str, word: str, items: Json) -> Any:
    if items.get("type") == "integer":
        return int(word) if word.lstrip("-").isdecimal() else word
    return _json(name, word) if items.get("type") == "object" else word


def _json(name: str, word: str) -> Any:
    try:
        return json.loads(word)
    except ValueError:
        raise click.BadParameter(f"--{name.replace('_', '-')} takes JSON") from None


def ask_secret(name: str) -> str:
    """The secret, typed unseen or read from a line of standard input."""
    if sys.stdin.isatty():
        answer: str = click.prompt(name, hide_input=True, err=True)
        return answer
    return sys.stdin.readline().rstrip("\r\n")


def _words(schema: Json) -> str:
    words = [schema.get("description", "").rstrip(".")]
    if schema.get("examples") and not is_secret(schema) and schema.get("type") not in ("boolean", "object"):
        shown = schema["examples"][0]
        first = shown[0] if isinstance(shown, list) and shown else shown
        words.append(f"for example {first if not isinstance(first, dict) else json.dumps(first)}")
    if schema.get("default") not in (None, "", [], False):
        words.append(f"default {schema['default']}")
    return "; ".join(word for word in words if word)


def _metavar(schema: Json) -> str:
    if schema.get("enum"):
        return "|".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return "WORD (repeatable)"
    formats = {"date-time": "INSTANT", "date": "DATE", "ip": "ADDRESS", "cidr": "CIDR"}
    if schema.get("format") in formats:
        return formats[schema["format"]]
    return {"integer": "NUMBER", "object": "JSON"}.get(schema.get("type", ""), "RATE" if "anyOf" in schema else "TEXT")
