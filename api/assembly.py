"""The whole product put together: importing a module is what registers its tables, job handlers and schedules."""

from __future__ import annotations

from importlib import import_module

MODULES: tuple[str, ...] = (
    "core.leases",
    "core.jobs",
    "api.tokens",
    "api.idempotency",
)


def load() -> None:
    """Import every module that registers something."""
    for name in MODULES:
        import_module(name)
