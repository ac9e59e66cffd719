"""Fields of the API that hold an object whose names depend on something else: a task's parameters, an action's
arguments. Whoever knows the names checks them; here only what JSON in a database cannot carry is refused.
"""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

from pydantic import AfterValidator

from api.fields import broken, clean_note

MOST_OCTETS = 10_000
DEEPEST = 5


def plain_values(values: dict[str, Any]) -> dict[str, Any]:
    _look_at(values, 0)
    if len(json.dumps(values)) > MOST_OCTETS:
        raise broken(f"must have at most {MOST_OCTETS} octets")
    return values


def _look_at(value: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise broken(f"must be nested at most {DEEPEST} deep")
    if isinstance(value, str):
        clean_note(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise broken("must not hold infinite numbers")
    items = [*value.keys(), *value.values()] if isinstance(value, dict) else value
    if isinstance(items, list):
        for item in items:
            _look_at(item, depth + 1)


Values = Annotated[dict[str, Any], AfterValidator(plain_values)]
