"""Answers for people: tables and lists of names and values, money as `R$ 99,90`, rates as `50M`, local time.

How a value is shown follows from its name (`…_cents`, `…_bps`) and its schema (instants), as the API's fields are
named by that rule throughout.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.openapi import Json, resolve
from core.units import format_money, format_rate

NONE = "–"
WIDE = 240
"""Columns of a table that goes into a pipe or a file."""
_LONG, _SHORT = "%Y-%m-%d %H:%M:%S %z", "%Y-%m-%d %H:%M"


def print_json(content: Any, pretty: bool) -> None:
    """The answer as JSON: indented on a terminal, one line in a pipe."""
    sys.stdout.write(json.dumps(content, ensure_ascii=False, indent=2 if pretty else None) + "\n")


def print_problem(problem: Any, as_json: bool) -> None:
    """A refusal, on stderr: what, and for each field the rule and an example."""
    if as_json or not isinstance(problem, dict):
        sys.stderr.write((json.dumps(problem, ensure_ascii=False) if as_json else str(problem)) + "\n")
        return
    errors = problem.get("errors") or []
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"[bold red]Refused:[/] {escape(str(problem['title'] if errors else problem['detail']))}")
    for entry in errors:
        shown = entry.get("example")
        example = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
        console.print(f"  [bold]{escape(str(entry['field']))}[/] {escape(str(entry['rule']))}", end="")
        console.print(f" (for example {escape(example)})" if shown is not None else "")
    hidden = {"type", "title", "status", "detail", "request_id", "errors"}
    for name, value in problem.items():
        if name not in hidden and value not in (None, ""):
            console.print(f"  {name}: {escape(_flat(value))}")


class Painter:
    """Prints answers with the help of their schema."""

    def __init__(self, schemas: Mapping[str, Any], zone: str) -> None:
        self._schemas = schemas
        self._zone = ZoneInfo(zone)
        self._console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)

    def print(self, content: Any, schema: Json) -> None:
        """The answer: a page as a table, anything else as names and values."""
        if isinstance(content, dict) and set(content) == {"items", "next"}:
            self._page(content, schema)
        elif isinstance(content, dict):
            self._thing(content, schema)
        else:
            self._console.print(escape(_flat(content)))

    def _page(self, page: Json, schema: Json) -> None:
        if not page["items"]:
            self._console.print("none")
            return
        self._console.print(self._table(page["items"], self._property(schema, "items")))
        if page["next"]:
            Console(stderr=True, highlight=False).print(f"more: --after {page['next']}")

    def _table(self, rows: list[Json], schema: Json) -> Table:
        described = resolve(schema.get("items", {}), self._schemas)
        names = described.get("x-columns") or list(rows[0])
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in names:
            right = isinstance(rows[0].get(name), int) and not isinstance(rows[0].get(name), bool)
            title = name.removesuffix("_cents").removesuffix("_bps")
            whole = name == "id" or name.endswith("_at")
            table.add_column(title, justify="right" if right else "left", no_wrap=whole, overflow="fold")
        for row in rows:
            table.add_row(*(escape(self._word(name, row.get(name), described, _SHORT)) for name in names))
        return table

    def _thing(self, thing: Json, schema: Json, indent: int = 0) -> None:
        machines = schema.get("x-for-machines", ())
        thing = {name: value for name, value in thing.items() if name not in machines}
        width = max((len(name) for name in thing), default=0)
        for name, value in thing.items():
            inner = self._property(schema, name)
            label = " " * indent + f"[bold]{name:<{width}}[/]  "
            if isinstance(value, dict) and value:
                self._console.print(label)
                self._thing(value, inner, indent + 2)
            elif isinstance(value, list) and value and isinstance(value[0], dict):
                self._console.print(label)
                self._console.print(self._table(value, inner))
            elif isinstance(value, list) and len(value) > 1:
                self._console.print(label)
                for line in value:
                    self._console.print(" " * (indent + 2) + escape(str(line)), soft_wrap=True)
            else:
                self._console.print(label + escape(self._word(name, value, schema)), soft_wrap=True)

    def _property(self, schema: Json, name: str) -> Json:
        return resolve(schema.get("properties", {}).get(name, {}), self._schemas)

    def _word(self, name: str, value: Any, schema: Json, clock: str = _LONG) -> str:
        if value is None or value == "":
            return NONE
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, int):
            return _number(name, value)
        if isinstance(value, str) and self._property(schema, name).get("format") == "date-time":
            return datetime.fromisoformat(value).astimezone(self._zone).strftime(clock)
        return _flat(value)


def _number(name: str, value: int) -> str:
    if name.endswith("_cents"):
        return format_money(value)
    return format_rate(value) if name.endswith("_bps") else str(value)


def _flat(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_flat(item) for item in value) or NONE
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
