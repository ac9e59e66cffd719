"""The migration makes what the models describe, constraints and indexes by name."""

from __future__ import annotations

import pytest
from sqlalchemy import CheckConstraint, Constraint, Index, Table, UniqueConstraint, inspect
from sqlalchemy.engine import Inspector

import ipam.models  # noqa: F401  (fills the metadata)
from core.database import Database
from core.tables import Base

TABLES = ["address_plan", "folder", "subnet", "reserved_range", "given_address", "address_tenure"]


def in_the_model(table: Table) -> dict[str, set[str]]:
    def names(kind: type[Constraint | Index]) -> set[str]:
        return {str(it.name) for it in [*table.constraints, *table.indexes] if isinstance(it, kind)}

    return {
        "columns": {f"{column.name}{'?' if column.nullable else ''}" for column in table.columns},
        "checks": names(CheckConstraint),
        "unique": names(UniqueConstraint),
        "indexes": names(Index),
        "foreign keys": {str(key.parent.name) + "→" + key.target_fullname for key in table.foreign_keys},
    }


def in_the_database(found: Inspector, table: str) -> dict[str, set[str]]:
    unique = {str(it["name"]) for it in found.get_unique_constraints(table)}
    return {
        "columns": {f"{column['name']}{'?' if column['nullable'] else ''}" for column in found.get_columns(table)},
        "checks": {str(it["name"]) for it in found.get_check_constraints(table)},
        "unique": unique,
        "indexes": {str(it["name"]) for it in found.get_indexes(table)} - unique,  # PostgreSQL lists those here too
        "foreign keys": {
            f"{key['constrained_columns'][0]}→{key['referred_table']}.{key['referred_columns'][0]}"
            for key in found.get_foreign_keys(table)
        },
    }


@pytest.mark.parametrize("table", TABLES)
def test_the_migration_makes_the_models(database: Database, table: str) -> None:
    model = Base.metadata.tables[table]
    assert in_the_database(inspect(database.engine), table) == in_the_model(model)
