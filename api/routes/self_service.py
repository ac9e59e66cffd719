"""What a subscriber portal or a telephone system may ask, with a token that can do nothing else."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.requests import Request

from api.fields import Instant, Int, Key, Text
from api.models import Body, View
from api.permits import needs
from api.requests import context_of, read, runtime_of, write
from api.tries import count_try
from core.database import Transaction
from core.permissions import SELF_SERVICE
from provisioning.trust import self_service

router = APIRouter(prefix="/api/v1/self-service", tags=["self-service"])
Document = Annotated[
    Text, Query(max_length=32, description="CPF or CNPJ of the subscriber", examples=["390.533.447-05"])
]
Login = Annotated[Text, Query(max_length=128, description="Or the login of the service", examples=["maria@provedor"])]


class WordsView(View):
    pt_br: str = Field(description="In Brazilian Portuguese", examples=["Seu serviço está ativo."])
    en: str = Field(description="In English", examples=["Your service is active."])


class TrustOfferView(View):
    possible: bool = Field(description="Whether a trust unblock may be asked for", examples=[True])
    most_days: int = Field(description="For how many days at most; 0: not at all", examples=[3])
    words: WordsView = Field(description="The same in words, with the reason where there is none")


class ServiceView(View):
    subscription_id: int = Field(description="Which subscription", examples=[12])
    login: str | None = Field(description="Its login", examples=["maria@provedor"])
    plan_name: str = Field(description="Its plan", examples=["Fibra 500 Mega"])
    state: str = Field(description="Its state", examples=["SUSPENDED"])
    words: WordsView = Field(description="The state in words")
    open_cents: int = Field(description="What is open on its invoices", examples=[9990])
    trust: TrustOfferView = Field(description="Whether a trust unblock is possible")


class StatusView(View):
    services: list[ServiceView] = Field(description="The services of whoever that is")


class TrustMyselfIn(Body):
    subscription_id: Key = Field(description="Which subscription", examples=[12])
    document: Text = Field("", max_length=32, description="CPF or CNPJ of the subscriber", examples=["390.533.447-05"])
    login: Text = Field("", max_length=128, description="Or the login of the service", examples=["maria@provedor"])
    days: Int | None = Field(None, description="For how many days; null: as many as the rules let", examples=[2])


class TrustGivenView(View):
    subscription_id: int = Field(description="Which subscription", examples=[12])
    state: str = Field(description="The state that it now has", examples=["ACTIVE"])
    until: Instant = Field(description="When the trust ends", examples=["2026-03-06T03:00:00Z"])
    protocol: str = Field(description="The number to be told", examples=["2026030200000001"])
    words: WordsView = Field(description="The same in words")


@router.get(
    "/status",
    operation_id="self-service.status",
    summary="The state of whoever has this document or login",
    openapi_extra=needs(SELF_SERVICE),
)
def status(request: Request, document: Document = "", login: Login = "") -> StatusView:
    _count(request, document, login)

    def look(tx: Transaction) -> StatusView:
        return StatusView(services=_services(self_service.service_status(tx, document=document, login=login)))

    return read(request, look)


@router.post(
    "/trust-unblock",
    operation_id="self-service.trust-unblock",
    status_code=201,
    summary="Service on the subscriber's own promise",
    openapi_extra=needs(SELF_SERVICE),
)
def trust_unblock(request: Request, body: TrustMyselfIn) -> TrustGivenView:
    _count(request, body.document, body.login)

    def work(tx: Transaction) -> TrustGivenView:
        return TrustGivenView.of(self_service.trust_myself(tx, **body.given()))

    return write(request, work)


def _count(request: Request, document: str, login: str) -> None:
    """Each try counts, also one that is refused: in a transaction of its own, before anything is looked at."""
    subject = self_service.subject_of(document, login)
    with runtime_of(request).database.transaction(context_of(request).actor) as tx:
        count_try(tx, subject)


def _services(found: list[Any]) -> list[ServiceView]:
    return [ServiceView.of(item) for item in found]
