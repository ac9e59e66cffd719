"""The last rejects, and which NAS sign what they send."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.requests import Request

from api.fields import Instant, PathKey
from api.models import Page, View, columns
from api.paging import Pages, Paging
from api.requests import read
from core.database import Transaction
from provisioning.subscriptions import get_subscription
from radius.models import AccessReject
from radius.reject_book import last_rejects, names_of_nas, place_of
from radius.reject_reasons import words_of
from radius.signing import Signing, signing_report

router = APIRouter(prefix="/api/v1", tags=["reject"])
SubscriptionId = Annotated[PathKey, Path(description="The subscription's id", examples=[12])]
ByNas = Annotated[PathKey | None, Query(description="Only by this NAS", examples=[1])]
ByReason = Annotated[
    str | None,
    Query(max_length=64, description="Only for this reason, as `reason` names it", examples=["wrong_password"]),
]


class RejectView(View):
    model_config = columns("last_at", "times", "login", "words", "nas_name", "calling_station_id", "subscription_id")

    id: int = Field(description="The row's id", examples=[31])
    subscription_id: int | None = Field(description="Whose login it is; null: nobody's", examples=[12])
    login: str = Field(description="User-Name; `hex:…` where it is no text", examples=["maria@provedor"])
    reason: str = Field(description="Why, as counters name it", examples=["wrong_password"])
    words: str = Field(description="Why, in words", examples=["wrong password"])
    words_pt: str = Field(description="Why, in Portuguese", examples=["senha errada"])
    detail: str = Field(
        description="What is known beyond the reason", examples=["other session from 02:00:5E:10:00:09 on pop-centro"]
    )
    nas_id: int = Field(description="The NAS that asked", examples=[1])
    nas_name: str | None = Field(description="Its name; null: it was removed", examples=["pop-centro"])
    calling_station_id: str = Field(
        description="Calling-Station-Id; empty: none, or too many to tell apart", examples=["02:00:5E:10:00:01"]
    )
    first_at: Instant = Field(description="When it happened first", examples=["2026-03-02T12:00:00Z"])
    last_at: Instant = Field(description="When it happened last", examples=["2026-03-02T12:04:10Z"])
    times: int = Field(description="How often", examples=[3])

    @classmethod
    def told(cls, row: AccessReject, nas_names: dict[int, str]) -> Self:
        words = words_of(row.reason, row.detail)
        return cls.of(row, words=words.en, words_pt=words.pt, nas_name=nas_names.get(row.nas_id))


class SigningView(View):
    model_config = columns("nas_id", "nas_name", "required", "words", "signed_at", "unsigned_at", "refused_at")

    nas_id: int = Field(description="The NAS", examples=[1])
    nas_name: str = Field(description="Its name", examples=["pop-centro"])
    required: bool = Field(description="Whether Message-Authenticator is demanded of it", examples=[False])
    verdict: str = Field(description="never_heard, demanded, refused, safe, mixed or unsigned", examples=["safe"])
    words: str = Field(description="The verdict in words", examples=["safe to demand: it signs"])
    words_pt: str = Field(description="The verdict in Portuguese", examples=["pode ser exigido: ele assina"])
    signed_at: Instant | None = Field(description="When it last sent one", examples=["2026-03-02T12:00:00Z"])
    unsigned_at: Instant | None = Field(description="When it last sent none", examples=["2026-02-01T12:00:00Z"])
    refused_at: Instant | None = Field(
        description="When a request was last ignored for that", examples=["2026-02-01T12:00:00Z"]
    )


@router.get("/rejects", operation_id="reject.list", summary="The last rejects, the latest first")
def list_rejects(
    request: Request,
    pages: Pages,
    login: Annotated[
        str | None, Query(max_length=510, description="Only with this User-Name", examples=["maria@provedor"])
    ] = None,
    nas: ByNas = None,
    reason: ByReason = None,
) -> Page[RejectView]:
    return read(request, lambda tx: _page(tx, pages, None, login, nas, reason))


@router.get(
    "/subscriptions/{subscription_id}/rejects",
    operation_id="subscription.rejects",
    summary="Why RADIUS refused it, the latest first",
)
def rejects_of(request: Request, pages: Pages, subscription_id: SubscriptionId) -> Page[RejectView]:
    def look(tx: Transaction) -> Page[RejectView]:
        get_subscription(tx, subscription_id)
        return _page(tx, pages, subscription_id, None, None, None)

    return read(request, look)


@router.get(
    "/nas/message-authenticator",
    operation_id="nas.message-authenticator",
    summary="Which NAS send Message-Authenticator, and of which it can be demanded",
)
def signing(request: Request, pages: Pages) -> Page[SigningView]:
    def look(tx: Transaction) -> Page[SigningView]:
        rows: list[Signing] = signing_report(tx, after_id=pages.place or 0, limit=pages.limit + 1)
        return pages.made([(row.nas_id, row) for row in rows], SigningView.of)

    return read(request, look)


def _page(
    tx: Transaction, pages: Paging, subscription_id: int | None, login: str | None, nas: int | None, reason: str | None
) -> Page[RejectView]:
    rows = last_rejects(
        tx,
        subscription_id=subscription_id,
        login=login,
        nas_id=nas,
        reason=reason,
        after=pages.place,
        limit=pages.limit + 1,
    )
    names = names_of_nas(tx, {row.nas_id for row in rows})
    return pages.made([(place_of(row), row) for row in rows], lambda row: RejectView.told(row, names))
