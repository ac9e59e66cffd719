"""The tree of folders."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, select

from core.audit import AuditEntry
from core.database import Database
from core.errors import CatracaError, Conflict, InvalidInput, NotAllowed, NotFound
from ipam.folders import FolderNode, add_folder, delete_folder, folder_tree, move_folder, rename_folder
from ipam.models import AddressPlan, Folder
from ipam.subnets import add_subnet
from tests.factories_ipam import race


def tree_of(database: Database) -> list[str]:
    """Every path of the tree, as listed."""

    def paths(nodes: tuple[FolderNode, ...]) -> list[str]:
        return [path for node in nodes for path in (node.path, *paths(node.children))]

    with database.reading() as tx:
        return paths(folder_tree(tx))


def grow(database: Database) -> dict[str, int]:
    """Centro with Torre 1 (with Setor A) and Torre 2, beside Norte; ids by name."""
    with database.transaction() as tx:
        centro = add_folder(tx, name="Centro")
        one = add_folder(tx, name="Torre 1", parent_id=centro.id)
        sector = add_folder(tx, name="Setor A", parent_id=one.id)
        two = add_folder(tx, name="Torre 2", parent_id=centro.id)
        norte = add_folder(tx, name="Norte")
    return {folder.name: folder.id for folder in (centro, one, sector, two, norte)}


def test_the_tree_lists_siblings_by_name_and_counts_subnets(database: Database) -> None:
    ids = grow(database)
    with database.transaction() as tx:
        add_subnet(tx, folder_id=ids["Torre 2"], name="a", cidr="10.0.0.0/24")
        add_subnet(tx, folder_id=ids["Torre 2"], name="b", cidr="10.0.1.0/24")
    assert tree_of(database) == [
        "Centro",
        "Centro / Torre 1",
        "Centro / Torre 1 / Setor A",
        "Centro / Torre 2",
        "Norte",
    ]
    with database.reading() as tx:
        centro, norte = folder_tree(tx)
        assert [node.subnet_count for node in (centro, centro.children[1], norte)] == [0, 2, 0]


@pytest.mark.parametrize(
    ("name", "parent", "error"),
    [
        pytest.param("Torre 1", "Centro", Conflict, id="name-of-a-sibling"),
        pytest.param(" Torre  1 ", "Centro", Conflict, id="name-of-a-sibling-with-other-blanks"),
        pytest.param("Norte", None, Conflict, id="name-of-a-sibling-at-the-top"),
        pytest.param("Norte", "Centro", None, id="name-used-elsewhere"),
        pytest.param("", "Centro", InvalidInput, id="no-name"),
    ],
)
def test_a_name_is_unique_among_siblings(
    database: Database, name: str, parent: str | None, error: type[CatracaError] | None
) -> None:
    ids = grow(database)
    before = tree_of(database)
    if error is None:
        with database.transaction() as tx:
            add_folder(tx, name=name, parent_id=ids[parent] if parent else None)
        assert len(tree_of(database)) == len(before) + 1
        return
    with pytest.raises(error), database.transaction() as tx:
        add_folder(tx, name=name, parent_id=ids[parent] if parent else None)
    assert tree_of(database) == before


def test_a_conflict_names_the_folder_that_has_the_name(database: Database) -> None:
    ids = grow(database)
    with pytest.raises(Conflict, match="Torre 1 in the folder Centro") as refused, database.transaction() as tx:
        rename_folder(tx, folder_id=ids["Torre 2"], name="Torre 1")
    assert refused.value.extras["folder_id"] == ids["Torre 1"]


def test_renaming_and_moving_take_all_below_along(database: Database) -> None:
    ids = grow(database)
    with database.transaction() as tx:
        rename_folder(tx, folder_id=ids["Torre 1"], name="Matriz")
        move_folder(tx, folder_id=ids["Torre 1"], parent_id=ids["Norte"])
        move_folder(tx, folder_id=ids["Torre 2"], parent_id=None)
    assert tree_of(database) == ["Centro", "Norte", "Norte / Matriz", "Norte / Matriz / Setor A", "Torre 2"]


@pytest.mark.parametrize(
    ("moved", "to", "error"),
    [
        pytest.param("Centro", "Centro", InvalidInput, id="into-itself"),
        pytest.param("Centro", "Setor A", InvalidInput, id="below-itself"),
        pytest.param("Centro", "nowhere", NotFound, id="nowhere"),
        pytest.param("nowhere", "Centro", NotFound, id="nothing"),
    ],
)
def test_a_folder_never_hangs_below_itself(database: Database, moved: str, to: str, error: type[CatracaError]) -> None:
    ids = grow(database) | {"nowhere": 999}
    before = tree_of(database)
    with pytest.raises(error), database.transaction() as tx:
        move_folder(tx, folder_id=ids[moved], parent_id=ids[to])
    assert tree_of(database) == before


def test_a_move_onto_a_namesake_is_refused(database: Database) -> None:
    ids = grow(database)
    with database.transaction() as tx:
        add_folder(tx, name="Torre 1", parent_id=ids["Norte"])
    with pytest.raises(Conflict), database.transaction() as tx:
        move_folder(tx, folder_id=ids["Torre 1"], parent_id=ids["Norte"])


def test_only_an_empty_folder_is_deleted(database: Database) -> None:
    ids = grow(database)
    with database.transaction() as tx:
        add_subnet(tx, folder_id=ids["Setor A"], name="PPPoE", cidr="10.0.0.0/24")
    with pytest.raises(NotAllowed, match="folder Setor A"), database.transaction() as tx:
        delete_folder(tx, folder_id=ids["Torre 1"])
    with pytest.raises(NotAllowed, match=r"subnet PPPoE \(10.0.0.0/24\)"), database.transaction() as tx:
        delete_folder(tx, folder_id=ids["Setor A"])
    with database.transaction() as tx:
        delete_folder(tx, folder_id=ids["Norte"])
    assert "Norte" not in tree_of(database)
    with pytest.raises(NotFound), database.transaction() as tx:
        delete_folder(tx, folder_id=ids["Norte"])


def test_a_refusal_names_a_few_and_says_that_there_are_more(database: Database) -> None:
    ids = grow(database)
    with database.transaction() as tx:
        for number in range(7):
            add_folder(tx, name=f"Rua {number}", parent_id=ids["Norte"])
    with pytest.raises(NotAllowed, match="folder Rua 4 and 2 more"), database.transaction() as tx:
        delete_folder(tx, folder_id=ids["Norte"])


def test_of_racing_namesakes_one_is_made(database: Database) -> None:
    def attempt(_number: int) -> int:
        with database.transaction() as tx:
            return add_folder(tx, name="Centro").id

    outcomes = race(8, attempt)
    assert sum(isinstance(outcome, int) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 7


def test_two_folders_racing_below_each_other_make_no_circle(database: Database) -> None:
    with database.transaction() as tx:
        pair = [add_folder(tx, name=name).id for name in ("A", "B")]

    def attempt(number: int) -> int:
        with database.transaction() as tx:
            return move_folder(tx, folder_id=pair[number], parent_id=pair[1 - number]).id

    outcomes = race(2, attempt)
    assert sum(isinstance(outcome, InvalidInput) for outcome in outcomes) == 1
    assert len(tree_of(database)) == 2


def revision_of(database: Database) -> int:
    with database.reading() as tx:
        return tx.session.scalar(select(AddressPlan.revision)) or 0


def test_the_very_first_changes_race_for_the_lock_too(database: Database) -> None:
    with database.transaction() as tx:
        tx.session.execute(delete(AddressPlan))

    def attempt(_number: int) -> int:
        with database.transaction() as tx:
            return add_folder(tx, name="Centro").id

    outcomes = race(8, attempt)
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 7
    assert revision_of(database) == 1


def test_every_change_of_the_plan_is_counted(database: Database) -> None:
    before = revision_of(database)
    ids = grow(database)
    with database.transaction() as tx:
        add_subnet(tx, folder_id=ids["Norte"], name="PPPoE", cidr="10.0.0.0/24")
        rename_folder(tx, folder_id=ids["Norte"], name="Sul")
    assert revision_of(database) == before + 7


def test_the_tree_is_audited(database: Database) -> None:
    ids = grow(database)
    with database.transaction() as tx:
        rename_folder(tx, folder_id=ids["Norte"], name="Sul")
        rename_folder(tx, folder_id=ids["Norte"], name="Sul")
        move_folder(tx, folder_id=ids["Norte"], parent_id=ids["Centro"])
        delete_folder(tx, folder_id=ids["Norte"])
    with database.reading() as tx:
        mine = (AuditEntry.entity == "folder", AuditEntry.entity_id == str(ids["Norte"]))
        entries = tx.session.scalars(select(AuditEntry).where(*mine).order_by(AuditEntry.id)).all()
        assert [(entry.action, entry.before, entry.after) for entry in entries] == [
            ("add", None, {"name": "Norte", "parent_id": None}),
            ("rename", {"name": "Norte"}, {"name": "Sul"}),
            ("move", {"parent_id": None}, {"parent_id": ids["Centro"]}),
            ("delete", {"name": "Sul", "parent_id": ids["Centro"]}, None),
        ]
        assert tx.session.get(Folder, ids["Norte"]) is None
