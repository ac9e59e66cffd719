"""What a router remembers: its menus' rows, its log, and how to take back the last writes (a power cut loses them)."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from lab.routeros.menus import menus_of
from lab.routeros.schema import Version
from lab.routeros.table import Row, Table
from lab.routeros.traps import Refusal

_REMEMBERED_WRITES = 2_000
_LOG_LINES = 1_000
_ZONE = timezone(timedelta(hours=-3))

Clock = Callable[[], datetime]
Listener = Callable[[str, Row, bool], None]
"""Is told a menu's path, the row that changed, and whether it is gone; under the state's lock."""


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Author:
    """Who gives a command: a user, by which way, from where."""

    name: str
    via: str = "api"
    address: str = "127.0.0.1"


class RouterState:
    """All access is under `lock`. `listeners` are told each change."""

    def __init__(self, version: Version, clock: Clock = utc_now, lacks: Collection[str] = ()) -> None:
        self.version = version
        self.lock = threading.RLock()
        self.specs = {path: spec for path, spec in menus_of(version).items() if not _is_in(path, lacks)}
        self.tables = {path: Table(spec) for path, spec in self.specs.items()}
        self.booted_at = clock()
        self.disk_full = False
        self.resolved: dict[tuple[str, int], Row] = {}
        """Path and number of a list's entry that is a name → the entry with its address."""
        self.listeners: list[Listener] = []
        self.quiet = False
        """Whether writes are left out of the log."""
        self.on_remove: dict[str, Callable[[Row], None]] = {}
        self._clock = clock
        self._undo: deque[Callable[[], object]] = deque(maxlen=_REMEMBERED_WRITES)
        self._actions = 0
        self._build()

    def _build(self) -> None:
        for path, spec in self.specs.items():
            for fields in spec.built_in:
                profile_end = fields.get("name") == b"default-encryption"
                number = 0xFFFFFFFE if profile_end else 0 if fields.get("name") in (b"default",) else None
                self.tables[path].add(fields, number=number)

    def has_name(self, path: str, name: bytes) -> bool:
        """Whether a row of that menu is called so."""
        table = self.tables.get(path)
        return table is not None and bool(table.where("name", name))

    # Writing, so that it can be taken back

    def add(
        self, table: Table, fields: Mapping[str, bytes], before: int | None = None, number: int | None = None
    ) -> Row:
        row = table.add(fields, before, number)
        if not row.dynamic:
            self._undo.append(lambda: table.remove(row))
        self._tell(table, row)
        return row

    def change(self, table: Table, row: Row, changes: Mapping[str, bytes | None]) -> None:
        was = {name: row.fields.get(name) for name in changes}
        table.change(row, changes)
        if not row.dynamic:
            self._undo.append(lambda: table.change(row, was))
        self._tell(table, row)

    def remove(self, table: Table, row: Row) -> None:
        if not row.dynamic:
            number, fields, after = row.number, row.fields, table.after(row.number)
            self._undo.append(lambda: table.add(fields, after, number))
        table.remove(row)
        self._tell(table, row, dead=True)

    def move(self, table: Table, numbers: list[int], before: int | None) -> None:
        order = list(table.rows)
        self._undo.append(lambda: table.move([each for each in order if each in table.rows], None))
        table.move(numbers, before)

    def forget_writes(self, count: int) -> None:
        """As if the last writes had never reached the disk."""
        for _ in range(min(count, len(self._undo))):
            self._undo.pop()()

    def check_disk(self) -> None:
        if self.disk_full:
            raise Refusal("failure: no space left on device")

    def _tell(self, table: Table, row: Row, *, dead: bool = False) -> None:
        for listener in self.listeners:
            listener(table.spec.path, row, dead)

    # Time and the log

    def local_now(self) -> datetime:
        return self._clock().astimezone(_ZONE)

    def stamp(self, at: datetime | None = None) -> bytes:
        """Date and time as this version shows them: "2026-11-22 07:00:01" since 7.10, else "nov/22/2026 07:00:01"."""
        moment = at or self.local_now()
        words = f"{moment:%Y-%m-%d %H:%M:%S}" if self.version >= (7, 10, 0) else f"{moment:%b/%d/%Y %H:%M:%S}".lower()
        return words.encode()

    def seconds_up(self) -> int:
        return int((self._clock() - self.booted_at).total_seconds())

    def note(self, topics: str, message: str) -> None:
        """A line of the log. Before 7.10 today's lines bear no date."""
        table = self.tables["/log"]
        moment = self.local_now()
        time = self.stamp(moment) if self.version >= (7, 10, 0) else f"{moment:%H:%M:%S}".encode()
        row = table.add({"time": time, "topics": topics.encode(), "message": message.encode()})
        if len(table.rows) > _LOG_LINES:
            table.remove(next(iter(table.rows.values())))
        self._tell(table, row)

    def note_write(self, table: Table, row: Row, done: str, author: Author, command: str) -> None:
        """What the log says of a write. `done`: added, changed, removed, moved. Since 7 it names the row."""
        if self.quiet:
            return
        self._actions += 1
        thing = table.spec.thing
        if self.version[0] < 7:
            self.note("system,info", f"{thing} {done} by {author.name}")
            return
        way = "winbox-3.41/tcp-msg(winbox)" if author.via == "winbox" else author.via
        by = f"{way}:{author.name}@{author.address}/action:{self._actions}"
        name = row.fields.get("name", b"").decode("utf-8", "replace")
        called = f" <{name}>" if name else ""
        self.note("system,info", f"{thing}{called} {done} by {by} ({command})")

    def clear_log(self) -> None:
        table = self.tables["/log"]
        for row in list(table.rows.values()):
            table.remove(row)


def _is_in(path: str, beginnings: Collection[str]) -> bool:
    return any(path == each or path.startswith(each.rstrip("/") + "/") for each in beginnings)
