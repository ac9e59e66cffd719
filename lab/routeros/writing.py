"""The commands that change rows: add, set, remove, unset, enable, disable, comment, move."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from lab.routeros import dhcp
from lab.routeros.own_rows import is_counter_rule, keep_own_rows
from lab.routeros.queries import number_of
from lab.routeros.schema import Unique
from lab.routeros.sentences import Answer, Asked
from lab.routeros.state import Author, RouterState
from lab.routeros.table import Row, Table
from lab.routeros.traps import Refusal, failure, invalid_value, no_such_item, unknown_parameter

_ITEM_WORDS = frozenset({".id", "numbers"})


def add(state: RouterState, table: Table, asked: Asked, author: Author) -> Answer:
    words = dict(asked.words)
    before = _place(table, words.pop("place-before", None))
    given = _values(state, table, words)
    fields = {name: value for name, value in given.items() if value is not None}
    _require(table, fields)
    if "name" in table.spec.fields and "name" not in fields:
        fields["name"] = _free_name(table)
    _check_unique(table, fields, None)
    state.check_disk()
    row = state.add(table, _born(state, table, fields), before)
    keep_own_rows(state, table, [row])
    state.note_write(table, row, "added", author, _told(asked, row.id))
    return Answer(ret=row.id)


def set_(state: RouterState, table: Table, asked: Asked, author: Author) -> Answer:
    rows = _items(table, asked.words)
    words = {name: value for name, value in asked.words.items() if name not in _ITEM_WORDS}
    return _change(state, table, rows, _values(state, table, words), asked, author)


def unset(state: RouterState, table: Table, asked: Asked, author: Author) -> Answer:
    name = asked.words.get("value-name", b"").decode("latin-1")
    _writable(table, name)
    if name in table.spec.required:
        raise invalid_value("value-name")
    return _change(state, table, _items(table, asked.words), {name: None}, asked, author)


def enable(state: RouterState, table: Table, asked: Asked, author: Author) -> Answer:
    return _change(state, table, _items(table, asked.words), {"disabled": b"false"}, asked, author)


def disable(state: RouterState, table: Table, asked: Asked, author: Author) -> Answer:
    return _change(state, table, _items(table, asked.words), {"disabled": b"true"}, asked, author)


def comment(state: RouterState, table: Table, asked: Asked, author: Author) -> Answer:
    said = asked.words.get("comment") or None
    return _change(state, table, _items(table, asked.words), {"comment": said}, asked, author)


def remove(state: RouterState, table: Table, asked: Asked, author: Author) -> Answer:
    rows = _items(table, asked.words)
    hook = state.on_remove.get(table.spec.path)
    for row in rows:
        if row.fields.get("name", b"").decode("latin-1") in table.spec.kept or is_counter_rule(row):
            raise failure("can not remove builtin")
        if row.dynamic and table.spec.path == "/queue/simple":
            raise failure("can not remove dynamic simple queue")
    state.check_disk()
    for row in rows:
        if hook is not None:
            hook(row)
            continue
        state.remove(table, row)
        _follow(state, table, row.fields.get("name"), row.id)
        if "add" in table.spec.verbs:  # else it is of the router's own making, such as a connection
            state.note_write(table, row, "removed", author, _told(asked, row.id))
    keep_own_rows(state, table, rows)
    return Answer()


def make_static(state: RouterState, table: Table, asked: Asked, author: Author) -> Answer:
    for row in _items(table, asked.words):
        dhcp.make_static(state, table, row)
        state.note_write(table, row, "changed", author, _told(asked, row.id))
    return Answer()


def move(state: RouterState, table: Table, asked: Asked, author: Author) -> Answer:
    """An unknown destination is the end, as routers have it."""
    rows = _items(table, asked.words)
    before = _number(table, asked.words.get("destination", b""))
    if any(is_counter_rule(row) for row in rows) or (before in table.rows and is_counter_rule(table.rows[before])):
        raise failure("cannot move builtin")
    if any(row.number == before for row in rows):
        raise failure("can not move object before itself")
    state.check_disk()
    state.move(table, [row.number for row in rows], before)
    state.note_write(table, rows[0], "moved", author, _told(asked, rows[0].id))
    return Answer()


WRITES: Mapping[str, Callable[[RouterState, Table, Asked, Author], Answer]] = {
    "add": add,
    "set": set_,
    "unset": unset,
    "enable": enable,
    "disable": disable,
    "comment": comment,
    "remove": remove,
    "move": move,
    "make-static": make_static,
}


def _change(
    state: RouterState,
    table: Table,
    rows: list[Row],
    changes: Mapping[str, bytes | None],
    asked: Asked,
    author: Author,
) -> Answer:
    """Each row in turn; a row that is refused leaves those before it changed, as routers do."""
    state.check_disk()
    for row in rows:
        if row.dynamic:
            raise failure("can not change dynamic item")
        after = {**row.fields, **changes}
        _check_unique(table, {name: value for name, value in after.items() if value is not None}, row)
        old_name, new_name = row.fields.get("name"), changes.get("name")
        state.change(table, row, {**changes, **_derived(table, changes)})
        if new_name is not None and new_name != old_name:
            _follow(state, table, old_name, new_name)
        state.note_write(table, row, "changed", author, _told(asked, row.id))
    keep_own_rows(state, table, rows)
    return Answer()


def _items(table: Table, words: Mapping[str, bytes]) -> list[Row]:
    """The rows that `.id` or `numbers` name, all or none: by `.id`, or by name where rows have one."""
    listed = words.get(".id", words.get("numbers"))
    if listed is None:
        if table.spec.verbs.isdisjoint({"add", "remove", "enable"}):
            return list(table.rows.values())  # a menu of one row
        raise Refusal("missing =.id=")
    return [_item(table, each) for each in listed.split(b",") if each]


def _item(table: Table, word: bytes) -> Row:
    number = _number(table, word)
    if number is None or number not in table.rows:
        raise no_such_item()
    return table.rows[number]


def _number(table: Table, word: bytes) -> int | None:
    """Of a row that is named by its `.id`, by its name, or by its place from 0: a bare number is no `.id`."""
    if word.startswith(b"*"):
        return number_of(word)
    if "name" in table.spec.fields and (named := table.where("name", word)):
        return next(iter(named))
    return next(islice(table.rows, int(word), None), None) if word.isdigit() else None


def _place(table: Table, word: bytes | None) -> int | None:
    if word is None:
        return None
    if "move" not in table.spec.verbs:
        raise unknown_parameter("place-before")
    row = _item(table, word)
    if is_counter_rule(row):
        raise failure("cannot move builtin")
    return row.number


def _writable(table: Table, name: str) -> None:
    field = table.spec.fields.get(name)
    if field is None or field.read_only:
        raise unknown_parameter(name)


def _values(state: RouterState, table: Table, words: Mapping[str, bytes]) -> dict[str, bytes | None]:
    """As they are kept; None where a value unsets: `!name`, or an empty value where emptiness is none."""
    values: dict[str, bytes | None] = {}
    for word, value in words.items():
        name = word.removeprefix("!")
        _writable(table, name)
        field = table.spec.fields[name]
        kept = b"" if word != name else field.kind(name, value, state.has_name)
        unsets = word != name or (not kept and not field.bare) or (name == "server" and kept == b"all")
        if unsets and name in table.spec.required:
            raise invalid_value(name)
        values[name] = None if unsets else kept
    return values


def _require(table: Table, fields: Mapping[str, bytes]) -> None:
    for name in table.spec.required:
        if name not in fields:
            raise Refusal(f"missing ={name}=")


def _free_name(table: Table) -> bytes:
    stem = table.spec.path.split("/")[1 if table.spec.path.startswith("/queue") else -1]
    return next(name for count in range(1, 1 << 30) if not table.where("name", name := f"{stem}{count}".encode()))


def _born(state: RouterState, table: Table, fields: dict[str, bytes]) -> dict[str, bytes]:
    """With what the router itself writes on a new row."""
    if "creation-time" in table.spec.fields:
        fields["creation-time"] = state.stamp()
        if "timeout" in fields:
            fields["dynamic"] = b"true"
    if table.spec.path == "/ip/route":
        fields["static"] = b"true"
    return fields | {name: value for name, value in _derived(table, fields).items() if value is not None}


def _derived(table: Table, changes: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """Flags that follow other fields."""
    if table.spec.path == "/ip/hotspot/ip-binding" and "type" in changes:
        kind = changes["type"]
        return {word: b"true" if kind == word.encode() else None for word in ("bypassed", "blocked")}
    if table.spec.path == "/ip/route" and "disabled" in changes:
        return {"active": b"false" if changes["disabled"] == b"true" else None}
    return {}


def _check_unique(table: Table, fields: Mapping[str, bytes], row: Row | None) -> None:
    for unique in table.spec.unique:
        if unique.enabled_only and fields.get("disabled") == b"true":
            continue
        if any(other != row for other in _clashing(table, unique, fields)):
            raise failure(unique.words)


def _clashing(table: Table, unique: Unique, fields: Mapping[str, bytes]) -> Iterable[Row]:
    *others, last = unique.fields
    value = fields.get(last)
    if value is None:
        return
    for number in table.where(last, value):
        row = table.rows[number]
        if unique.enabled_only and row.fields.get("disabled") == b"true":
            continue
        if all(_alike(name, row.fields.get(name), fields.get(name)) for name in others):
            yield row


def _alike(name: str, one: bytes | None, other: bytes | None) -> bool:
    """No server stands for all of them."""
    return one == other or (name == "server" and None in (one, other))


def _follow(state: RouterState, table: Table, old: bytes | None, new: bytes) -> None:
    """Rows that name this one show its new name, or its `.id` when it is gone."""
    if old is None or table.where("name", old):
        return
    for path, field in table.spec.references:
        if (other := state.tables.get(path)) is None:
            continue
        for number in list(other.where(field, old)):
            state.change(other, other.rows[number], {field: new})


def _told(asked: Asked, row_id: bytes) -> str:
    """The command as RouterOS 7 puts it into its log; passwords are not told."""
    words = " ".join(
        f"{name}={'*****' if name == 'password' else value.decode('utf-8', 'replace')}"
        for name, value in asked.words.items()
        if name not in _ITEM_WORDS
    )
    head = "/" + asked.path.strip("/").replace("/", " ")
    return " ".join(part for part in (head, asked.verb, row_id.decode(), words) if part)
