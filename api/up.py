"""The whole product in one process tree on one data directory: `catraca up`, and as a library.

Started in this order: the lock of the data directory, the HTTP socket (a taken port is told before anything else
runs), the schema, the RADIUS processes, the worker and beat, and HTTP last, so that nobody is answered before
everything is there. Stopped the other way round.

With another broker than `memory://` the worker and the beat are processes of their own (`api.celery_app`), and this one
only wakes them.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from api.app import make_app
from api.instance import hold
from api.serving import HttpServer, listen
from api.tokens import create_token, has_tokens
from core.actor import SYSTEM
from core.migrate import migrate
from core.runtime import Runtime
from core.settings import Settings
from core.worker import Embedded, wake_with
from core.worker import make_app as make_celery
from radius.processes import RadiusProcesses

OPERATOR = "operator"


@dataclass(frozen=True)
class Product:
    """What runs, and where it listens. `token` is the first operator's, empty when its file was taken away."""

    runtime: Runtime
    http: HttpServer
    radius: RadiusProcesses
    worker: Embedded | None
    token: str
    token_is_new: bool

    @property
    def http_url(self) -> str:
        return self.http.url

    @property
    def token_file(self) -> Path:
        return token_path(self.runtime.settings)

    @property
    def auth_port(self) -> int:
        return self.runtime.settings.radius_auth_port

    @property
    def acct_port(self) -> int:
        return self.runtime.settings.radius_acct_port

    def failed_part(self) -> str | None:
        """The name of a part that died, for the process to end with it; RADIUS processes are started again."""
        if not self.http.alive:
            return "the HTTP server"
        return None if self.worker is None or self.worker.alive else "the worker or beat"

    def status(self) -> dict[str, object]:
        """What `--json-status` writes."""
        return {
            "http_url": self.http_url,
            "auth_port": self.auth_port,
            "acct_port": self.acct_port,
            "token_file": str(self.token_file.resolve()),
            "pid": os.getpid(),
        }


@contextmanager
def running(settings: Settings) -> Iterator[Product]:
    """The product, running for the block; a port of 0 becomes a free one.

    AlreadyRunning, AddressTaken or a CatracaError when it cannot start.
    """
    settings = with_free_ports(settings)
    with ExitStack() as parts:
        parts.enter_context(hold(settings.data_dir))
        listener = listen(settings.http_address, settings.http_port)
        parts.callback(listener.socket.close)
        runtime = Runtime.open(settings)
        parts.callback(runtime.close)
        app = make_app(runtime)
        migrate(runtime.database)
        token, is_new = first_token(runtime)
        stops: list[Callable[[], None]] = []
        parts.callback(_stop_together, stops)
        radius = RadiusProcesses(settings)
        stops.append(radius.stop)
        radius.start()
        worker = start_worker(runtime, stops)
        http = HttpServer(app, listener)
        stops.append(http.stop)
        http.start()
        yield Product(runtime, http, radius, worker, token, is_new)


def start_worker(runtime: Runtime, stops: list[Callable[[], None]]) -> Embedded | None:
    """The embedded worker and beat, or (None) the way to wake those of other processes."""
    if not runtime.settings.embedded:
        runtime.database.wake = wake_with(make_celery(runtime.settings, lambda: runtime))
        return None
    embedded = Embedded(runtime)
    stops.append(embedded.stop)
    embedded.start()
    return embedded


def with_free_ports(settings: Settings) -> Settings:
    """The settings with a free UDP port where RADIUS was given port 0: all of its processes have to know it."""
    wanted = [name for name in ("radius_auth_port", "radius_acct_port") if getattr(settings, name) == 0]
    address = settings.radius_address.partition(",")[0].strip()  # the others are tried when the processes start
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with ExitStack() as held:
        free = {}
        for name in wanted:
            probe = held.enter_context(socket.socket(family, socket.SOCK_DGRAM))
            probe.bind((address, 0))
            free[name] = probe.getsockname()[1]
        return settings.model_copy(update=free)


def _stop_together(stops: list[Callable[[], None]]) -> None:
    """Stop all parts at the same time, since each waits for others' last words."""
    threads = [threading.Thread(target=stop, daemon=True) for stop in reversed(stops)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def token_path(settings: Settings) -> Path:
    return settings.data_dir / "operator-token"


def first_token(runtime: Runtime) -> tuple[str, bool]:
    """The first operator's token and whether it was made now; its file is readable by its owner alone."""
    path = token_path(runtime.settings)
    with runtime.database.transaction(SYSTEM) as tx:
        if has_tokens(tx):
            return (path.read_text("ascii").strip() if path.exists() else ""), False
        _, secret = create_token(tx, name="first operator", operator=OPERATOR)
        write_private(path, secret.reveal() + "\n")
    return secret.reveal(), True


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 so that it is there whole or not at all."""
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def write_status(path: Path, product: Product) -> None:
    write_private(path, json.dumps(product.status()) + "\n")
