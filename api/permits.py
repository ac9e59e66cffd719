"""Which word a token needs for which route: `api`, unless the route names one of its own.

A token without a list may do everything. What a command asks for beyond that (`tx.require`) is its own affair.
"""

from __future__ import annotations

from starlette.requests import Request

from api.requests import context_of
from core.errors import Forbidden
from core.permissions import API, PERMISSIONS

_MARK = "x-permission"


def needs(word: str) -> dict[str, str]:
    """The `openapi_extra` of a route that opens to this word too; the document shows it."""
    if word not in PERMISSIONS:
        raise ValueError(f"{word} is not in core.permissions")
    return {_MARK: word}


async def permitted(request: Request) -> None:
    """A dependency of every route: Forbidden unless the caller's token holds `api` or the route's own word."""
    actor = context_of(request).actor
    word = (getattr(request.scope.get("route"), "openapi_extra", None) or {}).get(_MARK, API)
    if not actor.may(API) and not actor.may(word):
        raise Forbidden(word)
