"""What a NAS would be answered about somebody, and why: POST, because a password may be in it; nothing is changed."""

from __future__ import annotations

from typing import Self

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request

from api.fields import Address, Instant, Password, Text
from api.models import Body, View, columns
from api.requests import read
from api.routes.rejects import RejectView
from api.routes.subscriptions import ExplanationView
from core.database import Transaction
from provisioning.radius_test import RadiusTest, radius_test
from radius.models import Session
from radius.reject_book import names_of_nas

router = APIRouter(prefix="/api/v1/radius", tags=["radius"])


class RadiusTestIn(Body):
    login: Text = Field(description="The login, or an IPoE line's MAC address", examples=["maria@provedor"])
    password: Password | None = Field(
        None, description="The password to try; absent: the right one", examples=["s3nha"]
    )
    nas: Text | None = Field(
        None, description="Name of the NAS that asks; absent: one of each vendor in use", examples=["pop-centro"]
    )
    caller: Text | None = Field(
        None, description="Calling-Station-Id; absent: its last session's", examples=["02:00:5E:10:00:01"]
    )
    port: Text | None = Field(None, description="NAS-Port-Id; absent: its last session's", examples=["vlan-101"])
    at: Instant | None = Field(None, description="For which instant; absent: now", examples=["2026-03-02T12:00:00Z"])


class AttributeView(View):
    name: str = Field(description="The attribute's name", examples=["Mikrotik-Rate-Limit"])
    value: str = Field(description="Its value", examples=["250M/500M"])


class AnswerView(View):
    model_config = columns("nas_name", "vendor", "calling_station_id", "nas_port_id", "answer", "words")

    nas_id: int = Field(description="The NAS that asks", examples=[1])
    nas_name: str = Field(description="Its name", examples=["pop-centro"])
    vendor: str = Field(description="Its vendor, in whose words the answer is", examples=["mikrotik"])
    calling_station_id: str = Field(description="Calling-Station-Id of the request", examples=["02:00:5E:10:00:01"])
    nas_port_id: str = Field(description="NAS-Port-Id of the request", examples=["vlan-101"])
    answer: str = Field(description="Access-Accept, Access-Reject or silence", examples=["Access-Accept"])
    reason: str = Field(description="Why, as counters name it; empty: accepted", examples=["session_limit"])
    words: str = Field(description="Why, in words", examples=["session limit, other session at NAS pop-norte"])
    words_pt: str = Field(description="Why, in Portuguese", examples=["limite de sessões, other session at NAS x"])
    attributes: list[AttributeView] = Field(description="What the answer says")


class LiveSessionView(View):
    id: int = Field(description="The session's id", examples=[501])
    nas_id: int = Field(description="The NAS that it is on", examples=[1])
    nas_name: str | None = Field(description="Its name; null: it was removed", examples=["pop-centro"])
    calling_station_id: str = Field(description="Calling-Station-Id", examples=["02:00:5E:10:00:01"])
    nas_port_id: str = Field(description="NAS-Port-Id", examples=["vlan-101"])
    framed_ip_address: Address | None = Field(description="Its address", examples=["100.64.0.10"])
    started_at: Instant = Field(description="When it began", examples=["2026-03-02T12:00:00Z"])
    updated_at: Instant = Field(description="When it was last heard of", examples=["2026-03-02T12:05:00Z"])


class HostView(View):
    host: str = Field(description="The RADIUS host", examples=["radius-1-3f2a9c10"])
    revision: int = Field(description="How far its records are", examples=[345])
    current: bool = Field(description="Whether it has all that the answers were made from", examples=[True])
    live: bool = Field(description="Whether it was heard of lately", examples=[True])
    seen_at: Instant = Field(description="When", examples=["2026-03-02T12:00:00Z"])


class RadiusTestView(View):
    login: str = Field(description="Who asks", examples=["maria@provedor"])
    at: Instant = Field(description="For which instant", examples=["2026-03-02T12:00:00Z"])
    subscription_id: int | None = Field(description="Whose login it is; null: nobody's", examples=[12])
    finding: str = Field(
        description="Whether there is an access record, and why not",
        examples=["there is an access record, of subscription 12"],
    )
    answers: list[AnswerView] = Field(description="What each NAS would be answered")
    limits: list[str] = Field(description="Where and how often it may be used", examples=[["1 session at once"]])
    sessions: list[LiveSessionView] = Field(description="Its open sessions")
    explanation: ExplanationView | None = Field(description="Why its service is what it is")
    revision: int = Field(description="Revision of what the answers were made from", examples=[345])
    hosts: list[HostView] = Field(description="The RADIUS hosts, and whether they know")
    rejects: list[RejectView] = Field(description="The last rejects")

    @classmethod
    def told(cls, tx: Transaction, found: RadiusTest) -> Self:
        names = names_of_nas(tx, {row.nas_id for row in found.sessions} | {row.nas_id for row in found.rejects})
        sessions = [_session(row, names) for row in found.sessions]
        return cls.of(found, sessions=sessions, rejects=[RejectView.told(row, names) for row in found.rejects])


@router.post("/test", operation_id="radius.test", summary="What a NAS would be answered about somebody, and why")
def test(request: Request, body: RadiusTestIn) -> RadiusTestView:
    return read(request, lambda tx: RadiusTestView.told(tx, radius_test(tx, **body.given())))


def _session(row: Session, names: dict[int, str]) -> LiveSessionView:
    return LiveSessionView.of(row, nas_name=names.get(row.nas_id))
