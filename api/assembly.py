"""The whole product put together: importing a module is what registers its tables, job handlers and schedules."""

from __future__ import annotations

from importlib import import_module

TABLES = (
    "core.alarms",
    "core.audit",
    "core.clock_marks",
    "core.job_queue",
    "core.leases",
    "ipam.models",
    "radius.models",
    "radius.history_models",
    "provisioning.models",
    "provisioning.protocols",
    "provisioning.routines.models",
    "provisioning.scheduled.models",
    "provisioning.trust.models",
    "provisioning.speed.models",
    "provisioning.subscriber_history",
    "provisioning.mass_change.models",
    "provisioning.routeros.models",
    "provisioning.routeros.adoption.models",
    "provisioning.routeros.readback.models",
    "provisioning.latency.models",
    "provisioning.warnings.models",
    "billing_bridge.models",
    "billing_bridge.monthly.models",
    "billing_bridge.intake.models",
    "billing_bridge.dunning.models",
    "billing_bridge.calendar.models",
    "billing_bridge.notices.models",
    "api.tokens",
    "api.idempotency",
    "api.tries",
)
BACKGROUND = (
    "core.jobs",
    "core.clock_marks",
    "radius.presence_feed",
    "radius.replica_purge",
    "radius.stale",
    "radius.session_check",
    "radius.history_jobs",
    "radius.reject_book",
    "provisioning.jobs",
    "provisioning.mass_change.work",
    "provisioning.convergence.converge",
    "provisioning.routeros.adoption.importing",
    "provisioning.routeros.adoption.marking",
    "provisioning.routeros.router_jobs",
    "provisioning.routeros.readback.jobs",
    "provisioning.latency.jobs",
    "provisioning.warnings.jobs",
    "provisioning.routines.own_tasks",
    "provisioning.routines.jobs",
    "provisioning.scheduled.jobs",
    "provisioning.cancellation",
    "billing_bridge.background",
    "billing_bridge.intake.delivery",
    "billing_bridge.intake.tasks",
    "billing_bridge.notices.tasks",
    "billing_bridge.monthly.tasks",
    "billing_bridge.dunning.tasks",
    "billing_bridge.moved_subscriptions",
    "api.idempotency",
)


def load() -> None:
    """Import every module that registers something."""
    for name in (*TABLES, *BACKGROUND):
        import_module(name)
