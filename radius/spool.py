"""The spool: accounting that is durable on this host but not yet in the database.

A NAS may be told "received" only when a power cut can no longer lose its record (RFC 2866 §2), and the database
may be slow, locked or gone. So records are appended to segment files, a whole batch is made durable by one `fdatasync`,
and only then acknowledged; `radius.drain` carries them into the database when it can.

A segment is a run of records, each `magic (2) + length (2) + CRC-32 (4) + payload`. The writer never appends to a
segment of an earlier life: it begins the next number, so a torn tail stays where the crash left it, and a position
`(segment, offset)` means the same record for ever. The reader takes what is whole. Where a record is damaged in
the middle of a finished segment it goes on at the next one that is whole.

One process writes (a lock says so), another one reads and deletes segments that are drained. The segment with the
highest number is never deleted, so numbers are not used again.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import struct
import uuid
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from radius.names import lasting_name, sync_directory

SEGMENT_BYTES = 16 << 20
LIMIT_BYTES = 4 << 30
"""About a day of interim updates of 50,000 sessions."""

_HEADER = struct.Struct(">2sHL")
_MAGIC = b"\xca\x7a"
_SPOOL = re.compile(r"spool(-[a-z0-9]+)?")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
MAX_PAYLOAD = 0xFFFF


class SpoolUnavailable(Exception):
    """Nothing was made durable, so nothing may be acknowledged."""


class SpoolFull(SpoolUnavailable):
    """The disk, a quota or the spool's own bound has no room left."""


class SpoolBusy(SpoolUnavailable):
    """Another process writes this spool."""


class Position(NamedTuple):
    """A place in the spool; positions order as the records do."""

    segment: int
    offset: int


START = Position(0, 0)


