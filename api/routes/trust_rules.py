"""The company's rules for trust unblocks."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request

from api.fields import Flag, Instant, Int, Note
from api.models import Change, Page, View, columns
from api.paging import Pages
from api.requests import read, write
from core.database import Transaction
from provisioning.trust.models import TrustRuleVersion
from provisioning.trust.rule_book import present_rules, rule_versions, set_trust_rules

router = APIRouter(prefix="/api/v1/trust-rules", tags=["trust-rules"])


class TrustRulesIn(Change):
    max_days: Int = Field(default_factory=int, description="Longest trust unblock, in days", examples=[5])
    uses: Int = Field(default_factory=int, description="How many within the period; 0: none", examples=[2])
    period_days: Int = Field(default_factory=int, description="The period, in days", examples=[30])
    minimum_age_days: Int = Field(
        default_factory=int, description="Days since the installation before the first one", examples=[30]
    )
    block_after_broken: Flag = Field(
        default_factory=bool, description="Whether a promise that was not kept blocks the next", examples=[True]
    )
    broken_block_days: Int = Field(
        default_factory=int, description="For how many days it does, once it is paid", examples=[90]
    )
    self_service: Flag = Field(
        default_factory=bool, description="Whether subscribers may ask by themselves", examples=[True]
    )
    self_service_max_days: Int = Field(default_factory=int, description="For how many days at most", examples=[3])
    note: Note = Field("", description="Why", examples=["agreed with the call centre"])


class TrustRulesView(View):
    model_config = columns("version", "max_days", "uses", "period_days", "self_service_max_days")

    version: int = Field(description="The version; 0: nobody has set any", examples=[1])
    max_days: int = Field(description="Longest trust unblock, in days", examples=[5])
    uses: int = Field(description="How many within the period; 0: none", examples=[2])
    period_days: int = Field(description="The period, in days", examples=[30])
    minimum_age_days: int = Field(description="Days since the installation before the first one", examples=[30])
    block_after_broken: bool = Field(description="Whether a promise that was not kept blocks the next", examples=[True])
    broken_block_days: int = Field(description="For how many days it does, once it is paid", examples=[90])
    self_service: bool = Field(description="Whether subscribers may ask by themselves", examples=[True])
    self_service_max_days: int = Field(description="For how many days at most", examples=[3])


class TrustRuleVersionView(TrustRulesView):
    since: Instant = Field(description="From when on", examples=["2026-03-02T12:00:00Z"])
    set_by: str = Field(description="Who set it", examples=["ana"])
    note: str = Field(description="Why", examples=["agreed with the call centre"])


@router.get("", operation_id="trust-rules.show", summary="The rules in force")
def show(request: Request) -> TrustRulesView:
    return read(request, lambda tx: TrustRulesView.of(present_rules(tx)))


@router.patch("", operation_id="trust-rules.change", summary="A new version of the rules")
def change(request: Request, body: TrustRulesIn) -> TrustRuleVersionView:
    def work(tx: Transaction) -> TrustRuleVersionView:
        return TrustRuleVersionView.of(set_trust_rules(tx, **body.given()))

    return write(request, work)


@router.get("/versions", operation_id="trust-rules.versions", summary="Every version, the newest first")
def versions(pages: Pages) -> Page[TrustRuleVersionView]:
    query = rule_versions().order_by(None)
    return pages.of(query, TrustRuleVersion.version, TrustRuleVersionView.of, newest_first=True)
