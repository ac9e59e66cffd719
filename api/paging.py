"""Keyset pages: by id, so that a page costs the same wherever it is, and rows that appear meanwhile shift nothing."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Annotated, TypeVar

from fastapi import Depends, Query, Response
from pydantic import BaseModel
from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute
from starlette.requests import Request

from api.fields import BIGGEST_ID
from api.models import Page
from api.requests import read
from core.database import Transaction
from core.errors import InvalidInput

Row = TypeVar("Row")
Shown = TypeVar("Shown", bound=BaseModel)

Limit = Annotated[int, Query(ge=1, le=200, description="How many things a page may have", examples=[50])]
After = Annotated[
    str | None, Query(max_length=64, description="The `next` of the page before this one", examples=["MS41MA"])
]


def cursor(key: int) -> str:
    """An opaque place in a list: after the thing with this id."""
    return base64.urlsafe_b64encode(f"1.{key}".encode()).decode().rstrip("=")


def read_cursor(text: str | None) -> int | None:
    """The id inside a cursor. InvalidInput when it is none of ours."""
    if text is None:
        return None
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise _not_ours() from error
    version, _, key = plain.partition(".")
    if version != "1" or not (key.isascii() and key.isdecimal()) or int(key) > BIGGEST_ID:
        raise _not_ours()
    return int(key)


@dataclass(frozen=True)
class Paging:
    """The page that a request asks for. A route takes it as a parameter of type `Pages`."""

    request: Request
    response: Response
    limit: int
    after: str | None

    @property
    def place(self) -> int | None:
        """The id after which the page begins."""
        return read_cursor(self.after)

    @property
    def address(self) -> IPv4Address | None:
        """The address after which the page begins, in lists that are ordered by address."""
        place = self.place
        if place is not None and place >= 2**32:
            raise _not_ours()
        return None if place is None else IPv4Address(place)

    def of(
        self,
        wanted: Select[Row],
        key: InstrumentedAttribute[int],
        show: Callable[[Row], Shown],
        newest_first: bool = False,
    ) -> Page[Shown]:
        """One page of `wanted`, in the order of `key`."""
        place = self.place
        if place is not None:
            wanted = wanted.where(key < place if newest_first else key > place)
        ordered = wanted.order_by(key.desc() if newest_first else key.asc()).limit(self.limit + 1)

        def look(tx: Transaction) -> Page[Shown]:
            rows = list(tx.session.scalars(ordered).unique())
            return self.made([(_key(row, key), row) for row in rows], show)

        return read(self.request, look)

    def made(self, rows: Sequence[tuple[int, Row]], show: Callable[[Row], Shown]) -> Page[Shown]:
        """The page of rows that were read with their ids, one more than the limit where there are more."""
        shown = rows[: self.limit]
        return self.ended([show(row) for _, row in shown], shown[-1][0] if len(rows) > self.limit else None)

    def ended(self, items: list[Shown], following: int | None) -> Page[Shown]:
        """The page of these items; `following`: the place after which the next page begins, if there is one."""
        if following is None:
            return Page(items=items, next=None)
        url = self.request.url.include_query_params(after=cursor(following))
        self.response.headers["Link"] = f'<{url}>; rel="next"'
        return Page(items=items, next=cursor(following))


async def _paging(request: Request, response: Response, limit: Limit = 50, after: After = None) -> Paging:
    return Paging(request, response, limit, after)


Pages = Annotated[Paging, Depends(_paging)]


def _key(row: object, key: InstrumentedAttribute[int]) -> int:
    value: int = getattr(row, key.key)
    return value


def _not_ours() -> InvalidInput:
    return InvalidInput("after", "must be the `next` of a page of this list", cursor(50))
