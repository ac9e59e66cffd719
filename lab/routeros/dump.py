"""Looking at a router's rows from outside: as text, and the ones that are not ours as octets to compare."""

from __future__ import annotations

from lab.routeros.state import RouterState
from lab.routeros.table import Row, Table

_MARK = b"catraca:"


def readable(value: bytes) -> str:
    """UTF-8 where it is that, else latin-1."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def foreign_rows(state: RouterState) -> bytes:
    """Static rows without our mark, in their order, what moves by itself left out."""
    lines = [
        b"%b %b %b" % (path.encode(), row.id, _settings(table, row))
        for path, table in sorted(state.tables.items())
        if "add" in table.spec.verbs
        for row in table.rows.values()
        if not row.dynamic and not row.fields.get("comment", b"").startswith(_MARK)
    ]
    return b"\n".join(lines) + b"\n"


def _settings(table: Table, row: Row) -> bytes:
    fields = table.spec.fields
    kept = (name for name in sorted(row.fields) if name in fields and not fields[name].counter)
    return b" ".join(b"%b=%r" % (name.encode(), row.fields[name]) for name in kept)
