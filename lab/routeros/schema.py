"""What a menu is: its fields, what is unique in it, and what can be done there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lab.routeros.notation import Kind, boolean, text

Version = tuple[int, int, int]
OLDEST, NEWEST = (0, 0, 0), (99, 0, 0)

RULES = frozenset(
    {"print", "getall", "listen", "add", "set", "remove", "unset", "enable", "disable", "comment", "move"}
)
ROWS = RULES - {"move"}
NAMED = ROWS - {"enable", "disable"}
SINGLE = frozenset({"print", "getall", "set"})
READ = frozenset({"print", "getall", "listen"})


@dataclass(frozen=True, slots=True)
class Field:
    """One property. `default` is shown while nothing is set (None: nothing is shown then).

    `read_only`: the router's own; `counter`: and it moves by itself. `since`/`until`: the versions that have it.
    `bare`: an empty value is kept and shown, not taken as unset.
    """

    kind: Kind = text
    default: bytes | None = None
    read_only: bool = False
    counter: bool = False
    since: Version = OLDEST
    until: Version = NEWEST
    bare: bool = False
    before_7: bytes | None = None
    """What versions before 7 show while nothing is set."""
    refers: str = ""
    """The menu whose names it holds: it follows a renaming, and shows the `.id` when the row is gone."""


@dataclass(frozen=True, slots=True)
class Unique:
    """No two rows have the same values of these fields. `enabled_only`: a disabled row stands in nobody's way."""

    fields: tuple[str, ...]
    words: str
    enabled_only: bool = False


@dataclass(frozen=True, slots=True)
class MenuSpec:
    """A menu of the router. `thing` is what its log calls a row; `required` must be given to `add`."""

    path: str
    thing: str
    fields: Mapping[str, Field]
    required: tuple[str, ...] = ()
    unique: tuple[Unique, ...] = ()
    verbs: frozenset[str] = ROWS
    first_number: int = 1
    built_in: tuple[Mapping[str, bytes], ...] = ()
    """Rows that every router has."""
    kept: frozenset[str] = frozenset()
    """Names of rows that cannot be removed."""
    references: tuple[tuple[str, str], ...] = ()
    """(path, field) of the rows elsewhere that name rows of this menu; filled in by `menus.menus_of`."""

    def of(self, version: Version) -> MenuSpec:
        """With the fields that this version has."""
        has = {name: each for name, each in self.fields.items() if each.since <= version < each.until}
        if version < (7, 0, 0):
            has = {name: replace(each, default=each.before_7 or each.default) for name, each in has.items()}
        return replace(self, fields=has)


COMMENT = Field()
DISABLED = Field(boolean, b"false")
DISABLED_IF_SAID = Field(boolean, before_7=b"false")
DYNAMIC = Field(boolean, b"false", read_only=True)
INVALID = Field(boolean, b"false", read_only=True)
