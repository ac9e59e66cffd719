"""The roles that a process can play."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.session import read_settings
from core.logs import configure_logs
from core.settings import Settings

if TYPE_CHECKING:
    from api.up import Product
    from radius.metrics_listener import MetricsListener
    from radius.processes import RadiusProcesses

STOP_SECONDS = 4.5

data_dir = click.option("--data-dir", type=click.Path(path_type=Path), metavar="DIR", help="The data directory.")
http_port = click.option("--http-port", type=int, help="TCP port of the HTTP API; 0: any.")
auth_port = click.option("--auth-port", "radius_auth_port", type=int, help="UDP port of RADIUS authentication.")
acct_port = click.option("--acct-port", "radius_acct_port", type=int, help="UDP port of RADIUS accounting.")


@click.command()
@data_dir
@http_port
@auth_port
@acct_port
@click.option("--json-status", type=click.Path(path_type=Path), metavar="FILE", help="Write where it listens to FILE.")
def up(json_status: Path | None, **given: Any) -> int:
    """Start everything in one process tree on one data directory: HTTP API, RADIUS, worker and beat."""
    from api.up import running, write_status

    settings = _configured(given)
    stopping = _stop_signals()
    with _readable_errors(), running(settings) as product:
        if json_status is not None:
            write_status(json_status, product)
        _tell(product)
        failed = _wait(stopping, product.failed_part)
        click.echo(f"{failed} died; stopping" if failed else "stopping", err=True)
        _leave_in_time()
    if json_status is not None:
        json_status.unlink(missing_ok=True)
    return _leave(1 if failed else 0)


@click.command()
@data_dir
@http_port
def api(**given: Any) -> int:
    """Start the HTTP API alone; RADIUS, worker and beat run elsewhere on the same database."""
    from api.app import make_app
    from api.serving import HttpServer, listen
    from core.migrate import is_current
    from core.runtime import Runtime
    from core.worker import make_app as make_celery
    from core.worker import wake_with

    settings = _configured(given)
    stopping = _stop_signals()
    with _readable_errors(), contextlib.ExitStack() as parts:
        listener = listen(settings.http_address, settings.http_port)
        runtime = Runtime.open(settings)
        parts.callback(runtime.close)
        application = make_app(runtime)
        if not is_current(runtime.database):
            raise click.ClickException("the database's schema is not this version's; run `catraca migrate`")
        if not settings.embedded:
            runtime.database.wake = wake_with(make_celery(settings, lambda: runtime))
        server = HttpServer(application, listener)
        parts.callback(server.stop)
        server.start()
        click.echo(f"HTTP API  {server.url}")
        failed = _wait(stopping, lambda: None if server.alive else "the HTTP server")
        _leave_in_time()
    return _leave(1 if failed else 0)


class _Radius(click.Group):
    """The role itself, and the question what it would answer, which is imported when it is asked."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["test"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name != "test":
            return None
        from api.cli.radius_test import test

        return test


@click.group(cls=_Radius, invoke_without_command=True)
@data_dir
@auth_port
@acct_port
@click.option("--metrics-port", "radius_metrics_port", type=int, help="TCP port of /metrics and /healthz; 0: none.")
@click.pass_context
def radius(ctx: click.Context, /, **given: Any) -> int:
    """Start the RADIUS processes alone, with their own copy of the access records."""
    if ctx.invoked_subcommand is not None:
        if given["data_dir"] is not None:
            ctx.find_root().obj = given["data_dir"]
        return 0
    return _serve_radius(_configured(given))


def _serve_radius(settings: Settings) -> int:
    from api.instance import hold
    from radius.processes import RadiusProcesses

    stopping = _stop_signals()
    with _readable_errors(), hold(settings.data_dir), contextlib.ExitStack() as parts:
        processes = RadiusProcesses(settings)
        if settings.radius_metrics_port:
            parts.callback(_listen_for_metrics(settings, processes).stop)
        processes.start()
        try:
            ports = f"authentication {settings.radius_auth_port}, accounting {settings.radius_acct_port}"
            click.echo(f"RADIUS on {settings.radius_address} UDP: {ports}")
            if settings.radius_metrics_port:
                where = f"{settings.radius_metrics_address} TCP: {settings.radius_metrics_port}"
                click.echo(f"metrics and health on {where}")
            stopping.wait()
        finally:
            _leave_in_time()
            processes.stop()
    return _leave(0)


def _listen_for_metrics(settings: Settings, processes: RadiusProcesses) -> MetricsListener:
    from radius.metrics_listener import MetricsListener

    return MetricsListener(settings, processes.alive)


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def lab(arguments: tuple[str, ...]) -> int:
    """Play the story of a made-up provider, with simulated routers."""
    from lab.story import run

    return int(run(list(arguments)) or 0)


def _configured(given: dict[str, Any]) -> Settings:
    settings = read_settings(click.get_current_context(), **given)
    configure_logs(settings.log_level, settings.log_format)
    return settings


def _stop_signals() -> threading.Event:
    """Set by SIGTERM and SIGINT."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def _wait(stopping: threading.Event, failed_part: Callable[[], str | None]) -> str | None:
    """Wait for a signal, or for a part to die: gives its name."""
    while not stopping.wait(0.5):
        if (failed := failed_part()) is not None:
            return failed
    return None


@contextlib.contextmanager
def _readable_errors() -> Iterator[None]:
    """What keeps a role from starting, in a sentence instead of a traceback."""
    from api.instance import AlreadyRunning
    from api.serving import AddressTaken
    from core.errors import CatracaError
    from core.secrets import KeyMissing

    try:
        yield
    except (AlreadyRunning, AddressTaken, KeyMissing, OSError) as error:
        raise click.ClickException(str(error)) from None
    except CatracaError as error:
        raise click.ClickException(error.detail) from None


def _leave_in_time() -> None:
    """End the process soon even when a part does not: everything that matters is on disk already."""
    timer = threading.Timer(STOP_SECONDS, lambda: os._exit(0))
    timer.daemon = True
    timer.start()


def _leave(code: int) -> int:
    """Leave now: threads of the worker that still wait for a router must not hold the process."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _tell(product: Product) -> None:
    """Where everything listens; plain lines, so that the token can be copied from any terminal."""
    settings = product.runtime.settings
    lines = {
        "HTTP API": f"{product.http_url}/api/v1",
        "RADIUS authentication": f"{settings.radius_address} UDP {product.auth_port}",
        "RADIUS accounting": f"{settings.radius_address} UDP {product.acct_port}",
        "worker and beat": "inside" if settings.embedded else "celery -A api.celery_app worker, … beat",
        "data": str(settings.data_dir.resolve()),
        "operator's token": f"in {product.token_file.resolve()}" if product.token else "make one: catraca token create",
    }
    if product.token_is_new and sys.stdout.isatty():  # elsewhere it would end up in a log
        lines["shown this once"] = product.token
    click.echo("Catraca is up.")
    for name, value in lines.items():
        click.echo(f"  {name:<22} {value}")
    sys.stdout.flush()
