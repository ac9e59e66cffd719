"""NAS: the routers that may ask RADIUS. Their shared secrets go in and never come out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field
from sqlalchemy import select
from starlette.requests import Request

from api.fields import Flag, Instant, Int, Password, PathKey, Text
from api.models import Body, Change, Page, View, columns
from api.paging import Pages
from api.requests import read, remove, write
from provisioning.routeros.nas_of_router import remove_nas
from radius import nas
from radius.models import Nas
from radius.vendors import VENDORS

router = APIRouter(prefix="/api/v1/nas", tags=["nas"])
NasId = Annotated[PathKey, Path(description="The NAS's id", examples=[1])]
_VENDOR = f"One of {', '.join(VENDORS)}"
_IDENTITY = "The name in its client certificate, by which it is known over RadSec (RADIUS over TLS)"
_TRANSPORT = "How CoA and Disconnect are sent to it: udp, or radsec for a NAS that listens for them over TLS"
_RADSEC_PORT = "TCP port where it listens for CoA and Disconnect over TLS"
_SECRET = "The shared secret, 8 to 128 printable ASCII characters; never shown"  # noqa: S105


class NasIn(Body):
    name: Text = Field(description="The NAS's name, unique", examples=["pop-centro"])
    network: Text = Field(description="The address that it sends from, or a network of such", examples=["192.0.2.1"])
    secret: Password = Field(description=_SECRET, examples=["kX7-two-dozen-random-characters"])
    vendor: Text = Field("mikrotik", max_length=32, description=_VENDOR, examples=["mikrotik"])
    coa_port: Int | None = Field(
        None, description="Port that takes CoA and Disconnect; null: the vendor's", examples=[3799]
    )
    require_message_authenticator: Flag = Field(
        True, description="Whether requests without Message-Authenticator are ignored", examples=[True]
    )
    mac_auth: Flag = Field(False, description="Whether it asks by MAC address with an empty password", examples=[False])
    coa_echoes_class: Flag | None = Field(
        None, description="Whether accounting shows the Class that a CoA brought; null: the vendor's", examples=[False]
    )
    enabled: Flag = Field(True, description="Whether it is answered", examples=[True])
    radsec_identity: Text = Field("", description=f"{_IDENTITY}; empty: none", examples=["pop-centro.provedor.example"])
    coa_transport: Text = Field("udp", max_length=8, description=_TRANSPORT, examples=["udp"])
    radsec_port: Int = Field(2083, description=_RADSEC_PORT, examples=[2083])


class NasChange(Change):
    name: Text = Field(default_factory=str, description="The NAS's name", examples=["pop-centro"])
    network: Text = Field(default_factory=str, description="The address that it sends from", examples=["192.0.2.1"])
    secret: Password | None = Field(None, description=_SECRET, examples=["kX7-two-dozen-random-characters"])
    vendor: Text = Field(default_factory=str, max_length=32, description=_VENDOR, examples=["generic"])
    coa_port: Int = Field(default_factory=int, description="Port that takes CoA and Disconnect", examples=[1700])
    require_message_authenticator: Flag = Field(
        default_factory=bool, description="Whether requests without Message-Authenticator are ignored", examples=[True]
    )
    mac_auth: Flag = Field(default_factory=bool, description="Whether it asks by MAC address", examples=[True])
    coa_echoes_class: Flag = Field(
        default_factory=bool, description="Whether accounting shows the Class that a CoA brought", examples=[False]
    )
    enabled: Flag = Field(default_factory=bool, description="Whether it is answered", examples=[True])
    radsec_identity: Text = Field(
        default_factory=str, description=f'{_IDENTITY}; "" removes it', examples=["pop-centro.provedor.example"]
    )
    coa_transport: Text = Field(default_factory=str, max_length=8, description=_TRANSPORT, examples=["udp"])
    radsec_port: Int = Field(default_factory=int, description=_RADSEC_PORT, examples=[2083])


class NasView(View):
    model_config = columns("id", "name", "network", "vendor", "coa_port", "mac_auth", "enabled")

    id: int = Field(description="The NAS's id", examples=[1])
    name: str = Field(description="The NAS's name", examples=["pop-centro"])
    network: str = Field(description="What it sends from", examples=["192.0.2.1/32"])
    vendor: str = Field(description=_VENDOR, examples=["mikrotik"])
    coa_port: int = Field(description="Port that takes CoA and Disconnect", examples=[3799])
    require_message_authenticator: bool = Field(
        description="Whether requests without Message-Authenticator are ignored", examples=[True]
    )
    mac_auth: bool = Field(description="Whether it asks by MAC address", examples=[False])
    coa_echoes_class: bool = Field(
        description="Whether accounting shows the Class that a CoA brought", examples=[False]
    )
    enabled: bool = Field(description="Whether it is answered", examples=[True])
    radsec_identity: str | None = Field(
        description=f"{_IDENTITY}; null: none", examples=["pop-centro.provedor.example"]
    )
    coa_transport: str = Field(description=_TRANSPORT, examples=["udp"])
    radsec_port: int = Field(description=_RADSEC_PORT, examples=[2083])
    created_at: Instant = Field(description="When it was added", examples=["2026-03-02T12:00:00Z"])


@router.post("", operation_id="nas.add", status_code=201, summary="Add a NAS")
def add(request: Request, body: NasIn) -> NasView:
    return write(request, lambda tx: NasView.of(nas.add_nas(tx, **body.given())))


@router.get("", operation_id="nas.list", summary="The NAS")
def list_all(pages: Pages) -> Page[NasView]:
    return pages.of(select(Nas), Nas.id, NasView.of)


@router.get("/{nas_id}", operation_id="nas.show", summary="One NAS")
def show(request: Request, nas_id: NasId) -> NasView:
    return read(request, lambda tx: NasView.of(nas.get_nas(tx, nas_id)))


@router.patch("/{nas_id}", operation_id="nas.change", summary="Change a NAS")
def change(request: Request, nas_id: NasId, body: NasChange) -> NasView:
    return write(request, lambda tx: NasView.of(nas.change_nas(tx, nas_id, **body.given())))


@router.delete("/{nas_id}", operation_id="nas.remove", status_code=204, summary="Answer a NAS no more")
def remove_one(request: Request, nas_id: NasId) -> None:
    remove(request, lambda tx: remove_nas(tx, nas_id))
