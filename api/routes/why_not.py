"""Why a subscription that may be late is not restricted."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field
from starlette.requests import Request

from api.fields import Day, PathKey
from api.models import View
from api.requests import read
from api.routes.subscriptions import Language
from billing_bridge.dunning.why_not import why_not_restricted
from core.database import Transaction
from provisioning.explain.words import choose_language

router = APIRouter(prefix="/api/v1/subscriptions", tags=["subscription"])
SubscriptionId = Annotated[PathKey, Path(description="The subscription's id", examples=[12])]


class HindranceView(View):
    code: str = Field(
        description="cancelled, not_installed, trust, restricted, no_account, rules_off, nothing_late, minimum, days, "
        "not_told, told_lately, weekday, holiday, eve, guard or next_run",
        examples=["eve"],
    )
    sentence: str = Field(
        description="In a sentence",
        examples=["11/10 is the eve of Nossa Senhora Aparecida: no restriction starts then; from 13/10 on it may"],
    )
    until: Day | None = Field(description="On which day it is over, where that is known", examples=["2026-10-13"])


class WhyNotView(View):
    subscription_id: int = Field(description="Which subscription", examples=[12])
    day: Day = Field(description="On which day", examples=["2026-10-11"])
    wanted: bool = Field(description="Whether the rules want it restricted today, guards aside", examples=[False])
    reasons: list[HindranceView] = Field(description="Everything that stands in the way")


@router.get(
    "/{subscription_id}/why-not-restricted",
    operation_id="subscription.why-not-restricted",
    summary="What stands between it and a restriction today",
)
def why_not(request: Request, subscription_id: SubscriptionId, lang: Language = None) -> WhyNotView:
    language = choose_language(lang, request.headers.get("accept-language"))

    def look(tx: Transaction) -> WhyNotView:
        return WhyNotView.of(why_not_restricted(tx, subscription_id, language))

    return read(request, look)