class SpoolWriter:
    """Appends batches. One per spool: SpoolBusy when another process has it, SpoolUnavailable when it cannot open."""

    def __init__(self, directory: Path, *, segment_bytes: int = SEGMENT_BYTES, limit_bytes: int = LIMIT_BYTES) -> None:
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._limit_bytes = limit_bytes
        self._file: int | None = None
        self._size = 0
        self._others = 0
        self._lock = _lock(directory)

    def append(self, payloads: Sequence[bytes]) -> None:
        """Make all of them durable, or raise SpoolUnavailable (SpoolFull when there is no room).

        After a failure the segment is never written again: the reader may have seen what was taken back, and what a
        failed sync leaves in the page cache may never reach the disk (fsync(2)).
        """
        data = _frames(payloads)
        self._check_bound(len(data))
        try:
            if self._file is None or (self._size and self._size + len(data) > self._segment_bytes):
                self._begin_segment()
            assert self._file is not None  # noqa: S101
            _write_all(self._file, data)
            os.fdatasync(self._file)
        except OSError as error:
            self._give_room_back()
            self._end_segment()
            raise _failure(error) from error
        self._size += len(data)

    @property
    def octets(self) -> int:
        """How many the segments hold, those of this writer counted exactly and others as they were last seen."""
        return self._others + self._size

    def close(self) -> None:
        """End the segment and set the spool free."""
        self._end_segment()
        os.close(self._lock)

    def _check_bound(self, more: int) -> None:
        if self._others + self._size + more > self._limit_bytes:
            self._others = _bytes_in(self._directory) - self._size  # the reader may have deleted since
            if self._others + self._size + more > self._limit_bytes:
                raise SpoolFull(f"the accounting spool holds {self._others + self._size} bytes, its bound")

    def _begin_segment(self) -> None:
        self._end_segment()
        last = max(segments(self._directory), default=0)
        path = segment_path(self._directory, last + 1)
        self._others = _bytes_in(self._directory)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        sync_directory(self._directory)
        previous = segment_path(self._directory, last)
        with suppress(FileNotFoundError):
            if not previous.stat().st_size:
                previous.unlink()

    def _give_room_back(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                os.ftruncate(self._file, self._size)

    def _end_segment(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
            self._file, self._size = None, 0


class SpoolReader:
    """Reads what the writer has written, in another process if need be, and deletes what is drained."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self, position: Position, limit_bytes: int = 1 << 20) -> tuple[list[bytes], Position]:
        """Whole records from `position` on, about `limit_bytes` of them, and the position after them.

        An empty list and the same position: there is nothing more for now. Segments that are gone are skipped.
        """
        numbers = segments(self._directory)  # listed first: a segment with a successor is finished
        for number in (each for each in numbers if each >= position.segment):
            start = position.offset if number == position.segment else 0
            payloads, end = self._read_segment(number, start, limit_bytes, finished=number != numbers[-1])
            if payloads or number == numbers[-1]:
                return payloads, Position(number, end)
        return [], position

    def drop_before(self, position: Position) -> None:
        """Delete the segments that are drained when everything before `position` is."""
        for number in segments(self._directory)[:-1]:
            if number < position.segment:
                segment_path(self._directory, number).unlink(missing_ok=True)

    def _read_segment(self, number: int, start: int, limit: int, *, finished: bool) -> tuple[list[bytes], int]:
        try:
            with segment_path(self._directory, number).open("rb") as file:
                file.seek(start)
                data = file.read(limit + _HEADER.size + MAX_PAYLOAD)
        except FileNotFoundError:
            return [], start
        payloads: list[bytes] = []
        at = 0
        for payload, end in _records(data, skip_damage=finished):
            payloads.append(payload)
            at = end
            if at >= limit:
                break
        if finished and not payloads and len(data) > limit:
            return self._read_segment(number, start + limit, limit, finished=True)
        return payloads, start + at


def spool_name(directory: Path) -> str:
    """The random name of this spool, made at its first use; a new spool in an old place has another one."""
    return lasting_name(directory / "name", uuid.uuid4().hex)


def spool_of(first: Path, number: int) -> Path:
    """The spool of the accounting worker of this number, from 1 on; `first` is that of the first one."""
    return first if number == 1 else first.with_name(f"{first.name}-{number}")


def spools_in(directory: Path) -> list[Path]:
    """The spools below `directory` (`<data_dir>/radius`), each to be drained: `spool`, `spool-2`, `spool-radsec`, …

    Those of workers that run no more are among them: what was acknowledged must reach the database all the same.
    """
    return sorted(path for path in directory.glob("spool*") if _SPOOL.fullmatch(path.name) and path.is_dir())


def segments(directory: Path) -> list[int]:
    """Numbers of the segments, in order."""
    return sorted(int(path.stem) for path in directory.glob("*.seg"))


def segment_path(directory: Path, number: int) -> Path:
    return directory / f"{number:012d}.seg"


def _frames(payloads: Sequence[bytes]) -> bytes:
    pack, crc32 = _HEADER.pack, zlib.crc32
    pieces = [piece for payload in payloads for piece in (pack(_MAGIC, len(payload), crc32(payload)), payload)]
    return b"".join(pieces)


def _records(data: bytes, *, skip_damage: bool) -> Iterator[tuple[bytes, int]]:
    """(payload, offset after it) of whole records; at a damaged one end, or look for the next whole one."""
    at = 0
    while at + _HEADER.size <= len(data):
        magic, length, crc = _HEADER.unpack_from(data, at)
        end = at + _HEADER.size + length
        payload = data[at + _HEADER.size : end]
        if magic == _MAGIC and end <= len(data) and zlib.crc32(payload) == crc:
            yield payload, end
            at = end
            continue
        at = data.find(_MAGIC, at + 1)
        if not skip_damage or at < 0:
            return


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _failure(error: OSError) -> SpoolUnavailable:
    kind = SpoolFull if error.errno in _FULL else SpoolUnavailable
    return kind(f"accounting spool: {error.strerror or error}")


def _bytes_in(directory: Path) -> int:
    total = 0
    for path in directory.glob("*.seg"):
        with suppress(FileNotFoundError):  # the reader deletes
            total += path.stat().st_size
    return total


def _lock(directory: Path) -> int:
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _failure(error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise SpoolBusy(f"another process writes the accounting spool in {directory}") from error
    return lock
