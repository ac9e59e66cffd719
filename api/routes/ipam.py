"""Address management: the tree of folders, and the subnets in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.requests import Request

from api.fields import Address, Instant, Int, Key, Name, PathKey, Text
from api.models import Body, Change, Page, View
from api.paging import Pages
from api.requests import read, remove, write
from core.database import Transaction
from ipam import folders, reserved, subnets, vacancy
from ipam.folders import FolderNode
from ipam.models import Subnet
from ipam.utilisation import look_up_subnet

router = APIRouter(prefix="/api/v1", tags=["ipam"])
FolderId = Annotated[PathKey, Path(description="The folder's id", examples=[2])]
SubnetId = Annotated[PathKey, Path(description="The subnet's id", examples=[4])]
RangeId = Annotated[PathKey, Path(description="The reserved range's id", examples=[9])]


class FolderIn(Body):
    name: Name = Field(description="The folder's name, unique among its siblings", examples=["Centro"])
    parent_id: Key | None = Field(None, description="The folder that it lies in; null: at the top", examples=[1])


class FolderChange(Change):
    name: Name = Field(default_factory=str, description="The folder's name", examples=["Centro Norte"])
    parent_id: Key | None = Field(None, description="The folder to move it to; null: to the top", examples=[1])


class FolderView(View):
    id: int = Field(description="The folder's id", examples=[2])
    parent_id: int | None = Field(description="The folder that it lies in", examples=[1])
    name: str = Field(description="The folder's name", examples=["Centro"])


class FolderInTree(FolderView):
    path: str = Field(description="Where it lies, from the top", examples=["POP 1 / Centro"])
    subnet_count: int = Field(description="How many subnets it holds itself", examples=[3])


class SubnetIn(Body):
    folder_id: Key = Field(description="The folder that it is filed in", examples=[2])
    name: Name = Field(description="The subnet's name, unique in its folder", examples=["Residencial"])
    cidr: Text = Field(description="The network, without host bits", examples=["100.64.0.0/24"])
    gateway: Text | None = Field(None, description="The router's address, never given", examples=["100.64.0.1"])
    quarantine_days: Int | None = Field(
        None, description="Days that a released address rests; null: the company's setting", examples=[30]
    )


class SubnetChange(Change):
    name: Name = Field(default_factory=str, description="The subnet's name", examples=["Residencial Norte"])
    folder_id: Key = Field(default_factory=int, description="The folder to file it in", examples=[3])
    gateway: Text | None = Field(None, description="The router's address; null: none", examples=["100.64.0.1"])
    quarantine_days: Int | None = Field(
        None, description="Days that a released address rests; null: the company's setting", examples=[30]
    )


class SubnetView(View):
    id: int = Field(description="The subnet's id", examples=[4])
    folder_id: int = Field(description="The folder that it is filed in", examples=[2])
    name: str = Field(description="The subnet's name", examples=["Residencial"])
    cidr: str = Field(description="The network", examples=["100.64.0.0/24"])
    gateway: Address | None = Field(description="The router's address", examples=["100.64.0.1"])
    quarantine_days: int | None = Field(description="Days that a released address rests", examples=[30])
    created_at: Instant = Field(description="When it was added", examples=["2026-03-02T12:00:00Z"])


class RangeIn(Body):
    first: Text = Field(description="The lowest reserved address", examples=["100.64.0.2"])
    last: Text = Field(description="The highest reserved address", examples=["100.64.0.9"])
    purpose: Text = Field("", description="What for", examples=["switches of the tower"])


class RangeView(View):
    id: int = Field(description="The range's id", examples=[9])
    subnet_id: int = Field(description="The subnet that it lies in", examples=[4])
    first: Address = Field(description="The lowest reserved address", examples=["100.64.0.2"])
    last: Address = Field(description="The highest reserved address", examples=["100.64.0.9"])
    purpose: str = Field(description="What for", examples=["switches of the tower"])


class UtilisationView(View):
    total: int = Field(description="Addresses that could be given", examples=[253])
    assigned: int = Field(description="Given to subscriptions", examples=[120])
    quarantined: int = Field(description="Released and resting", examples=[6])
    reserved: int = Field(description="Reserved", examples=[8])
    free: int = Field(description="Left to give", examples=[119])
    percent: float = Field(description="How full it is", examples=[52.9])


class SubnetReport(SubnetView):
    utilisation: UtilisationView = Field(description="How full it is")
    reserved: list[RangeView] = Field(description="Ranges that are never given")


class NextAddress(View):
    address: Address | None = Field(
        description="What the next assignment would give; null: none is free", examples=["100.64.0.10"]
    )


@router.post("/folders", operation_id="folder.add", status_code=201, summary="Add a folder")
def add_folder(request: Request, body: FolderIn) -> FolderView:
    return write(request, lambda tx: FolderView.of(folders.add_folder(tx, **body.given())))


@router.get("/folders", operation_id="folder.list", summary="The whole tree of folders, each with its path")
def list_folders(request: Request) -> Page[FolderInTree]:
    nodes = read(request, folders.folder_tree)
    return Page(items=[FolderInTree.of(node) for node in _flat(nodes)], next=None)


@router.patch("/folders/{folder_id}", operation_id="folder.change", summary="Rename or move a folder")
def change_folder(request: Request, folder_id: FolderId, body: FolderChange) -> FolderView:
    def work(tx: Transaction) -> FolderView:
        given = body.given()
        folder = folders.get_folder(tx, folder_id)
        if "name" in given:
            folder = folders.rename_folder(tx, folder_id=folder_id, name=given["name"])
        if "parent_id" in given:
            folder = folders.move_folder(tx, folder_id=folder_id, parent_id=given["parent_id"])
        return FolderView.of(folder)

    return write(request, work)


@router.delete("/folders/{folder_id}", operation_id="folder.delete", status_code=204, summary="Delete an empty folder")
def delete_folder(request: Request, folder_id: FolderId) -> None:
    remove(request, lambda tx: folders.delete_folder(tx, folder_id=folder_id))


@router.post("/subnets", operation_id="subnet.add", status_code=201, summary="Add a subnet; none may overlap another")
def add_subnet(request: Request, body: SubnetIn) -> SubnetView:
    return write(request, lambda tx: SubnetView.of(subnets.add_subnet(tx, **body.given())))


@router.get("/subnets", operation_id="subnet.list", summary="The subnets, by address")
def list_subnets(
    request: Request,
    pages: Pages,
    folder_id: Annotated[PathKey | None, Query(description="Only of this folder", examples=[2])] = None,
) -> Page[SubnetView]:
    after = pages.address

    def look(tx: Transaction) -> Page[SubnetView]:
        rows = subnets.list_subnets(tx, folder_id=folder_id, after=after, limit=pages.limit + 1)
        return pages.made([(int(row.first), row) for row in rows], SubnetView.of)

    return read(request, look)


@router.get("/subnets/{subnet_id}", operation_id="subnet.show", summary="One subnet and how full it is")
def show_subnet(request: Request, subnet_id: SubnetId) -> SubnetReport:
    def look(tx: Transaction) -> SubnetReport:
        report = look_up_subnet(tx, subnet_id)
        return SubnetReport.of(report.subnet, utilisation=report.utilisation, reserved=report.reserved)

    return read(request, look)


@router.patch("/subnets/{subnet_id}", operation_id="subnet.change", summary="Rename, move or set up a subnet")
def change_subnet(request: Request, subnet_id: SubnetId, body: SubnetChange) -> SubnetView:
    return write(request, lambda tx: SubnetView.of(_change_subnet(tx, subnet_id, body.given())))


@router.delete("/subnets/{subnet_id}", operation_id="subnet.delete", status_code=204, summary="Delete an unused subnet")
def delete_subnet(request: Request, subnet_id: SubnetId) -> None:
    remove(request, lambda tx: subnets.delete_subnet(tx, subnet_id=subnet_id))


@router.get(
    "/subnets/{subnet_id}/next-address",
    operation_id="subnet.next-address",
    summary="The address that the next assignment would give; nothing is held",
)
def next_address(request: Request, subnet_id: SubnetId) -> NextAddress:
    return read(request, lambda tx: NextAddress(address=vacancy.next_free_address(tx, subnet_id)))


@router.post(
    "/subnets/{subnet_id}/reserved-ranges",
    operation_id="subnet.reserve",
    status_code=201,
    summary="Reserve a range, so that it is never given",
)
def reserve(request: Request, subnet_id: SubnetId, body: RangeIn) -> RangeView:
    def work(tx: Transaction) -> RangeView:
        return RangeView.of(reserved.add_reserved_range(tx, subnet_id=subnet_id, **body.given()))

    return write(request, work)


@router.delete(
    "/reserved-ranges/{range_id}", operation_id="subnet.unreserve", status_code=204, summary="End a reservation"
)
def unreserve(request: Request, range_id: RangeId) -> None:
    remove(request, lambda tx: reserved.delete_reserved_range(tx, range_id=range_id))


def _flat(nodes: tuple[FolderNode, ...]) -> Iterator[FolderNode]:
    for node in nodes:
        yield node
        yield from _flat(node.children)


def _change_subnet(tx: Transaction, subnet_id: int, given: dict[str, Any]) -> Subnet:
    subnet = subnets.get_subnet(tx, subnet_id)
    for field, command in (
        ("name", subnets.rename_subnet),
        ("folder_id", subnets.move_subnet),
        ("gateway", subnets.set_gateway),
        ("quarantine_days", subnets.set_quarantine),
    ):
        if field in given:
            subnet = command(tx, subnet_id=subnet_id, **{field: given[field]})
    return subnet
