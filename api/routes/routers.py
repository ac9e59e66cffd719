"""Routers that are held over the RouterOS API. Their passwords go in and never come out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Self

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy import select
from starlette.requests import Request

from api.fields import Flag, Instant, Int, Note, Password, Text
from api.models import Body, Change, Page, View, columns
from api.paging import Pages
from api.requests import read, runtime_of, write
from core.database import Transaction
from core.errors import Unavailable
from provisioning.routeros import routers
from provisioning.routeros.connection import RouterError
from provisioning.routeros.driver.session import presented_fingerprint
from provisioning.routeros.garden_fields import EXAMPLE
from provisioning.routeros.models import Router
from provisioning.routeros.router_fields import CHARSETS, DEFAULTS, DRIFT, MANAGES, PPP_SERVICES, TLS
from provisioning.routeros.rows import SpeedBy
from provisioning.routeros.trial import try_alone

router = APIRouter(prefix="/api/v1/routers", tags=["router"])
RouterName = Annotated[str, Path(max_length=64, description="The router's name, or its id", examples=["borda-1"])]
_TLS = f"How the API is reached, one of {', '.join(TLS)}: in the clear, by a pinned certificate, by one of an authority"
_FINGERPRINT = "SHA-256 of the certificate that is pinned, in hexadecimal; empty: none"
_SPEED_BY = f"Who owns the speed, one of {', '.join(SpeedBy)}"
_MANAGES = f"What of it is ours, some of {', '.join(MANAGES)}; the rest is neither read nor written"
_CHARSET = f"The character set of its texts, one of {', '.join(CHARSETS)}"
_PPP_SERVICE = f"The service of PPP secrets, one of {', '.join(PPP_SERVICES)}"
_LOCAL = "The router's end of PPP sessions: an address, or a pool's name; empty: the profile's default"
_GARDEN = "The walled garden that is kept on it, for who is suspended or paused; null: none"
_CUT = "Whether who comes to be suspended or paused loses open connections, which would pass by the rules"
_DRIFT = f"What becomes of rows that somebody changed by hand, one of {', '.join(DRIFT)}"
_CAP = "How many rows that nobody asked for one plan may remove without approval; null: max(10, 3 %)"
_PASSWORD = "The API user's password; never shown"  # noqa: S105
_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class GardenIn(Body):
    portal: Text = Field(max_length=15, description="The portal's IPv4 address", examples=["192.0.2.20"])
    portal_port: Int = Field(80, description="The port that HTTP is sent to there", examples=[80])
    allow: list[Text] = Field(
        default_factory=list,
        description="Addresses, networks and names that stay open: bank, Pix, portal",
        examples=[EXAMPLE["allow"]],
    )
    dns: Flag = Field(True, description="Whether names are resolved", examples=[True])


class RouterIn(Body):
    name: Text = Field(max_length=64, description="The router's name, unique, not a number", examples=["borda-1"])
    address: Text = Field(max_length=255, description="Its address or host name", examples=["192.0.2.1"])
    login: Text = Field(max_length=64, description="The API user's name", examples=["catraca"])
    password: Password = Field(description=_PASSWORD, examples=["s3nha-longa-da-api"])
    port: Int | None = Field(None, description="The API's port; null: 8728, or 8729 with TLS", examples=[8728])
    tls: Text = Field(DEFAULTS["tls"], max_length=8, description=_TLS, examples=["off"])
    tls_fingerprint: Text = Field("", description=_FINGERPRINT, examples=[""])
    charset: Text = Field(DEFAULTS["charset"], max_length=16, description=_CHARSET, examples=["utf-8"])
    nas: Text | None = Field(None, description="Id or name of the NAS that it also is; null: none", examples=["pop-1"])
    speed_by: Text = Field(DEFAULTS["speed_by"], max_length=16, description=_SPEED_BY, examples=["profile"])
    manages: list[Text] = Field(
        default_factory=lambda: list(MANAGES), description=_MANAGES, examples=[["ppp", "queues", "address-lists"]]
    )
    ppp_service: Text = Field(DEFAULTS["ppp_service"], max_length=16, description=_PPP_SERVICE, examples=["pppoe"])
    ppp_local_address: Text = Field("", max_length=64, description=_LOCAL, examples=["10.255.0.1"])
    dhcp_server: Text = Field("", max_length=64, description="Its DHCP server; empty: any", examples=["dhcp1"])
    hotspot_server: Text = Field("", max_length=64, description="Its hotspot server; empty: all", examples=["hotspot1"])
    dhcpv6_server: Text = Field("", max_length=64, description="Its DHCPv6 server; empty: none", examples=["v6"])
    reduced_list: Text = Field("", max_length=64, description="Address list of who is reduced", examples=["reduced"])
    warned_list: Text = Field("", max_length=64, description="Address list of who is warned", examples=["warned"])
    garden: GardenIn | None = Field(None, description=_GARDEN, examples=[dict(EXAMPLE)])
    cut_connections: Flag = Field(True, description=_CUT, examples=[True])
    drift: Text = Field(DEFAULTS["drift"], max_length=8, description=_DRIFT, examples=["repair"])
    check_minutes: Int = Field(DEFAULTS["check_minutes"], description="How often all is read", examples=[15])
    writes_per_second: Int = Field(
        DEFAULTS["writes_per_second"], description="At most so many; 0: no bound", examples=[300]
    )
    removal_cap: Int | None = Field(None, description=_CAP, examples=[50])
    timeout_seconds: Int = Field(DEFAULTS["timeout_seconds"], description="Patience with each answer", examples=[10])
    enabled: Flag = Field(True, description="Whether it is held at all", examples=[True])


class RouterChange(Change):
    name: Text = Field(default_factory=str, max_length=64, description="The router's name", examples=["borda-1"])
    address: Text = Field(default_factory=str, max_length=255, description="Its address", examples=["192.0.2.1"])
    login: Text = Field(default_factory=str, max_length=64, description="The API user's name", examples=["catraca"])
    password: Password | None = Field(None, description=_PASSWORD, examples=["s3nha-longa-da-api"])
    port: Int = Field(default_factory=int, description="The API's port", examples=[8728])
    tls: Text = Field(default_factory=str, max_length=8, description=_TLS, examples=["pinned"])
    tls_fingerprint: Text = Field(default_factory=str, description=_FINGERPRINT, examples=[_SHA256])
    charset: Text = Field(default_factory=str, max_length=16, description=_CHARSET, examples=["latin-1"])
    nas: Text | None = Field(None, description="Id or name of the NAS that it also is; null: none", examples=["pop-1"])
    speed_by: Text = Field(default_factory=str, max_length=16, description=_SPEED_BY, examples=["queue-simple"])
    manages: list[Text] = Field(default_factory=list, description=_MANAGES, examples=[["ppp", "queues"]])
    ppp_service: Text = Field(default_factory=str, max_length=16, description=_PPP_SERVICE, examples=["pppoe"])
    ppp_local_address: Text = Field(default_factory=str, max_length=64, description=_LOCAL, examples=["10.255.0.1"])
    dhcp_server: Text = Field(default_factory=str, max_length=64, description="Its DHCP server", examples=["dhcp1"])
    hotspot_server: Text = Field(default_factory=str, max_length=64, description="Its hotspot server", examples=["hs1"])
    dhcpv6_server: Text = Field(default_factory=str, max_length=64, description="Its DHCPv6 server", examples=["v6"])
    reduced_list: Text = Field(default_factory=str, max_length=64, description="List of reduced", examples=["reduced"])
    warned_list: Text = Field(default_factory=str, max_length=64, description="List of warned", examples=["warned"])
    garden: GardenIn | None = Field(None, description=_GARDEN, examples=[dict(EXAMPLE)])
    cut_connections: Flag = Field(default_factory=bool, description=_CUT, examples=[False])
    drift: Text = Field(default_factory=str, max_length=8, description=_DRIFT, examples=["report"])
    check_minutes: Int = Field(default_factory=int, description="How often all is read", examples=[60])
    writes_per_second: Int = Field(default_factory=int, description="At most so many; 0: no bound", examples=[100])
    removal_cap: Int | None = Field(None, description=_CAP, examples=[50])
    timeout_seconds: Int = Field(default_factory=int, description="Patience with each answer", examples=[20])
    enabled: Flag = Field(default_factory=bool, description="Whether it is held at all", examples=[True])


class RouterNote(Body):
    note: Note = Field("", description="Why", examples=["firmware"])


class FingerprintIn(Body):
    address: Text = Field(max_length=255, description="The router's address or host name", examples=["192.0.2.1"])
    port: Int = Field(8729, ge=1, le=65535, description="The port of its API-SSL", examples=[8729])
    timeout_seconds: Int = Field(10, ge=1, le=60, description="How long to wait", examples=[10])


class FingerprintView(View):
    tls_fingerprint: str = Field(description="SHA-256 of the certificate that it presents", examples=[_SHA256])


class RouterView(View):
    model_config = columns("id", "name", "address", "port", "tls", "speed_by", "services", "enabled", "trouble")

    id: int = Field(description="The router's id", examples=[1])
    name: str = Field(description="Its name", examples=["borda-1"])
    address: str = Field(description="Its address or host name", examples=["192.0.2.1"])
    port: int = Field(description="The API's port", examples=[8728])
    tls: str = Field(description=_TLS, examples=["off"])
    tls_fingerprint: str = Field(description=_FINGERPRINT, examples=[_SHA256])
    login: str = Field(description="The API user's name", examples=["catraca"])
    charset: str = Field(description=_CHARSET, examples=["utf-8"])
    nas_id: int | None = Field(description="The NAS that it also is; null: none", examples=[1])
    speed_by: str = Field(description=_SPEED_BY, examples=["profile"])
    manages: list[str] = Field(description=_MANAGES, examples=[["ppp", "queues", "address-lists"]])
    ppp_service: str = Field(description=_PPP_SERVICE, examples=["pppoe"])
    ppp_local_address: str = Field(description=_LOCAL, examples=["10.255.0.1"])
    dhcp_server: str = Field(description="Its DHCP server; empty: any", examples=["dhcp1"])
    hotspot_server: str = Field(description="Its hotspot server; empty: all", examples=["hotspot1"])
    dhcpv6_server: str = Field(description="Its DHCPv6 server; empty: none", examples=["v6"])
    reduced_list: str = Field(description="Address list of who is reduced; empty: none", examples=["reduced"])
    warned_list: str = Field(description="Address list of who is warned; empty: none", examples=["warned"])
    garden: dict[str, Any] | None = Field(description=_GARDEN, examples=[dict(EXAMPLE)])
    cut_connections: bool = Field(description=_CUT, examples=[True])
    drift: str = Field(description=_DRIFT, examples=["repair"])
    check_minutes: int = Field(description="How often all of it is read, in minutes", examples=[15])
    writes_per_second: int = Field(description="At most so many writes; 0: no bound", examples=[300])
    removal_cap: int | None = Field(description=_CAP, examples=[50])
    timeout_seconds: int = Field(description="Patience with each answer", examples=[10])
    enabled: bool = Field(description="Whether it is held at all", examples=[True])
    maintenance_since: Instant | None = Field(
        description="Nothing is written to it since then; null: no maintenance", examples=["2026-03-02T12:00:00Z"]
    )
    maintenance_note: str = Field(description="Why", examples=["firmware"])
    created_at: Instant = Field(description="When it was added", examples=["2026-03-02T12:00:00Z"])
    services: int = Field(description="How many subscriptions it serves", examples=[1000])
    advice: list[str] = Field(description="What one should know of how it is set up", examples=[["it manages nothing"]])
    trouble: str = Field(description="Why it is out of reach; empty: it is not", examples=["no answer in 10 s"])

    @classmethod
    def told(cls, tx: Transaction, row: Router) -> Self:
        return cls.of(row, **asdict(routers.standings(tx, [row])[row.id]))


class RouterRemovedView(View):
    services: int = Field(description="How many services were given up with it", examples=[0])
    words: str = Field(description="What becomes of its rows", examples=["what stands on it stays there as it is"])


class RouterTestView(View):
    ok: bool = Field(description="Whether it let us in and no right is known to be missing", examples=[True])
    trouble: str = Field(description="Why it did not let us in; empty: it did", examples=["nobody answered in 10 s"])
    version: str = Field(description="Its RouterOS", examples=["7.20.4"])
    identity: str = Field(description="How it calls itself", examples=["borda-1"])
    board: str = Field(description="What it runs on", examples=["CCR2004-16G-2S+"])
    missing_rights: list[str] | None = Field(
        description="Policies that the API user's group lacks; null: the router did not tell", examples=[["sensitive"]]
    )
    tls_fingerprint: str = Field(
        description="SHA-256 of the certificate that it presents; empty: no TLS", examples=[_SHA256]
    )


@router.post("", operation_id="router.add", status_code=201, summary="Add a router that is held over its API")
def add(request: Request, body: RouterIn) -> RouterView:
    return write(request, lambda tx: RouterView.told(tx, routers.add_router(tx, **body.given())))


@router.get("", operation_id="router.list", summary="The routers")
def list_all(request: Request, pages: Pages) -> Page[RouterView]:
    query = select(Router).where(Router.id > (pages.place or 0)).order_by(Router.id).limit(pages.limit + 1)

    def look(tx: Transaction) -> Page[RouterView]:
        rows = list(tx.session.scalars(query))
        known = routers.standings(tx, rows)
        return pages.made([(row.id, row) for row in rows], lambda row: RouterView.of(row, **asdict(known[row.id])))

    return read(request, look)


@router.post(
    "/fingerprint",
    operation_id="router.fingerprint",
    summary="The certificate that a router presents, to compare and pin it; no password is sent",
)
def fingerprint(body: FingerprintIn) -> FingerprintView:
    try:
        presented = presented_fingerprint(body.address, body.port, float(body.timeout_seconds))
    except RouterError as error:
        raise Unavailable(f"{body.address}:{body.port} presents no certificate: {error}") from error
    return FingerprintView(tls_fingerprint=presented)


@router.get("/{router}", operation_id="router.show", summary="One router")
def show(request: Request, router: RouterName) -> RouterView:
    return read(request, lambda tx: RouterView.told(tx, routers.get_router(tx, router)))


@router.patch("/{router}", operation_id="router.change", summary="Change a router")
def change(request: Request, router: RouterName, body: RouterChange) -> RouterView:
    return write(request, lambda tx: RouterView.told(tx, routers.change_router(tx, router, **body.given())))


@router.delete(
    "/{router}", operation_id="router.remove", summary="Forget a router; what stands on it stays there as it is"
)
def remove_one(
    request: Request,
    router: RouterName,
    give_up_services: Annotated[
        bool, Query(description="Even if it serves somebody; those services are given up", examples=[False])
    ] = False,
    note: Annotated[str, Query(max_length=2000, description="Why", examples=["replaced by borda-2"])] = "",
) -> RouterRemovedView:
    def work(tx: Transaction) -> RouterRemovedView:
        served = routers.remove_router(tx, router, give_up_services=give_up_services, note=note)
        words = "what stands on the router stays there as it is: nothing was asked of it, and nothing will be"
        return RouterRemovedView(services=served, words=words)

    return write(request, work)


@router.post(
    "/{router}/maintenance",
    operation_id="router.start-maintenance",
    summary="Write nothing to the router until the maintenance ends; plans are made",
)
def begin_maintenance(request: Request, router: RouterName, body: RouterNote) -> RouterView:
    def work(tx: Transaction) -> RouterView:
        return RouterView.told(tx, routers.start_maintenance(tx, router, note=body.note))

    return write(request, work)


@router.post(
    "/{router}/maintenance/end",
    operation_id="router.end-maintenance",
    summary="End the maintenance: all that piled up is done at once",
)
def finish_maintenance(request: Request, router: RouterName, body: RouterNote) -> RouterView:
    def work(tx: Transaction) -> RouterView:
        return RouterView.told(tx, routers.end_maintenance(tx, router, note=body.note))

    return write(request, work)


@router.post(
    "/{router}/test",
    operation_id="router.test",
    summary="Whether the router lets us in, what it is, which rights are missing; nothing is written to it",
)
def test(request: Request, router: RouterName) -> RouterTestView:
    found = try_alone(runtime_of(request).database, router)
    return RouterTestView.of(found, tls_fingerprint=found.presented)
