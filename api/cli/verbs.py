"""Verbs generated from the API's document.

`subscription.trust-unblock` becomes `catraca subscription trust-unblock ID --until … --note …`: path parameters are
arguments, query parameters and body fields are options with the field's description as help. The request goes through
the API itself, in this process, with the local operator's name: there is one validation and one command function.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

import click

from api.cli.options import argument, option, read
from api.cli.session import local_operator, on_terminal, opened, read_settings
from api.openapi import Json, Operation, operations, resolve

if TYPE_CHECKING:
    from core.settings import Settings


class VerbGroup(click.Group):
    """The verbs of one kind of thing."""

    def __init__(self, name: str, words: str) -> None:
        super().__init__(name, help=words)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [item.operation_id.partition(".")[2] for item in self._mine()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        wanted = f"{self.name}.{cmd_name}"
        return next((make_verb(item) for item in self._mine() if item.operation_id == wanted), None)

    def _mine(self) -> list[Operation]:
        mine = [item for item in document_operations() if item.operation_id.partition(".")[0] == self.name]
        return [item for item in mine if not item.signed]  # what asks for a sender's signature is for machines


@cache
def document_operations() -> list[Operation]:
    """Every verb of the API; the document needs no database."""
    from api.app import document

    return list(operations(document()))


def make_verb(operation: Operation) -> click.Command:
    """The command of one operation."""
    in_path = [item for item in operation.parameters if item["in"] == "path"]
    in_query = [item["name"] for item in operation.parameters if item["in"] == "query"]
    fields = operation.body.get("properties", {})
    required = operation.body.get("required", [])
    parameters: list[click.Parameter] = [argument(item["name"]) for item in in_path]
    for name in in_query:
        parameters.append(option(name, resolve(operation.parameter(name), operation.schemas), False))
    for name, schema in fields.items():
        parameters.append(option(name, {**resolve(schema, operation.schemas), **_words(schema)}, name in required))
    parameters.append(click.Option(["--json", "as_json"], is_flag=True, help="Print the answer as JSON."))
    if operation.answers_file:
        parameters.append(click.Option(["-o", "--output"], metavar="FILE", help="Where to write the file."))

    def run(as_json: bool, output: str | None = None, **given: Any) -> int:
        path = operation.path.format(**{item["name"]: given[item["name"]] for item in in_path})
        query = {name: given[name] for name in in_query if given[name] is not None}
        body = {name: given[name] for name in fields if given[name] is not None and given[name] != ()}
        return _perform(operation, path, query, read(body, fields, operation), as_json, output)

    return click.Command(
        operation.operation_id.partition(".")[2],
        params=parameters,
        callback=run,
        help=_help(operation),
        short_help=operation.content.get("summary", ""),
    )


def _words(schema: Json) -> Json:
    return {name: schema[name] for name in ("description", "examples", "default") if name in schema}


def _help(operation: Operation) -> str:
    parts = [operation.content.get("summary", ""), operation.content.get("description", "")]
    return "\n\n".join(part for part in parts if part)


def _perform(operation: Operation, path: str, query: Json, body: Json | None, as_json: bool, output: str | None) -> int:
    from api.app import make_app
    from api.local import call

    settings = read_settings(click.get_current_context())
    with opened(settings) as runtime:
        answer = call(make_app(runtime, local=local_operator()), operation.method, path, query, body)
    if isinstance(answer.content, bytes):
        return _save(answer.content, output or answer.headers["content-disposition"].partition('"')[2].rstrip('"'))
    return _print(operation, answer.status, answer.content, as_json, settings)


def _save(content: bytes, name: str) -> int:
    """Write a file that nobody else may read; never over one that is there."""
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise click.ClickException(f"{name}: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    click.echo(name)
    return 0


def _print(operation: Operation, status: int, content: Any, as_json: bool, settings: Settings) -> int:
    from api.cli import rendering

    if status >= 400:
        rendering.print_problem(content, as_json)
        return 1
    if as_json:
        rendering.print_json(content, on_terminal())
    elif content in (None, ""):
        click.echo("done")
    else:
        rendering.Painter(operation.schemas, settings.timezone).print(content, operation.answer)
    return 0
