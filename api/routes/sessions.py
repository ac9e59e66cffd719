"""Sessions: who is connected, who was, and which sessions do not run what they should."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.requests import Request

from api.fields import Address, Instant, PathKey
from api.models import Page, View, columns
from api.paging import Pages
from api.requests import read
from core.database import Transaction
from provisioning.convergence import steps as convergence
from radius import sessions
from radius.models import Session

router = APIRouter(prefix="/api/v1/sessions", tags=["session"])
SessionId = Annotated[PathKey, Path(description="The session's id", examples=[501])]


class SessionView(View):
    model_config = columns(
        "id", "user_name", "subscription_id", "framed_ip_address", "nas_id", "started_at", "stopped_at"
    )

    id: int = Field(description="The session's id", examples=[501])
    user_name: str = Field(description="User-Name", examples=["maria@provedor"])
    subscription_id: int | None = Field(description="Whose it is", examples=[12])
    nas_id: int = Field(description="The NAS that it is on", examples=[1])
    nas_address: Address = Field(description="The address that the NAS sends from", examples=["192.0.2.1"])
    acct_session_id: str = Field(description="Acct-Session-Id", examples=["81c00a2f"])
    framed_ip_address: Address | None = Field(description="Its address", examples=["100.64.0.10"])
    calling_station_id: str = Field(description="Calling-Station-Id", examples=["02:00:5E:10:00:01"])
    nas_port_id: str = Field(description="NAS-Port-Id", examples=["vlan-101"])
    started_at: Instant = Field(description="When it began", examples=["2026-03-02T12:00:00Z"])
    updated_at: Instant = Field(description="When it was last heard of", examples=["2026-03-02T12:05:00Z"])
    stopped_at: Instant | None = Field(description="When it ended; null: it goes on", examples=["2026-03-02T18:00:00Z"])
    terminate_cause: str = Field(description="Acct-Terminate-Cause", examples=["User-Request"])
    input_octets: int = Field(description="Octets from the subscriber", examples=[1048576])
    output_octets: int = Field(description="Octets to the subscriber", examples=[73400320])
    session_seconds: int = Field(description="How long it lasted so far", examples=[300])
    granted_fingerprint: str = Field(
        description="Fingerprint of the policy that it runs", examples=["4a0c9d1be7723f55.6440000a"]
    )


class DivergenceView(View):
    model_config = columns("session_id", "subscription_id", "nas_id", "status", "action", "attempts", "reason")

    session_id: int = Field(description="The session", examples=[501])
    subscription_id: int = Field(description="Its subscription", examples=[12])
    nas_id: int = Field(description="Its NAS", examples=[1])
    status: str = Field(description="pending, acknowledged (proof is awaited) or failing", examples=["failing"])
    action: str = Field(description="What was tried: coa or disconnect", examples=["coa"])
    reason: str = Field(description="Why it is not there yet", examples=["the NAS did not answer 3 times"])
    attempts: int = Field(description="How often it was tried", examples=[2])
    since: Instant = Field(description="Since when it differs", examples=["2026-03-02T12:00:00Z"])
    tried_at: Instant | None = Field(description="When it was last tried", examples=["2026-03-02T12:00:05Z"])
    desired_fingerprint: str = Field(
        description="The policy that it should run; empty: it should end", examples=["4a0c9d1be7723f55.6440000a"]
    )


@router.get("", operation_id="session.list", summary="The sessions, newest first")
def list_all(
    request: Request,
    pages: Pages,
    only_open: Annotated[bool, Query(description="Only those that go on", examples=[True])] = False,
    subscription_id: Annotated[PathKey | None, Query(description="Only of this subscription", examples=[12])] = None,
    nas_id: Annotated[PathKey | None, Query(description="Only on this NAS", examples=[1])] = None,
    user_name: Annotated[
        str | None, Query(max_length=253, description="Only with this User-Name", examples=["maria@provedor"])
    ] = None,
    address: Annotated[Address | None, Query(description="Only with this address", examples=["100.64.0.10"])] = None,
) -> Page[SessionView]:
    def look(tx: Transaction) -> Page[SessionView]:
        rows: list[Session] = sessions.list_sessions(
            tx,
            subscription_id=subscription_id,
            nas_id=nas_id,
            user_name=user_name,
            address=address,
            only_open=only_open,
            before_id=pages.place,
            limit=pages.limit + 1,
        )
        return pages.made([(row.id, row) for row in rows], SessionView.of)

    return read(request, look)


@router.get(
    "/diverging", operation_id="session.diverging", summary="Sessions that do not provably run what they should"
)
def list_diverging(request: Request, pages: Pages) -> Page[DivergenceView]:
    def look(tx: Transaction) -> Page[DivergenceView]:
        rows = convergence.divergences(tx, after=pages.place or 0, limit=pages.limit + 1)
        return pages.made([(row.session_id, row) for row in rows], DivergenceView.of)

    return read(request, look)


@router.get("/{session_id}", operation_id="session.show", summary="One session")
def show(request: Request, session_id: SessionId) -> SessionView:
    return read(request, lambda tx: SessionView.of(sessions.get_session(tx, session_id)))
