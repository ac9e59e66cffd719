"""Single addresses: how one stands, who has it, who had it at some second."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.requests import Request

from api.fields import Address, Instant, PathKey
from api.models import Page, View
from api.paging import Pages
from api.requests import read
from core.database import Transaction
from core.errors import InvalidInput
from ipam import history, listing
from ipam.listing import AddressLine
from ipam.lookup import AddressReport, look_up_address
from radius.history import who_had

router = APIRouter(prefix="/api/v1", tags=["ipam"])
AddressPath = Annotated[str, Path(max_length=45, description="The address", examples=["100.64.0.10"])]
AnyAddress = Annotated[str, Path(max_length=45, description="The address, IPv4 or IPv6", examples=["100.64.0.10"])]
SubnetId = Annotated[PathKey, Path(description="The subnet's id", examples=[4])]
At = Annotated[Instant | None, Query(description="The instant; absent: now", examples=["2026-03-02T12:00:00Z"])]


class AddressView(View):
    address: Address = Field(description="The address", examples=["100.64.0.10"])
    state: str = Field(
        description="free, assigned, quarantined, reserved, gateway, network, broadcast or unmanaged",
        examples=["assigned"],
    )
    subscription_id: int | None = Field(description="Whose it is", examples=[12])
    since: Instant | None = Field(description="Since when it is so", examples=["2026-03-02T12:00:00Z"])
    quarantined_until: Instant | None = Field(description="When its quarantine ends", examples=["2026-04-01T12:00:00Z"])

    @classmethod
    def line(cls, line: AddressLine | AddressReport) -> Self:
        found = line.standing
        return cls(
            address=line.address,
            state=found.state.value,
            subscription_id=found.subscription_id,
            since=found.since,
            quarantined_until=found.quarantined_until,
        )


class TenureView(View):
    address: Address = Field(description="The address", examples=["100.64.0.10"])
    subscription_id: int = Field(description="Who had it", examples=[12])
    since: Instant = Field(description="From when", examples=["2026-03-02T12:00:00Z"])
    until: Instant | None = Field(description="Until when; null: has it still", examples=["2026-05-02T12:00:00Z"])


class AddressReportView(AddressView):
    subnet_id: int | None = Field(description="The subnet that it lies in", examples=[4])
    history: list[TenureView] = Field(description="Who had it as a fixed address, newest first")


class UseView(View):
    network: str = Field(description="The address, or the IPv6 prefix around it", examples=["100.64.0.10"])
    since: Instant = Field(description="From when", examples=["2026-03-02T12:00:00Z"])
    until: Instant | None = Field(description="Until when; null: still", examples=["2026-03-02T18:00:00Z"])
    session_id: int = Field(description="The session, which may be archived by now", examples=[501])
    subscription_id: int | None = Field(description="Whose it was; null: nobody's that we know", examples=[12])
    nas_id: int = Field(description="The NAS that it was on", examples=[1])
    user_name: str = Field(description="User-Name", examples=["maria@provedor"])
    calling_station_id: str = Field(description="Calling-Station-Id", examples=["02:00:5E:10:00:01"])
    nas_port_id: str = Field(description="NAS-Port-Id", examples=["vlan-101"])
    acct_session_id: str = Field(description="Acct-Session-Id", examples=["81c00a2f"])


class Holders(View):
    address: Address = Field(description="The address", examples=["100.64.0.10"])
    at: Instant = Field(description="The instant asked for", examples=["2026-03-02T12:00:00Z"])
    uses: list[UseView] = Field(description="The sessions that had it then, the one that began last first")
    subscription_id: int | None = Field(description="Whose fixed address it was then; null: nobody's", examples=[12])


@router.get("/subnets/{subnet_id}/addresses", operation_id="subnet.addresses", summary="Every address of a subnet")
def list_addresses(
    request: Request,
    pages: Pages,
    subnet_id: SubnetId,
    only: Annotated[
        Literal["assigned", "quarantined"] | None, Query(description="Only in this state", examples=["assigned"])
    ] = None,
) -> Page[AddressView]:
    def look(tx: Transaction) -> Page[AddressView]:
        found = listing.list_addresses(tx, subnet_id, only=only, after=pages.address, limit=pages.limit)
        following = None if found.after is None else int(found.after)
        return pages.ended([AddressView.line(line) for line in found.lines], following)

    return read(request, look)


@router.get("/addresses/{address}", operation_id="address.show", summary="How an address stands and who had it")
def show(request: Request, address: AddressPath) -> AddressReportView:
    def look(tx: Transaction) -> AddressReportView:
        report = look_up_address(tx, address)
        return AddressReportView(
            **AddressView.line(report).model_dump(),
            subnet_id=report.subnet.id if report.subnet else None,
            history=[TenureView.of(tenure) for tenure in report.history],
        )

    return read(request, look)


@router.get("/addresses/{address}/history", operation_id="address.history", summary="Who had an address, newest first")
def address_history(request: Request, pages: Pages, address: AddressPath) -> Page[TenureView]:
    def look(tx: Transaction) -> Page[TenureView]:
        rows = history.history_of_address(tx, address, before=pages.place, limit=pages.limit + 1)
        return pages.made([(row.id, row) for row in rows], TenureView.of)

    return read(request, look)


@router.get("/addresses/{address}/holder", operation_id="address.holder", summary="Who had an address at an instant")
def holder(request: Request, address: AnyAddress, at: At = None) -> Holders:
    def look(tx: Transaction) -> Holders:
        instant, ip = at or tx.now, any_address(address)
        tenure = history.holder_at(tx, ip, instant) if isinstance(ip, IPv4Address) else None
        return Holders(
            address=ip,
            at=instant,
            subscription_id=tenure.subscription_id if tenure else None,
            uses=[UseView.of(use) for use in who_had(tx, ip, instant)],
        )

    return read(request, look)


def any_address(text: str) -> IPv4Address | IPv6Address:
    """The address of a path, IPv4 or IPv6. InvalidInput when unreadable."""
    try:
        return ip_address(text)
    except ValueError:
        raise InvalidInput("address", "an IP address", "100.64.0.10") from None
