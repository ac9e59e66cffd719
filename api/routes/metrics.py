"""What Prometheus reads, and whether the RADIUS part of this host is well; outside `/api/`, where tools look."""

from __future__ import annotations

import time

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api import problems
from api.requests import runtime_of
from api.routes.health import Health
from core.errors import CatracaError, Unauthorised
from radius.metrics_health import host_complaints

router = APIRouter(tags=["health"])


class RadiusUnwell(CatracaError):
    status = 503
    slug = "radius-unwell"
    title = problems.EXPLANATIONS["radius-unwell"].title


@router.get("/metrics", include_in_schema=False)
def metrics(request: Request) -> Response:
    from api.alarm_metrics import alarm_page  # here, because no verb of the command line needs them
    from api.latency_metrics import latency_page
    from radius.metrics_listener import may_read
    from radius.metrics_page import CONTENT_TYPE, page

    runtime = runtime_of(request)
    settings = runtime.settings
    if not may_read(settings, request.headers.get("authorization", "")):
        raise Unauthorised("send the header `Authorization: Bearer …` with the setting metrics_token")
    ours = alarm_page(runtime.database) + latency_page(runtime.database)
    return Response(page(settings.data_dir) + ours, media_type=CONTENT_TYPE)


@router.get("/healthz/radius", operation_id="health.radius", summary="Is the RADIUS part of this host well?")
def radius(request: Request) -> Health:
    wrong = host_complaints(runtime_of(request).settings.data_dir, time.time())
    if wrong:
        raise RadiusUnwell("; ".join(wrong), complaints=wrong)
    return Health(status="ok")
