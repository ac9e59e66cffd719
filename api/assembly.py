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
    "provisioning.routine_models",
    "provisioning.scheduled_models",
    "provisioning.trust_models",
    "provisioning.pending_speed_models",
    "provisioning.subscriber_history",
    "provisioning.mass_change_models",
    "provisioning.routeros.models",
    "provisioning.routeros.adoption_models",
    "provisioning.routeros.readback_models",
    "provisioning.latency_models",
    "provisioning.warning_models",
    "billing_bridge.models",
    "billing_bridge.monthly_models",
    "billing_bridge.intake_models",
    "billing_bridge.dunning_models",
    "billing_bridge.holiday_models",
    "billing_bridge.notice_models",
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
    "provisioning.mass_change_work",
    "provisioning.converge",
    "provisioning.routeros.adoption_import",
    "provisioning.routeros.adoption_marking",
    "provisioning.routeros.router_jobs",
    "provisioning.routeros.readback_jobs",
    "provisioning.latency_jobs",
    "provisioning.warning_jobs",
    "provisioning.routine_own_tasks",
    "provisioning.routine_jobs",
    "provisioning.scheduled_jobs",
    "provisioning.cancellation",
    "billing_bridge.background",
    "billing_bridge.intake_delivery",
    "billing_bridge.intake_tasks",
    "billing_bridge.notice_tasks",
    "billing_bridge.monthly_tasks",
    "billing_bridge.dunning_tasks",
    "billing_bridge.moved_subscriptions",
    "api.idempotency",
)


def load() -> None:
    """Import every module that registers something."""
    for name in (*TABLES, *BACKGROUND):
        import_module(name)
