"""The whole product put together: importing a module is what registers its tables, job handlers and schedules."""

from __future__ import annotations

from importlib import import_module

TABLES = (
    "core.audit",
    "core.job_queue",
    "core.leases",
    "ipam.models",
    "radius.models",
    "provisioning.models",
    "billing_bridge.models",
    "api.tokens",
    "api.idempotency",
)
BACKGROUND = (
    "core.jobs",
    "radius.stale",
    "provisioning.jobs",
    "provisioning.converge",
    "billing_bridge.background",
    "api.idempotency",
)


def load() -> None:
    """Import every module that registers something."""
    for name in (*TABLES, *BACKGROUND):
        import_module(name)
