"""The words that carry out the steps of a stage. Pure; the last place before the wire.

Alike changes and removals go as one sentence for up to 50 rows. Whatever would be for nobody or for everybody raises
`TooWide` here, whoever planned it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from provisioning.routeros.connection import Command, RouterVersion
from provisioning.routeros.mark import comment_of
from provisioning.routeros.menus import MENUS, columns_of
from provisioning.routeros.notation import too_wide
from provisioning.routeros.rows import Add, Change, DesiredRow, EndSession, Menu, Move, Remove, Step

BATCH = 50
_ADDRESSES = frozenset({"target", "address", "src-address", "dst-address"})
_ACTIVE_REMOVE = f"{Menu.PPP_ACTIVE}/remove"


class TooWide(ValueError):
    """A row would be for nobody or for everybody. A defect of ours: nothing of the stage may be sent."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A sentence and the steps that it is for; a step may take several sentences."""

    command: Command
    steps: tuple[Step, ...]


@dataclass(slots=True)
class _Alike:
    """Steps of which each takes the same words for another row."""

    ids: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)


def commands(stage: Sequence[Step], version: RouterVersion) -> list[Sent]:
    """The sentences of a stage, in the order of its steps; alike ones stand at the place of their first."""
    alike: dict[tuple[object, ...], _Alike] = defaultdict(_Alike)
    for number, step in enumerate(stage):
        for path, words, row_id in _sentences(step, version):
            single = () if row_id else (number,)
            group = alike[path, tuple(words.items()), *single]
            group.ids.append(row_id)
            group.steps.append(step)
    return [sent for key, group in alike.items() for sent in _sent(str(key[0]), dict(key[1]), group)]  # type: ignore[call-overload]


def _sent(path: str, words: Mapping[str, str], group: _Alike) -> Iterator[Sent]:
    for first in range(0, len(group.ids), BATCH):
        ids = ",".join(group.ids[first : first + BATCH])
        named = {".id": ids, **words} if ids else dict(words)
        yield Sent(Command(path, named), tuple(group.steps[first : first + BATCH]))


def _sentences(step: Step, version: RouterVersion) -> Iterator[tuple[str, Mapping[str, str], str]]:
    """Path, words and the `.id` that the sentence is for; "" for one that cannot be joined with others."""
    match step:
        case Add():
            yield f"{step.row.menu}/add", _addition(step, version), ""
        case Change():
            yield from _change(step, version)
        case Move():
            destination = {"destination": _id(step.before)} if step.before else {}
            yield f"{step.row.menu}/move", {"numbers": _id(step.id), **destination}, ""
        case Remove():
            yield f"{step.row.menu}/remove", {}, _id(step.row.id)
        case EndSession():
            yield _ACTIVE_REMOVE, {}, _id(step.id)


def _addition(step: Add, version: RouterVersion) -> dict[str, str]:
    """What the row has that is no default, its mark, and where it goes."""
    row = step.row
    _check(row, row.fields)
    fields = {
        column.name: row.fields[column.name]
        for column in columns_of(row.menu, version)
        if row.fields.get(column.name, "") not in ("", column.default)
    }
    place = {"place-before": _id(step.before)} if step.before else {}
    return {**fields, "comment": comment_of(row.key), **place}


def _change(step: Change, version: RouterVersion) -> Iterator[tuple[str, Mapping[str, str], str]]:
    _check(step.row, {**step.row.fields, **step.fields})
    columns = {column.name: column for column in columns_of(step.row.menu, version)}
    unset = [name for name, value in step.fields.items() if not value and name in columns and columns[name].unset]
    known = {name: value for name, value in step.fields.items() if name in columns or name == "comment"}
    if fields := {name: value for name, value in known.items() if name not in unset}:
        yield f"{step.row.menu}/set", fields, _id(step.id)
    for name in unset:
        yield f"{step.row.menu}/unset", {"value-name": name}, _id(step.id)


def _check(row: DesiredRow, fields: Mapping[str, str]) -> None:
    named = {name: fields.get(name, "") for name in MENUS[row.menu].targets}
    if not any(named.values()) or any(too_wide(named[name]) for name in named.keys() & _ADDRESSES if named[name]):
        raise TooWide(f"{row.menu} {row.key}: a target of nobody or of everybody is never written")


def _id(row_id: str) -> str:
    """An `.id` as RouterOS gives it; anything else could mean other rows than meant."""
    if not row_id.startswith("*") or "," in row_id:
        raise TooWide(f"{row_id!r} is no row's .id")
    return row_id
