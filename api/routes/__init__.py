"""The routes of the API, one module for each kind of thing."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes import audit, health, jobs, tokens

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    tokens.router,
    audit.router,
    jobs.router,
)
