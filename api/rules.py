"""From what a validator found to what a person can act on: field, rule, example.

The example is the one of the field's own schema in the OpenAPI document, so what the error proposes and what the
documentation shows cannot differ. Values that the caller sent are never repeated: they may be secrets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from api.openapi import Operation, resolve

Found = Mapping[str, Any]

_RULES = {
    "missing": "is required",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "is too large a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "string_unicode": "must be text in valid Unicode",
    "list_type": "must be a list",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "too_long": "must have at most {max_length} entries",
    "too_short": "must have at least {min_length} entries",
    "string_pattern_mismatch": "must look like {pattern}",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
}


def explain(found: Sequence[Found], operation: Operation | None) -> list[dict[str, Any]]:
    """One entry for each field at fault, in the order found; a field counts once, with its first broken rule."""
    entries: dict[str, dict[str, Any]] = {}
    for error in found:
        entry = _entry(error, operation)
        entries.setdefault(entry["field"], entry)
    return list(entries.values())


def _entry(error: Found, operation: Operation | None) -> dict[str, Any]:
    place, *steps = error["loc"]
    schema = _schema(operation, str(place), steps)
    name = _name(steps) or str(place)
    if error["type"] == "extra_forbidden":
        known = sorted(_properties(operation, steps[:-1]))
        rule = f"is not a field here; the fields are {', '.join(known)}" if known else "is not a field here"
        return {"field": name, "rule": rule, "example": example(_schema(operation, "body", steps[:-1]))}
    return {"field": name, "rule": _rule(error), "example": example(schema)}


def _rule(error: Found) -> str:
    words = _RULES.get(error["type"])
    if words is not None:
        return words.format(**error.get("ctx", {}))
    text = str(error["msg"])
    return text[:1].lower() + text[1:]


def _name(steps: Sequence[Any]) -> str:
    return ".".join(str(step) for step in steps)


def _schema(operation: Operation | None, place: str, steps: Sequence[Any]) -> dict[str, Any]:
    if operation is None:
        return {}
    if place != "body":
        return operation.parameter(str(steps[0])) if steps else {}
    return _descend(operation.body, steps, operation.schemas)


def _descend(schema: dict[str, Any], steps: Sequence[Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of the field at `steps`; names that are no field (members of a union) are passed over."""
    for step in steps:
        present = resolve(schema, schemas)
        if isinstance(step, int):
            schema = _entry_of(present)
        elif step in present.get("properties", {}):
            schema = present["properties"][step]
    return resolve(schema, schemas)


def _entry_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a list's entries, with an example from the list's own."""
    entries: dict[str, Any] = dict(schema.get("items", {}))
    examples = [entry for whole in schema.get("examples", []) for entry in whole]
    return {"examples": examples, **entries} if examples else entries


def _properties(operation: Operation | None, steps: Sequence[Any]) -> dict[str, Any]:
    properties: dict[str, Any] = _schema(operation, "body", steps).get("properties", {})
    return properties


def example(schema: Mapping[str, Any]) -> Any:
    """The first example of a schema, else its default, else the first of its permitted values."""
    if schema.get("examples"):
        return schema["examples"][0]
    if schema.get("default") is not None:
        return schema["default"]
    return (schema.get("enum") or [None])[0]
