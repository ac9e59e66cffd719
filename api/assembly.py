"""The whole product put together: importing a module is what registers its tables, job handlers and schedules."""

from __future__ import annotations

from importlib import import_module

TABLES = (
    "core.alarms",
    "core.audit",
    "core.job_queue",
    "core.leases",
    "ipam.models",
    "radius.models",
    "radius.history_models",
    "provisioning.models",
    "provisioning.protocols",
    "billing_bridge.models",
    "api.tokens",
    "api.idempotency",
)
BACKGROUND = (
    "core.jobs",
    "radius.presence_feed",
    "radius.replica_purge",
    "radius.stale",
    "radius.session_check",
    "radius.history_jobs",
    "radius.reject_book",
    "provisioning.jobs",
    "provisioning.converge",
    "billing_bridge.background",
    "api.idempotency",
)


def load() -> None:
    """Import every module that registers something."""
    for name in (*TABLES, *BACKGROUND):
        import_module(name)
