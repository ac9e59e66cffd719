"""`catraca radius test USER`: what a NAS would be answered, and why, for people to read.

It is the verb `radius.test` of the API like any other; only what is typed is shorter, and what is printed is longer.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.cli import rendering
from api.cli.options import SecretWord, ask_secret
from api.cli.session import local_operator, on_terminal, opened, read_settings
from api.cli.verbs import document_operations
from api.openapi import Json

WIDE = 160
"""Columns in a pipe."""


@click.command(name="test")
@click.argument("user")
@click.option("--nas", metavar="NAME", help="The NAS that asks; else one of each vendor in use.")
@click.option("--caller", metavar="MAC", help="Calling-Station-Id; else that of the last session.")
@click.option("--port", metavar="PORT", help="NAS-Port-Id; else that of the last session.")
@click.option("--at", metavar="INSTANT", help="For which instant, such as 2026-03-05T18:00:00-03:00; else now.")
@click.option("--password", type=SecretWord(), help="Try a password, typed when asked for; else the right one.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def test(user: str, password: str | None, as_json: bool, **given: Any) -> int:
    """What a NAS would be answered about USER (a login, or an IPoE line's MAC address), and why."""
    from api.app import make_app
    from api.local import call

    body = {"login": user, **{name: value for name, value in given.items() if value is not None}}
    if password is not None:
        body["password"] = ask_secret("password")
    operation = next(item for item in document_operations() if item.operation_id == "radius.test")
    settings = read_settings(click.get_current_context())
    with opened(settings) as runtime:
        answer = call(make_app(runtime, local=local_operator()), operation.method, operation.path, None, body)
    if answer.refused:
        rendering.print_problem(answer.content, as_json)
        return 1
    if as_json:
        rendering.print_json(answer.content, on_terminal())
    else:
        _Page(settings.timezone).print(answer.content)
    return 0


class _Page:
    """The answer in paragraphs, the most important first."""

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone)
        self._console = Console(highlight=False, width=None if on_terminal() else WIDE)

    def print(self, told: Json) -> None:
        self._line(f"[bold]{escape(told['login'])}[/] at {self._instant(told['at'])}: {escape(told['finding'])}")
        for answer in told["answers"]:
            self._answer(answer)
        self._facts(told)
        self._table(
            "open sessions",
            told["sessions"],
            ("nas_name", "calling_station_id", "nas_port_id", "framed_ip_address", "started_at", "updated_at"),
        )
        self._table("last rejects", told["rejects"], ("last_at", "times", "words", "nas_name", "calling_station_id"))
        self._table("RADIUS hosts", told["hosts"], ("host", "revision", "current", "live", "seen_at"))

    def _answer(self, answer: Json) -> None:
        self._line("")
        colour = {"Access-Accept": "green", "Access-Reject": "red"}.get(answer["answer"], "yellow")
        reason = f": {escape(answer['words'])}" if answer["words"] else ""
        asked = ", ".join(
            f"{word} {escape(answer[name])}"
            for word, name in (("caller", "calling_station_id"), ("port", "nas_port_id"))
            if answer[name]
        )
        who = f"{escape(answer['nas_name'])} ({escape(answer['vendor'])}{', ' + asked if asked else ''})"
        self._line(f"[bold]{who}[/]  [bold {colour}]{answer['answer']}[/]{reason}")
        for attribute in answer["attributes"]:
            self._line(f"    {escape(attribute['name'])} = {escape(attribute['value'])}")

    def _facts(self, told: Json) -> None:
        self._line("")
        explanation = told["explanation"]
        if explanation:
            self._line(f"[bold]service[/]  {escape(explanation['sentence'])}; {escape(explanation['speed'])}")
            if explanation["next_change_at"]:
                self._line(f"[bold]changes by itself[/]  {self._instant(explanation['next_change_at'])}")
        if told["limits"]:
            self._line(f"[bold]limits[/]  {escape('; '.join(told['limits']))}")

    def _table(self, title: str, rows: list[Json], names: tuple[str, ...]) -> None:
        self._line("")
        if not rows:
            self._line(f"[bold]{title}[/]  none")
            return
        table = Table(title=title, title_style="bold", title_justify="left", box=None, pad_edge=False)
        for name in names:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*(escape(self._word(name, row[name])) for name in names))
        self._console.print(table)

    def _word(self, name: str, value: Any) -> str:
        if value is None or value == "":
            return rendering.NONE
        if isinstance(value, bool):
            return "yes" if value else "no"
        return self._instant(value) if name.endswith("_at") else str(value)

    def _instant(self, text: str) -> str:
        return f"{datetime.fromisoformat(text).astimezone(self._zone):%Y-%m-%d %H:%M:%S}"

    def _line(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)
