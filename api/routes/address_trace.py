"""Who had an address, and a port of it, at an instant: name and document, for a reason that is written down."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request

from api.fields import Address, Instant, Int, Text
from api.models import Body, View
from api.requests import write
from api.routes.addresses import AnyAddress, UseView, any_address
from core.database import Transaction
from provisioning.address_trace import Claim, Holder, Person, Shared, Trace, Verdict, trace

router = APIRouter(prefix="/api/v1/addresses", tags=["ipam"])

SENTENCES = {
    Verdict.AGREE: "Accounting and the fixed addresses name the same subscription.",
    Verdict.DIFFER: "Accounting names another subscription than the fixed addresses do; accounting tells who used it.",
    Verdict.SEVERAL: "Several subscriptions had it at that instant, on different routers: tell them apart by NAS.",
    Verdict.ONLY_ACCOUNTING: "Accounting names who had it; it was nobody's fixed address.",
    Verdict.ONLY_FIXED: "It was a fixed address, but accounting knows of no session that had it then.",
    Verdict.NOBODY: "Nobody had it at that instant, as far as we know.",
}


class TraceIn(Body):
    at: Instant = Field(description="The instant asked for", examples=["2026-03-02T09:00:00-03:00"])
    port: Int | None = Field(None, description="The source port, where CGNAT shares the address", examples=[40001])
    reason: Text = Field(
        max_length=500,
        description="Why you look: the order's reference; it goes into the audit trail",
        examples=["Ofício 123/2026, 2ª Vara Criminal de Campinas"],
    )


class PersonView(View):
    subscription_id: int = Field(description="The subscription", examples=[12])
    login: str = Field(description="Its login, or MAC", examples=["maria@provedor"])
    subscriber_id: int = Field(description="The subscriber", examples=[7])
    name: str = Field(description="The subscriber's name", examples=["Maria da Silva"])
    document: str = Field(description="CPF or CNPJ", examples=["390.533.447-05"])


class HolderView(UseView):
    person: PersonView | None = Field(description="Whose the subscription is; null: not known here")


class ClaimView(View):
    kind: str = Field(description="fixed address, framed, delegated or route", examples=["fixed address"])
    network: str = Field(description="The address, or the prefix around it", examples=["100.64.0.10"])
    since: Instant = Field(description="From when", examples=["2026-03-02T12:00:00Z"])
    until: Instant | None = Field(description="Until when; null: still", examples=["2026-05-02T12:00:00Z"])
    subscription_id: int = Field(description="Whose it was", examples=[12])
    person: PersonView | None = Field(description="Who that is; null: not known any more")


class SharedView(View):
    rule_id: int = Field(description="The CGNAT rule of that time", examples=[3])
    rule_name: str = Field(description="Its name", examples=["pop-1"])
    inside: Address | None = Field(description="Whose the port was; null: nobody's", examples=["100.64.0.10"])
    first_port: int | None = Field(description="The first port of the block", examples=[39_985])
    last_port: int | None = Field(description="The last port of the block", examples=[40_992])


class TraceView(View):
    address: Address = Field(description="The address asked for", examples=["203.0.113.7"])
    port: int | None = Field(description="The port asked for", examples=[40001])
    at: Instant = Field(description="The instant asked for", examples=["2026-03-02T12:00:00Z"])
    shared: SharedView | None = Field(description="How CGNAT shared the address then; null: it did not")
    looked_up: Address | None = Field(description="The address that accounting was asked for", examples=["100.64.0.10"])
    verdict: Verdict = Field(description="What accounting and fixed addresses say together", examples=["agree"])
    sentence: str = Field(description="The same in words", examples=[SENTENCES[Verdict.AGREE]])
    holders: list[HolderView] = Field(description="The sessions that had it, the one that began last first")
    claims: list[ClaimView] = Field(description="Whose fixed address or routed prefix it was")


@router.post("/{address}/trace", operation_id="address.trace", summary="Who that was: name and document, audited")
def trace_address(request: Request, address: AnyAddress, body: TraceIn) -> TraceView:
    def work(tx: Transaction) -> TraceView:
        return _view(trace(tx, address=any_address(address), at=body.at, port=body.port, reason=body.reason))

    return write(request, work)


def _view(found: Trace) -> TraceView:
    return TraceView(
        address=found.address,
        port=found.port,
        at=found.at,
        shared=_shared(found.shared),
        looked_up=found.looked_up,
        verdict=found.verdict,
        sentence=SENTENCES[found.verdict],
        holders=[_holder(holder) for holder in found.holders],
        claims=[_claim(claim) for claim in found.claims],
    )


def _shared(shared: Shared | None) -> SharedView | None:
    if shared is None:
        return None
    block = shared.block
    first, last = (block.first_port, block.last_port) if block else (None, None)
    return SharedView.of(shared, first_port=first, last_port=last)


def _holder(holder: Holder) -> HolderView:
    return HolderView.of(holder.use, person=_person(holder.person))


def _claim(claim: Claim) -> ClaimView:
    return ClaimView.of(claim, person=_person(claim.person))


def _person(person: Person | None) -> PersonView | None:
    return None if person is None else PersonView.of(person)
