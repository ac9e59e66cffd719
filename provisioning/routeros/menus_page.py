"""`docs/routeros.md`, written from the tables of menus and releases. Pure."""

from __future__ import annotations

from provisioning.routeros.menus import MENUS, Column, MenuTable
from provisioning.routeros.rows import Menu
from provisioning.routeros.versions import DIFFERENCES, Difference

_HEAD = """\
# What is ours on a RouterOS router

This page is written from the tables that the plan compares by (`provisioning/routeros/menus.py` and `versions.py`).

A row is ours when the first word of its comment is our mark, `catraca:` and a key; what people write behind it stays.
In a row of ours only the fields below are ours. Everything else that can be set in that menu (bursts, priorities and
parents of queues, DNS servers of profiles, options of leases) belongs to the people at the router and is left alone.
A row without our mark is never touched.

- **default**: what a field is where the router shows none; it is not sent for a new row.
- **cleared by**: what takes a value away again.
- **once**: written when the row is added, and theirs from then on.
- **unique by**: no two rows of the menu may have the same; where somebody else's row has it, ours waits and says so.
"""
_CONNECTIONS = """\
## `/ip/firewall/connection`

Only looked at: `src-address`, when somebody has just come into the list of who is suspended or paused, unless the
router's `cut_connections` is off. The connections that these addresses opened are removed, and no others.

"""
_RELEASES = """\
## Releases

| what | releases | meaning |
|---|---|---|
"""


def menus_page() -> str:
    """The whole page."""
    sections = "\n".join(_section(menu, table) for menu, table in MENUS.items())
    releases = "".join(_release(name, difference) for name, difference in DIFFERENCES.items())
    return f"{_HEAD}\n{sections}\n{_CONNECTIONS}{_RELEASES}{releases}"


def _section(menu: Menu, table: MenuTable) -> str:
    if not table.columns:
        looked_at = ", ".join(f"`{column.name}`" for column in table.looked_at)
        return f"## `{menu}`\n\nOnly looked at: {looked_at}.\n"
    unique = " or ".join(" and ".join(f"`{name}`" for name in names) for names in table.naturals)
    facts = [f"Unique by {unique}."] if unique else []
    facts += ["The order of its rows counts."] if table.ordered else []
    words = " ".join(facts) + "\n\n" if facts else ""
    rows = "".join(_row(column) for column in table.columns)
    return f"## `{menu}`\n\n{words}| field | default | cleared by |\n|---|---|---|\n{rows}"


def _row(column: Column) -> str:
    default = f"`{column.default}`" if column.default else ""
    cleared = "once" if column.once else "" if column.default else "`unset`" if column.unset else "an empty value"
    return f"| `{column.name}` | {default} | {cleared} |\n"


def _release(name: str, difference: Difference) -> str:
    since = f"from {difference.since}" if difference.since else ""
    until = f"before {difference.until}" if difference.until else ""
    return f"| `{name}` | {' '.join(part for part in (since, until) if part)} | {difference.words} |\n"
