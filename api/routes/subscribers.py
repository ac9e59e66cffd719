"""Subscribers: the provider's customers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy import select
from starlette.requests import Request

from api.fields import Day, Instant, PathKey, Text
from api.models import Body, Change, Page, View, columns
from api.paging import Pages
from api.requests import read, write
from provisioning import subscribers
from provisioning.documents import parse_document
from provisioning.models import Subscriber

router = APIRouter(prefix="/api/v1/subscribers", tags=["subscriber"])
SubscriberId = Annotated[PathKey, Path(description="The subscriber's id", examples=[7])]


class SubscriberIn(Body):
    name: Text = Field(description="The person's or company's name", examples=["Maria da Silva"])
    document: Text = Field(description="CPF or CNPJ, with or without punctuation", examples=["390.533.447-05"])
    email: Text = Field("", description="E-mail address", examples=["maria@example.com"])
    phone: Text = Field("", description="Telephone", examples=["+55 19 99999-0000"])
    birth_date: Day | None = Field(None, description="Date of birth", examples=["1985-04-23"])
    city: Text = Field("", description="City", examples=["Campinas"])
    region: Text = Field("", description="State, two letters", examples=["SP"])


class SubscriberChange(Change):
    name: Text = Field(default_factory=str, description="The name", examples=["Maria da Silva Souza"])
    email: Text = Field(default_factory=str, description="E-mail address", examples=["maria@example.com"])
    phone: Text = Field(default_factory=str, description="Telephone", examples=["+55 19 99999-0000"])
    birth_date: Day | None = Field(None, description="Date of birth; null removes it", examples=["1985-04-23"])
    city: Text = Field(default_factory=str, description="City", examples=["Campinas"])
    region: Text = Field(default_factory=str, description="State, two letters", examples=["SP"])


class SubscriberView(View):
    model_config = columns("id", "name", "document", "phone", "city")

    id: int = Field(description="The subscriber's id", examples=[7])
    kind: str = Field(description="person (CPF) or company (CNPJ)", examples=["person"])
    name: str = Field(description="The name", examples=["Maria da Silva"])
    document: str = Field(description="CPF or CNPJ, without punctuation", examples=["39053344705"])
    email: str = Field(description="E-mail address", examples=["maria@example.com"])
    phone: str = Field(description="Telephone", examples=["+55 19 99999-0000"])
    birth_date: Day | None = Field(description="Date of birth", examples=["1985-04-23"])
    city: str = Field(description="City", examples=["Campinas"])
    region: str = Field(description="State", examples=["SP"])
    created_at: Instant = Field(description="When it was registered", examples=["2026-03-02T12:00:00Z"])


@router.post("", operation_id="subscriber.register", status_code=201, summary="Register a subscriber")
def register(request: Request, body: SubscriberIn) -> SubscriberView:
    return write(request, lambda tx: SubscriberView.of(subscribers.register_subscriber(tx, **body.given())))


@router.get("", operation_id="subscriber.list", summary="The subscribers")
def list_subscribers(
    pages: Pages,
    name: Annotated[
        str | None, Query(max_length=200, description="Only whose name has these letters in it", examples=["maria"])
    ] = None,
    document: Annotated[
        str | None, Query(max_length=32, description="Only who has this CPF or CNPJ", examples=["390.533.447-05"])
    ] = None,
) -> Page[SubscriberView]:
    wanted = select(Subscriber)
    if name is not None:
        wanted = wanted.where(Subscriber.name.icontains(name, autoescape=True))
    if document is not None:
        wanted = wanted.where(Subscriber.document == parse_document(document).number)
    return pages.of(wanted, Subscriber.id, SubscriberView.of)


@router.get("/{subscriber_id}", operation_id="subscriber.show", summary="One subscriber")
def show(request: Request, subscriber_id: SubscriberId) -> SubscriberView:
    return read(request, lambda tx: SubscriberView.of(subscribers.get_subscriber(tx, subscriber_id)))


@router.patch("/{subscriber_id}", operation_id="subscriber.change", summary="Change a subscriber")
def change(request: Request, subscriber_id: SubscriberId, body: SubscriberChange) -> SubscriberView:
    return write(
        request,
        lambda tx: SubscriberView.of(subscribers.change_subscriber(tx, subscriber_id=subscriber_id, **body.given())),
    )
