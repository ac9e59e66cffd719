"""The rows of one menu: their order, their numbers, and what makes finding and printing thousands of them quick."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from lab.routeros.schema import MenuSpec
from lab.routeros.words import attribute

_ENCODINGS_KEPT = 4


class Row:
    """`number` is the `.id` without its star; `fields` holds what is set, as it is shown."""

    __slots__ = ("fields", "number")

    def __init__(self, number: int, fields: dict[str, bytes]) -> None:
        self.number = number
        self.fields = fields

    @property
    def id(self) -> bytes:
        return b"*%X" % self.number

    @property
    def dynamic(self) -> bool:
        return self.fields.get("dynamic") == b"true"


class Table:
    """Rows in the router's order. Numbers are never used twice."""

    def __init__(self, spec: MenuSpec) -> None:
        self.spec = spec
        self.rows: dict[int, Row] = {}
        self.by_number = True
        """Whether the order is that of the numbers, as it is until a row is moved or put in between."""
        self.defaults = {name: each.default for name, each in spec.fields.items() if each.default is not None}
        self._next = spec.first_number
        self._indexes: dict[str, dict[bytes, set[int]]] = {}
        self._encodings: dict[tuple[str, ...], dict[int, bytes]] = {}
        self._default_words = {name: attribute(name, value) for name, value in self.defaults.items()}

    def value(self, row: Row, name: str) -> bytes | None:
        """As it is shown; None: it is not."""
        if name == ".id":
            return row.id
        return row.fields.get(name, self.defaults.get(name))

    def shown(self, row: Row) -> dict[str, bytes]:
        """All that is shown, `.id` first."""
        found = ((name, self.value(row, name)) for name in self.spec.fields)
        return {".id": row.id} | {name: value for name, value in found if value is not None}

    def add(self, fields: Mapping[str, bytes], before: int | None = None, number: int | None = None) -> Row:
        if number is None:
            number, self._next = self._next, self._next + 1
        else:
            self.by_number = False
        row = Row(number, dict(fields))
        self.rows[number] = row
        if before is not None:
            self.move([number], before)
        self._enter(row, self._indexes)
        return row

    def change(self, row: Row, changes: Mapping[str, bytes | None]) -> None:
        """None unsets."""
        touched = [name for name in changes if name in self._indexes]
        self._leave(row, touched)
        for name, value in changes.items():
            if value is None:
                row.fields.pop(name, None)
            else:
                row.fields[name] = value
        self._enter(row, touched)
        self._forget(row.number)

    def remove(self, row: Row) -> None:
        self._leave(row, self._indexes)
        self._forget(row.number)
        del self.rows[row.number]

    def move(self, numbers: Collection[int], before: int | None) -> None:
        """Bring these, in the order given, in front of `before` (None or unknown: to the end)."""
        self.by_number = False
        moving = {number: self.rows.pop(number) for number in numbers}
        if before is None or before not in self.rows:
            self.rows.update(moving)
            return
        later: dict[int, Row] = {}
        found = False
        for number, row in self.rows.items():
            found = found or number == before
            if found:
                later[number] = row
        for number in later:
            del self.rows[number]
        self.rows.update(moving)
        self.rows.update(later)

    def after(self, number: int) -> int | None:
        """The number of the next row."""
        numbers = iter(self.rows)
        for each in numbers:
            if each == number:
                return next(numbers, None)
        return None

    def where(self, name: str, value: bytes) -> Collection[int]:
        """Numbers of the rows that show this value."""
        return self.index(name).get(value, frozenset())

    def chosen(self, numbers: Collection[int] | None) -> list[Row]:
        """The rows with these numbers (None: all), in their order."""
        if numbers is None:
            return list(self.rows.values())
        if self.by_number or len(numbers) <= 1:
            return [self.rows[number] for number in sorted(numbers)]
        return [row for number, row in self.rows.items() if number in numbers]

    def index(self, name: str) -> Mapping[bytes, set[int]]:
        """Value → numbers; made when first asked for, and kept."""
        if name not in self._indexes:
            self._indexes[name] = {}
            for row in self.rows.values():
                self._enter(row, (name,))
        return self._indexes[name]

    def encoded(self, rows: Iterable[Row], names: Collection[str] | None) -> list[bytes]:
        """Each row's attribute words as they go over the wire, of these properties only (None: of all)."""
        chosen = tuple(names) if names is not None else (".id", *self.spec.fields)
        known = self._encodings.get(chosen)
        if known is None:
            known = self._encodings[chosen] = {}
            while len(self._encodings) > _ENCODINGS_KEPT:
                del self._encodings[next(iter(self._encodings))]
        return [known.get(row.number) or self._encode(row, chosen, known) for row in rows]

    def _encode(self, row: Row, names: tuple[str, ...], known: dict[int, bytes]) -> bytes:
        fields, default = row.fields, self._default_words
        words = [
            attribute(name, row.id)
            if name == ".id"
            else attribute(name, fields[name])
            if name in fields
            else default.get(name, b"")
            for name in names
        ]
        known[row.number] = b"".join(words)
        return known[row.number]

    def _enter(self, row: Row, names: Iterable[str]) -> None:
        for name in names:
            value = self.value(row, name)
            if value is not None:
                self._indexes[name].setdefault(value, set()).add(row.number)

    def _leave(self, row: Row, names: Iterable[str]) -> None:
        for name in names:
            value = self.value(row, name)
            if value is not None:
                entered = self._indexes[name][value]
                entered.discard(row.number)
                if not entered:
                    del self._indexes[name][value]

    def _forget(self, number: int) -> None:
        for known in self._encodings.values():
            known.pop(number, None)
