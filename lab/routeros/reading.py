"""`print` and `getall`: what a menu shows."""

from __future__ import annotations

from lab.routeros.menus import SINGLE_MENUS
from lab.routeros.notation import shown_time
from lab.routeros.queries import matching
from lab.routeros.sentences import Answer, Asked
from lab.routeros.state import RouterState
from lab.routeros.table import Row, Table
from lab.routeros.traps import unknown_parameter

_EMPTY_SINCE = (7, 18, 0)
_TAKEN = frozenset({".proplist", "count-only", "detail", "stats", "without-paging", "terse", "brief", "value-list"})
_SECRET_WORDS = frozenset({"password"})


def show(state: RouterState, table: Table, asked: Asked, *, sensitive: bool) -> Answer:
    """The rows that the query chooses. Without the policy `sensitive` a user is not shown passwords."""
    if strange := asked.words.keys() - _TAKEN:
        raise unknown_parameter(min(strange))
    _freshen(state, table, asked)
    rows = table.chosen(matching(table, asked.query))
    if "count-only" in asked.words:
        return Answer(ret=str(len(rows)).encode())
    body = table.encoded(rows, _names(table, asked, sensitive))
    return Answer(rows=body, empty=not rows and state.version >= _EMPTY_SINCE)


def names_of(asked: Asked) -> list[str] | None:
    """The `.proplist`; None: all."""
    listed = asked.words.get(".proplist", b"").decode("latin-1")
    return [name for name in listed.split(",") if name] or None


def _names(table: Table, asked: Asked, sensitive: bool) -> list[str] | None:
    names = names_of(asked)
    single = table.spec.path in SINGLE_MENUS
    if sensitive and not single:
        return names
    hidden = (frozenset() if sensitive else _SECRET_WORDS) | ({".id"} if single else set())
    return [name for name in names or (".id", *table.spec.fields) if name not in hidden]


def _freshen(state: RouterState, table: Table, asked: Asked) -> None:
    """What moves by itself is set when somebody looks."""
    path = table.spec.path
    if path == "/ppp/active":
        if "uptime" not in (names_of(asked) or ["uptime"]) and not any(b"uptime" in word for word in asked.query):
            return
        for row in table.rows.values():
            table.change(row, {"uptime": shown_time(max(0, state.seconds_up() - _began(row))).encode()})
    elif path in ("/system/resource", "/system/clock"):
        now = state.local_now()
        date = f"{now:%Y-%m-%d}" if state.version >= (7, 10, 0) else f"{now:%b/%d/%Y}".lower()
        fresh = {"time": f"{now:%H:%M:%S}", "date": date, "uptime": shown_time(state.seconds_up())}
        for row in table.rows.values():
            table.change(row, {name: value.encode() for name, value in fresh.items() if name in table.spec.fields})


def _began(row: Row) -> int:
    """Seconds after the boot at which a session began; kept where nothing shows it."""
    return int(row.fields.get("began", b"0"))
