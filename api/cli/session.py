"""What a verb of the command line works with: the settings, the opened installation, its API, and where it prints."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pydantic import ValidationError

from core.logs import configure_logs
from core.settings import Settings

if TYPE_CHECKING:
    from core.actor import Actor
    from core.runtime import Runtime


def read_settings(ctx: click.Context, **given: Any) -> Settings:
    """The effective settings, with the options of the command line on top. UsageError when one is wrong."""
    data_dir = ctx.find_root().obj
    chosen = {name: value for name, value in given.items() if value is not None}
    if data_dir and "data_dir" not in chosen:
        chosen["data_dir"] = Path(data_dir)
    try:
        return Settings(**chosen)
    except ValidationError as error:
        lines = [f"setting {'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors()]
        raise click.UsageError("\n".join(lines)) from None
    except ValueError as error:
        raise click.UsageError(f"the settings cannot be read: {error}") from None


def has_installation(settings: Settings) -> bool:
    return settings.database_url is not None or (settings.data_dir / "catraca.db").exists()


@contextmanager
def opened(settings: Settings) -> Iterator[Runtime]:
    """The installation, which has to exist; quiet logs."""
    from core.runtime import Runtime
    from core.secrets import KeyMissing

    configure_logs("error" if settings.log_level == "info" else settings.log_level, settings.log_format)
    if not has_installation(settings):
        raise click.ClickException(
            f"there is no installation in {settings.data_dir}: start one with `catraca up`, make one with "
            "`catraca migrate`, or name its directory with `catraca --data-dir DIR …`"
        )
    try:
        runtime = Runtime.open(settings)
    except (KeyMissing, OSError) as error:
        raise click.ClickException(f"the installation in {settings.data_dir} cannot be opened: {error}") from None
    try:
        yield runtime
    finally:
        runtime.close()


def local_operator() -> Actor:
    """The person at this machine, as the audit trail will name them."""
    from core.actor import Actor

    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        name = f"uid {os.getuid()}"
    return Actor(name, "cli")


def on_terminal() -> bool:
    return sys.stdout.isatty()
