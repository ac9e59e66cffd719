"""Hosts to be ill-treated: `catraca radius` on its own data directory, with the benchmarks' subscribers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bench.host import RadiusHost, prepare, settings_for

SUBSCRIBERS = 200
StartHost = Callable[..., RadiusHost]


@pytest.fixture
def start_host(tmp_path: Path) -> Iterator[StartHost]:
    """Starts a host on the database of a URL; keywords are settings, but `environment` is its processes'."""
    with ExitStack() as stack:

        def start(url: str, *, environment: dict[str, str] | None = None, **settings: Any) -> RadiusHost:
            chosen = settings_for(tmp_path / "data", url, **settings)
            prepare(chosen, SUBSCRIBERS)
            return stack.enter_context(RadiusHost(chosen, environment=environment))

        yield start
