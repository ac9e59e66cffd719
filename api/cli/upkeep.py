"""Upkeep of an installation: schema, keys, settings, access records."""

from __future__ import annotations

import json
from importlib.metadata import version as package_version

import click

from api.cli.session import opened, read_settings
from core.logs import configure_logs
from core.redaction import redact


@click.command()
def migrate() -> None:
    """Bring the database to this version's schema; makes the data directory when there is none."""
    from api import assembly
    from core.errors import CatracaError
    from core.migrate import is_current
    from core.migrate import migrate as run
    from core.runtime import Runtime

    settings = read_settings(click.get_current_context())
    configure_logs("warning", settings.log_format)
    assembly.load()
    runtime = Runtime.open(settings)
    try:
        if is_current(runtime.database):
            click.echo("the schema is this version's already")
            return
        run(runtime.database)
        click.echo("the schema is now this version's")
    except CatracaError as error:
        raise click.ClickException(error.detail) from None
    finally:
        runtime.close()


@click.group()
def secrets() -> None:
    """The keys of secrets at rest."""


@secrets.command()
@click.option("--resume", is_flag=True, help="Go on with a rotation that was interrupted: make no new key.")
@click.option("--drop-old", is_flag=True, help="Some minutes after a rotation: forget every key but the newest.")
def rotate(resume: bool, drop_old: bool) -> None:
    """Make a new key and encrypt every stored secret with it, while everything runs.

    RADIUS hosts that have a key file of their own need the new one at once: copy it there.
    """
    from api import rotation
    from core.errors import CatracaError

    settings = read_settings(click.get_current_context())
    with opened(settings) as runtime:
        try:
            report = rotation.drop_old(runtime) if drop_old else rotation.rotate(runtime, new_key=not resume)
        except CatracaError as error:
            raise click.ClickException(error.detail) from None
    for line in report.lines():
        click.echo(line)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def settings(as_json: bool) -> None:
    """Show every effective setting; secrets are hidden."""
    effective = read_settings(click.get_current_context())
    shown = {name: redact(getattr(effective, name), name) for name in type(effective).model_fields}
    plain = {name: value if isinstance(value, int | float | bool) or value is None else str(value)
             for name, value in shown.items()}  # fmt: skip
    if as_json:
        click.echo(json.dumps(plain, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("setting", "value", "meaning"):
        table.add_column(column)
    for name, field in type(effective).model_fields.items():
        value = plain[name]
        table.add_row(name, "unset" if value is None else str(value), (field.description or "").replace("[", "\\["))
    Console(highlight=False).print(table)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def version(as_json: bool) -> None:
    """Show the version."""
    number = package_version("catraca")
    click.echo(json.dumps({"version": number}) if as_json else f"catraca {number}")


@click.command()
def recompile() -> None:
    """Write every RADIUS access record anew from the facts; nobody's service is interrupted."""
    from api import rotation

    effective = read_settings(click.get_current_context())
    with opened(effective) as runtime:
        count = rotation.recompile(runtime)
    click.echo(f"{count} access records written")
