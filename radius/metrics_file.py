"""The file through which a process shows its numbers to whoever asks, in place: it never grows after it was made.

A full disk is what has to be told most urgently, so telling it must need no room: the file has its whole size from the
beginning, and is written over. It holds two slots, each with a serial number and a CRC-32; a writer that is killed
half-way spoils the older one of the two, and the reader takes the newest that is whole. No lock, no fsync: after a
power cut there is nothing in it that anybody would miss.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

SLOT_BYTES = 128 << 10
_HEADER = struct.Struct(">QLL")
"""Serial number, octets of content, CRC-32 of serial number and content."""
LARGEST = SLOT_BYTES - _HEADER.size


class MetricsFile:
    """The writing end; one process writes. OSError when the file cannot be made or opened."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(self._file).st_size < 2 * SLOT_BYTES:
                os.pwrite(self._file, bytes(2 * SLOT_BYTES), 0)
            newest = _newest(os.pread(self._file, 2 * SLOT_BYTES, 0))
        except OSError:
            os.close(self._file)
            raise
        self._serial, self.content = newest
        """What a former life wrote last; b"" when there is nothing."""

    def write(self, content: bytes) -> None:
        """Replace the content. ValueError when it is over LARGEST, OSError when it cannot be written."""
        if len(content) > LARGEST:
            raise ValueError(f"{len(content)} octets of numbers, at most {LARGEST}")
        serial = self._serial + 1
        data = _HEADER.pack(serial, len(content), _check(serial, content)) + content
        os.pwrite(self._file, data, serial % 2 * SLOT_BYTES)
        self._serial = serial

    def close(self) -> None:
        os.close(self._file)


def read_metrics_file(path: Path) -> bytes:
    """What was written last; b"" when there is nothing whole. OSError when the file cannot be read."""
    with path.open("rb") as file:
        return _newest(file.read(2 * SLOT_BYTES))[1]


def _newest(data: bytes) -> tuple[int, bytes]:
    return max(_slot(data[:SLOT_BYTES]), _slot(data[SLOT_BYTES:]))


def _slot(data: bytes) -> tuple[int, bytes]:
    if len(data) < _HEADER.size:
        return 0, b""
    serial, size, crc = _HEADER.unpack_from(data)
    content = data[_HEADER.size : _HEADER.size + size]
    return (serial, content) if serial and crc == _check(serial, content) else (0, b"")


def _check(serial: int, content: bytes) -> int:
    return zlib.crc32(content, serial & 0xFFFFFFFF)
