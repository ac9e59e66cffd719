"""The routes of the API, one module for each kind of thing."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes import (
    addresses,
    audit,
    billing_methods,
    dunning,
    health,
    interventions,
    invoices,
    ipam,
    jobs,
    nas,
    plans,
    receipts,
    sessions,
    subscribers,
    subscriptions,
    tokens,
)

ROUTERS: tuple[APIRouter, ...] = (
    subscribers.router,
    plans.router,
    subscriptions.router,
    interventions.router,
    billing_methods.router,
    invoices.router,
    receipts.router,
    dunning.router,
    nas.router,
    sessions.router,
    ipam.router,
    addresses.router,
    audit.router,
    jobs.router,
    tokens.router,
    health.router,
)
