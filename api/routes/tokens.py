"""API tokens."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import APIRouter, Path
from pydantic import Field
from sqlalchemy import select
from starlette.requests import Request

from api import tokens
from api.fields import Instant, Name, PathKey, Text
from api.models import Body, Page, View, columns
from api.paging import Pages
from api.requests import write
from core.database import Transaction
from core.permissions import PERMISSIONS

router = APIRouter(prefix="/api/v1/tokens", tags=["token"])
Permission = Annotated[Text, Field(max_length=40)]
TokenId = Annotated[PathKey, Path(description="The token's id", examples=[3])]


class TokenIn(Body):
    name: Name = Field(description="What the token is for", examples=["billing import"])
    operator: Name = Field(description="The name that the audit trail will show", examples=["ana"])
    expires_at: Instant | None = Field(
        None, description="When it ends by itself; null: never", examples=["2027-01-01T00:00:00-03:00"]
    )
    permissions: list[Permission] | None = Field(
        None,
        max_length=len(PERMISSIONS),
        description=f"What it may do: {', '.join(PERMISSIONS)}; null: everything",
        examples=[["self-service"]],
    )


class TokenView(View):
    model_config = columns("id", "name", "operator", "expires_at", "revoked_at", "last_used_at")

    id: int = Field(description="The token's id", examples=[3])
    name: str = Field(description="What the token is for", examples=["billing import"])
    operator: str = Field(description="The name that the audit trail shows", examples=["ana"])
    permissions: list[str] | None = Field(description="What it may do; null: everything", examples=[["self-service"]])
    created_at: Instant = Field(description="When it was made", examples=["2026-03-02T12:00:00Z"])
    expires_at: Instant | None = Field(description="When it ends by itself", examples=["2027-01-01T03:00:00Z"])
    revoked_at: Instant | None = Field(description="When it was revoked", examples=["2026-06-01T12:00:00Z"])
    last_used_at: Instant | None = Field(
        description="When it was last used, give or take ten minutes", examples=["2026-03-05T08:10:00Z"]
    )


class NewToken(TokenView):
    token: str = Field(
        description="The token itself: shown this once, kept nowhere", examples=["cat_3q2-…43 characters…"]
    )

    @classmethod
    def made(cls, row: tokens.ApiToken, text: str) -> Self:
        return cls(**TokenView.of(row).model_dump(), token=text)


@router.post("", operation_id="token.create", status_code=201, summary="Make a token; its text is shown this once")
def create(request: Request, body: TokenIn) -> NewToken:
    def work(tx: Transaction) -> NewToken:
        row, secret = tokens.create_token(tx, **body.given())
        return NewToken.made(row, secret.reveal())

    return write(request, work)


@router.get("", operation_id="token.list", summary="The tokens, without their texts")
def list_tokens(pages: Pages) -> Page[TokenView]:
    return pages.of(select(tokens.ApiToken), tokens.ApiToken.id, TokenView.of)


@router.post("/{token_id}/revoke", operation_id="token.revoke", summary="End a token now")
def revoke(request: Request, token_id: TokenId) -> TokenView:
    return write(request, lambda tx: TokenView.of(tokens.revoke_token(tx, token_id=token_id)))
