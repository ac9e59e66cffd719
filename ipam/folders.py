"""The tree of folders that subnets are filed in.

Every change of the tree, and every subnet that comes or goes, runs under one lock (`lock_plan`): such changes are
rare, and one after the other they can be checked by plain reading. The database's constraints stand behind it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import func, select, text, update

from core.database import Transaction
from core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from ipam.models import AddressPlan, Folder, Subnet
from ipam.notation import parse_name

NAMED_IN_ERRORS = 5
_UNSYNCHRONISED = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class FolderNode:
    """A folder as a person sees it: `path` from the top (`Centro / Torre 2`), subnets counted without those below."""

    id: int
    parent_id: int | None
    name: str
    path: str
    subnet_count: int
    children: tuple[FolderNode, ...]


def lock_plan(tx: Transaction) -> None:
    """From here to the commit nobody else changes folders or the set of subnets."""
    counted = update(AddressPlan).where(AddressPlan.id == 1).values(revision=AddressPlan.revision + 1)
    locked = counted.returning(AddressPlan.revision)
    if tx.session.scalar(locked, execution_options=_UNSYNCHRONISED) is None:
        # The very first change. Of several at once the others wait here for the first one's commit.
        tx.session.execute(text("INSERT INTO address_plan (id, revision) VALUES (1, 0) ON CONFLICT DO NOTHING"))
        tx.session.scalar(locked, execution_options=_UNSYNCHRONISED)


def get_folder(tx: Transaction, folder_id: int) -> Folder:
    """The folder as it is committed or changed by us; NotFound."""
    folder = tx.session.get(Folder, folder_id, populate_existing=True)
    if folder is None:
        raise NotFound("folder", folder_id)
    return folder


def add_folder(tx: Transaction, *, name: str, parent_id: int | None = None) -> Folder:
    """A new folder, at the top or below another. InvalidInput, NotFound (parent), Conflict (name of a sibling)."""
    name = parse_name(name)
    lock_plan(tx)
    if parent_id is not None:
        get_folder(tx, parent_id)
    _refuse_sibling(tx, name, parent_id)
    folder = Folder(name=name, parent_id=parent_id, created_at=tx.now)
    tx.session.add(folder)
    tx.session.flush()
    tx.audit("add", "folder", folder.id, after={"name": name, "parent_id": parent_id})
    return folder


def rename_folder(tx: Transaction, *, folder_id: int, name: str) -> Folder:
    """InvalidInput, NotFound, Conflict (name of a sibling)."""
    name = parse_name(name)
    lock_plan(tx)
    folder = get_folder(tx, folder_id)
    if name != folder.name:
        _refuse_sibling(tx, name, folder.parent_id)
        tx.audit("rename", "folder", folder_id, {"name": folder.name}, {"name": name})
        folder.name = name
        tx.session.flush()
    return folder


def move_folder(tx: Transaction, *, folder_id: int, parent_id: int | None) -> Folder:
    """Hang the folder, with all below it, elsewhere (None: at the top).

    InvalidInput when the new place is the folder itself or below it; NotFound; Conflict (name of a sibling there).
    """
    lock_plan(tx)
    folder = get_folder(tx, folder_id)
    if parent_id == folder.parent_id:
        return folder
    if folder_id in _line_of(tx, parent_id):
        raise InvalidInput("parent_id", "a folder that is not the moved one nor below it", None)
    _refuse_sibling(tx, folder.name, parent_id)
    tx.audit("move", "folder", folder_id, {"parent_id": folder.parent_id}, {"parent_id": parent_id})
    folder.parent_id = parent_id
    tx.session.flush()
    return folder


def delete_folder(tx: Transaction, *, folder_id: int) -> None:
    """NotFound; NotAllowed, naming some of what it holds, unless it is empty."""
    lock_plan(tx)
    folder = get_folder(tx, folder_id)
    folders = tx.session.scalars(select(Folder).where(Folder.parent_id == folder_id).order_by(Folder.name)).all()
    subnets = tx.session.scalars(select(Subnet).where(Subnet.folder_id == folder_id).order_by(Subnet.first)).all()
    held = [f"folder {child.name}" for child in folders] + [f"subnet {subnet.label}" for subnet in subnets]
    if held:
        more = f" and {len(held) - NAMED_IN_ERRORS} more" if len(held) > NAMED_IN_ERRORS else ""
        detail = f"the folder {folder.name} is not empty: it holds {', '.join(held[:NAMED_IN_ERRORS])}{more}"
        raise NotAllowed(detail, folder_id=folder_id, folders=len(folders), subnets=len(subnets))
    tx.session.delete(folder)
    tx.session.flush()
    tx.audit("delete", "folder", folder_id, before={"name": folder.name, "parent_id": folder.parent_id})


def folder_tree(tx: Transaction) -> tuple[FolderNode, ...]:
    """The whole tree, siblings by name."""
    children: dict[int | None, list[Folder]] = defaultdict(list)
    for folder in tx.session.scalars(select(Folder).order_by(Folder.name, Folder.id)):
        children[folder.parent_id].append(folder)
    counted = select(Subnet.folder_id, func.count()).group_by(Subnet.folder_id)
    counts: dict[int, int] = dict(tx.session.execute(counted).all())

    def nodes(parent_id: int | None, path: tuple[str, ...]) -> tuple[FolderNode, ...]:
        return tuple(node(folder, (*path, folder.name)) for folder in children[parent_id])

    def node(folder: Folder, path: tuple[str, ...]) -> FolderNode:
        below = nodes(folder.id, path)
        return FolderNode(folder.id, folder.parent_id, folder.name, " / ".join(path), counts.get(folder.id, 0), below)

    return nodes(None, ())


def _line_of(tx: Transaction, folder_id: int | None) -> list[int]:
    """The folder and all above it; NotFound."""
    line: list[int] = []
    while folder_id is not None:
        line.append(folder_id)
        folder_id = get_folder(tx, folder_id).parent_id
    return line


def _refuse_sibling(tx: Transaction, name: str, parent_id: int | None) -> None:
    same = select(Folder.id).where(Folder.parent_id.is_not_distinct_from(parent_id), Folder.name == name)
    taken = tx.session.scalar(same)
    if taken is not None:
        where = "at the top" if parent_id is None else f"in the folder {get_folder(tx, parent_id).name}"
        raise Conflict(f"there is a folder named {name} {where} already (folder {taken})", folder_id=taken)
