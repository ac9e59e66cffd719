"""What does not provably run what it should, and how long facts take to be proven."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.requests import Request

from api.fields import Instant, PathKey
from api.models import Page, View, columns
from api.paging import Pages
from api.requests import read
from core.database import Transaction
from provisioning.convergence.differences import Difference, Reason, Wanted, differences, tallies
from provisioning.latency.buckets import BOUNDS, cumulative
from provisioning.latency.report import Histogram, LatencyReport, latency_report

router = APIRouter(prefix="/api/v1/convergence", tags=["convergence"])

OfReason = Annotated[Reason | None, Query(description="Only for this reason", examples=["failing"])]
OnRouter = Annotated[PathKey | None, Query(description="Only on this router", examples=[2])]
OnNas = Annotated[PathKey | None, Query(description="Only sessions of this NAS", examples=[1])]
OfSubscription = Annotated[PathKey | None, Query(description="Only of this subscription", examples=[12])]
Since = Annotated[
    Instant | None, Query(description="Only what differs since then or longer", examples=["2026-03-02T12:00:00Z"])
]


class DivergentView(View):
    model_config = columns("subscription_id", "login", "nas_name", "router_name", "reason", "since", "words")

    reason: Reason = Field(
        description="pending, acknowledged or failing: a session; router-rows, router-unreachable, "
        "router-maintenance: rows of a router",
        examples=["failing"],
    )
    since: Instant = Field(description="Since when it differs", examples=["2026-03-02T12:00:00Z"])
    words: str = Field(description="Why, in words", examples=["the NAS did not answer 3 times"])
    subscription_id: int | None = Field(
        description="Whose it is; null: the router's own rows, such as the walled garden", examples=[12]
    )
    login: str | None = Field(description="Its login", examples=["maria@provedor"])
    session_id: int | None = Field(description="The live session, if it is about one", examples=[501])
    nas_id: int | None = Field(description="The session's NAS", examples=[1])
    nas_name: str | None = Field(description="Its name", examples=["pop-1"])
    router_id: int | None = Field(description="The router, if it is about rows of one", examples=[2])
    router_name: str | None = Field(description="Its name", examples=["borda-1"])
    desired_fingerprint: str = Field(
        description="What should be there; empty: nothing", examples=["4a0c9d1be7723f55.6440000a"]
    )
    observed_fingerprint: str = Field(
        description="What was last seen of a router's rows; empty: nothing", examples=["77d0c1f25bd3a1e0"]
    )


class TallyView(View):
    model_config = columns("reason", "count", "oldest")

    reason: Reason = Field(description="Why they are on the list", examples=["failing"])
    count: int = Field(description="How many", examples=[3])
    oldest: Instant | None = Field(description="Since when the oldest of them", examples=["2026-03-02T12:00:00Z"])


class SummaryView(View):
    total: int = Field(description="How many things do not provably run what they should", examples=[3])
    reasons: list[TallyView] = Field(description="How many for each reason")


class BucketView(View):
    seconds: float | None = Field(description="Proven within so many seconds; null: at all", examples=[1.0])
    count: int = Field(description="How many were", examples=[970])


class LatencyView(View):
    model_config = columns("kind", "path", "count", "p50", "p95", "p99")

    kind: str = Field(description="restored (more service) or restricted (less)", examples=["restored"])
    path: str = Field(
        description="Who proved it: radius (sessions) or router (a router's own rows)", examples=["router"]
    )
    count: int = Field(description="How many changes were proven", examples=[1000])
    sum_seconds: float = Field(description="Their seconds together", examples=[412.5])
    p50: float | None = Field(description="Half of them took no longer than so many seconds, about", examples=[0.3])
    p95: float | None = Field(description="95 % of them", examples=[0.9])
    p99: float | None = Field(description="99 % of them", examples=[1.7])
    buckets: list[BucketView] = Field(description="The histogram, as /metrics shows it: cumulative")


class LatencyReportView(View):
    items: list[LatencyView] = Field(description="A histogram for each kind and path, since the installation began")
    waiting: dict[str, int] = Field(
        description="Changes that nothing has proven yet, by kind", examples=[{"restored": 0, "restricted": 2}]
    )
    uncounted: dict[str, dict[str, int]] = Field(
        description="Changes that ended without a proof, by kind: nobody was connected (offline), or none came within "
        "a day (unproven)",
        examples=[{"restored": {"offline": 41, "unproven": 0}}],
    )


@router.get(
    "", operation_id="convergence.list", summary="Sessions and routers' rows that do not provably run what they should"
)
def list_all(
    request: Request,
    pages: Pages,
    reason: OfReason = None,
    router_id: OnRouter = None,
    nas_id: OnNas = None,
    subscription_id: OfSubscription = None,
    since: Since = None,
) -> Page[DivergentView]:
    wanted = Wanted(reason, router_id, nas_id, subscription_id, since)

    def look(tx: Transaction) -> Page[DivergentView]:
        found: list[Difference] = differences(tx, wanted, after=pages.place or 0, limit=pages.limit + 1)
        return pages.made([(row.place, row) for row in found], DivergentView.of)

    return read(request, look)


@router.get("/summary", operation_id="convergence.summary", summary="How many there are of those, by reason")
def summarise(
    request: Request,
    router_id: OnRouter = None,
    nas_id: OnNas = None,
    since: Since = None,
) -> SummaryView:
    def look(tx: Transaction) -> SummaryView:
        found = tallies(tx, Wanted(router_id=router_id, nas_id=nas_id, since=since))
        return SummaryView(total=sum(tally.count for tally in found), reasons=[TallyView.of(tally) for tally in found])

    return read(request, look)


@router.get(
    "/latency", operation_id="convergence.latency", summary="How long it takes from a payment or an order to its proof"
)
def latency(request: Request) -> LatencyReportView:
    return read(request, lambda tx: _report(latency_report(tx)))


def _report(report: LatencyReport) -> LatencyReportView:
    uncounted: dict[str, dict[str, int]] = {kind: {} for kind in report.waiting}
    for (kind, ended), number in report.uncounted.items():
        uncounted[kind][ended] = number
    items = [_histogram(found) for found in report.histograms]
    return LatencyReportView(items=items, waiting=dict(report.waiting), uncounted=uncounted)


def _histogram(found: Histogram) -> LatencyView:
    bounds: list[Any] = [*BOUNDS, None]
    buckets = zip(bounds, cumulative(found.counts), strict=True)
    return LatencyView(
        kind=found.kind,
        path=found.path,
        count=found.count,
        sum_seconds=round(found.seconds, 3),
        p50=found.quantile(0.5),
        p95=found.quantile(0.95),
        p99=found.quantile(0.99),
        buckets=[BucketView(seconds=seconds, count=count) for seconds, count in buckets],
    )
