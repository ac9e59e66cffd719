"""The query machine: `?` words push answers on a stack, `?#` words combine them.

Source: MikroTik's documentation of the API, "Queries". A leaf's answer is the set of the rows' numbers for which it
holds, so that a query over thousands of rows costs what it finds.
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.routeros.notation import boolean
from lab.routeros.table import Table
from lab.routeros.traps import Refusal

_Answer = frozenset[int] | set[int]


def matching(table: Table, words: Sequence[bytes]) -> _Answer | None:
    """Numbers of the rows that the query words (`?…`) choose; None: all. What is left on the stack is taken as and."""
    if not words:
        return None
    stack: list[_Answer] = []
    for word in words:
        if word.startswith(b"?#"):
            _operate(stack, word[2:], table)
        else:
            stack.append(_leaf(table, word[1:]))
    chosen = stack.pop() if stack else frozenset(table.rows)
    for each in stack:
        chosen = chosen & each
    return chosen


def _leaf(table: Table, word: bytes) -> _Answer:
    """`name=x` or `=name=x`, `<name=x`, `>name=x`, `name` (is shown), `-name` (is not)."""
    sign, rest = (word[:1], word[1:]) if word[:1] in (b"=", b"<", b">", b"-") else (b"=", word)
    raw_name, equals, value = rest.partition(b"=")
    name = raw_name.decode("latin-1")
    if not equals:
        return _absent(table, name) if sign == b"-" else _present(table, name)
    value = _as_shown(table, name, value)
    if sign == b"=":
        return _equal(table, name, value)
    return _compared(table, name, value, less=sign == b"<")


def _as_shown(table: Table, name: str, value: bytes) -> bytes:
    """Yes and no are asked for, true and false are shown."""
    field = table.spec.fields.get(name)
    if field is not None and field.kind is boolean and value in (b"yes", b"no"):
        return b"true" if value == b"yes" else b"false"
    return value


def _equal(table: Table, name: str, value: bytes) -> _Answer:
    if name != ".id":
        return frozenset(table.where(name, value))
    number = number_of(value)
    return frozenset({number} if number in table.rows else ())


def number_of(text: bytes) -> int | None:
    """Of an `.id`, such as *1F."""
    try:
        return int(text[1:], 16) if text.startswith(b"*") else None
    except ValueError:
        return None


def _present(table: Table, name: str) -> _Answer:
    if name == ".id":
        return frozenset(table.rows)
    return set().union(*table.index(name).values())


def _absent(table: Table, name: str) -> _Answer:
    return table.rows.keys() - _present(table, name)


def _order(value: bytes) -> tuple[int, bytes]:
    """Numbers by size, before all words."""
    return (int(value), b"") if value.isdigit() else (1 << 80, value)


def _compared(table: Table, name: str, value: bytes, *, less: bool) -> _Answer:
    limit = _order(value)
    found: set[int] = set()
    for each, numbers in table.index(name).items():
        if _order(each) != limit and (_order(each) < limit) == less:
            found |= numbers
    return found


def _operate(stack: list[_Answer], operations: bytes, table: Table) -> None:
    """`!` not, `&` and, `|` or; an index followed by `.` pushes a copy, any other index becomes all of the stack."""
    digits = ""
    for place, letter in enumerate(operations.decode("latin-1")):
        if letter.isdigit():
            digits += letter
            last = place == len(operations) - 1
            if last or not (operations[place + 1 : place + 2] + b" ")[:1].isdigit():
                _pick(stack, int(digits), copy=operations[place + 1 : place + 2] == b".")
                digits = ""
        elif letter != ".":
            _combine(stack, letter, table)


def _pick(stack: list[_Answer], index: int, *, copy: bool) -> None:
    """Index 0 is the top of the stack."""
    if index >= len(stack):
        raise Refusal("query: stack index out of range")
    found = stack[-1 - index]
    if not copy:
        stack.clear()
    stack.append(found)


def _combine(stack: list[_Answer], letter: str, table: Table) -> None:
    needed = {"!": 1, "&": 2, "|": 2}.get(letter)
    if needed is None or len(stack) < needed:
        raise Refusal("query: bad operation" if needed is None else "query: stack is too small")
    top = stack.pop()
    if letter == "!":
        stack.append(table.rows.keys() - top)
    else:
        stack.append(stack.pop() & top if letter == "&" else stack.pop() | top)
