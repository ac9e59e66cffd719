"""Many datagrams with one system call: recvmmsg(2) and sendmmsg(2), which Python's `socket` does not have.

A call into the kernel, and the interpreter's work around it, cost more than most of what an answer needs; for 64
datagrams at once they cost a third less by the datagram. This module is the C side: memory that the kernel fills or
reads, laid out once, and the two calls. What the octets mean is `radius.endpoint`'s.

Nothing in a datagram's way touches a ctypes object. The memory is anonymous maps, whose slices are `bytes` at once;
lengths go through memoryviews with a stride. Beside its data each message has a *label*: its control messages and then
the peer's address, next to each other so that one unpacking cuts out both.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
from array import array
from collections.abc import Callable, Sequence
from functools import cache
from itertools import accumulate
from struct import Struct
from typing import Any, Literal

SLOTS = 64
"""Messages to a call. More gain nothing: what the call itself costs is by then a hundredth of an answer."""
SLOT_BYTES = 4096
"""Of a longer datagram the rest is dropped, as by recvfrom(2)."""
_STRIDE = SLOT_BYTES + 64
"""Not a whole page, or all slots would compete for the same lines of the cache."""
_SO_TIMESTAMPNS = 35
_STAMP = Struct("@Niill")
"""Control message of SO_TIMESTAMPNS: length, level, type; seconds and nanoseconds since the epoch."""


class _Vector(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_size_t), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """struct msghdr as the kernel has it. (A libc may declare halves and padding; the octets are the same.)"""

    _fields_ = (
        ("name", ctypes.c_size_t),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.c_size_t),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_size_t),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = (("header", _Header), ("length", ctypes.c_uint32))


_WORD = ctypes.sizeof(ctypes.c_size_t)
_WORDS: Literal["I", "Q"] = "Q" if _WORD == 8 else "I"
_VECTOR, _MESSAGE = ctypes.sizeof(_Vector), ctypes.sizeof(_Message)


class _Slots:
    """Memory for SLOTS messages, each with data and a label of `control_bytes` and `name_bytes`."""

    def __init__(self, control_bytes: int, name_bytes: int) -> None:
        self.label_stride = -(-(control_bytes + name_bytes) // _WORD) * _WORD
        self.data = mmap.mmap(-1, SLOTS * _STRIDE)
        self.labels = mmap.mmap(-1, SLOTS * self.label_stride)
        self.vectors = mmap.mmap(-1, SLOTS * _VECTOR)
        self.headers = mmap.mmap(-1, SLOTS * _MESSAGE)
        self.data_address, self.address = _address(self.data), _address(self.headers)
        labels, vectors = _address(self.labels), _address(self.vectors)
        for slot in range(SLOTS):
            vector = _Vector.from_buffer(self.vectors, slot * _VECTOR)
            vector.base, vector.length = self.data_address + slot * _STRIDE, SLOT_BYTES
            header = _Message.from_buffer(self.headers, slot * _MESSAGE).header
            label = labels + slot * self.label_stride
            header.name, header.name_length = label + control_bytes, name_bytes
            header.vectors, header.vector_count = vectors + slot * _VECTOR, 1
            header.control, header.control_length = label if control_bytes else 0, control_bytes


class Receiver:
    """Takes up to SLOTS datagrams with one call, whose labels have `control_bytes` and `name_bytes`.

    After `receive` has told how many there are, `lengths` and `labels` describe them; the data of each begins at its
    place in `starts`. The kernel notes when each datagram arrived, for `arrived_at`.
    """

    def __init__(self, bound: socket.socket, control_bytes: int, name_bytes: int) -> None:
        bound.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._call, _ = _calls()
        self._descriptor = bound.fileno()
        slots = self._slots = _Slots(_STAMP.size + control_bytes, name_bytes)
        self.data = slots.data
        self.starts = tuple(slot * _STRIDE for slot in range(SLOTS))
        self._fresh, self._blank = slots.headers[:], slots.labels[:]
        self._lengths = memoryview(slots.headers).cast("I")[_Message.length.offset // 4 :: _MESSAGE // 4]
        size = control_bytes + name_bytes
        label = f"{_STAMP.size}x{size}s{slots.label_stride - _STAMP.size - size}x"
        self._labels = [Struct("=" + label * count) for count in range(SLOTS + 1)]

    def receive(self) -> int:
        """Take what has come; how many datagrams that is. OSError for an error of the socket."""
        slots = self._slots
        slots.headers[:] = self._fresh  # the kernel has left the lengths of the last time
        slots.labels[:] = self._blank
        count: int = self._call(self._descriptor, slots.address, SLOTS, socket.MSG_DONTWAIT, None)
        if count >= 0:
            return count
        error = _error()
        if isinstance(error, BlockingIOError):
            return 0
        raise error

    def lengths(self, count: int) -> list[int]:
        return self._lengths[:count].tolist()

    def labels(self, count: int) -> tuple[bytes, ...]:
        return self._labels[count].unpack_from(self._slots.labels)

    def arrived_at(self) -> float:
        """When the first of the datagrams had reached this host, in epoch seconds; 0 when the kernel does not tell."""
        _, level, kind, seconds, nanoseconds = _STAMP.unpack_from(self._slots.labels)
        return seconds + nanoseconds / 1e9 if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS) else 0.0


class Sender:
    """Sends up to SLOTS datagrams with one call, whose labels have `control_bytes` and `name_bytes`."""

    def __init__(self, bound: socket.socket, control_bytes: int, name_bytes: int) -> None:
        _, self._call = _calls()
        self._descriptor = bound.fileno()
        slots = self._slots = _Slots(control_bytes, name_bytes)
        self._padding = bytes(slots.label_stride - control_bytes - name_bytes)
        words = memoryview(slots.vectors).cast(_WORDS)
        self._bases = words[_Vector.base.offset // _WORD :: _VECTOR // _WORD]
        self._lengths = words[_Vector.length.offset // _WORD :: _VECTOR // _WORD]

    def send(self, datagrams: Sequence[bytes], labels: Sequence[bytes]) -> list[OSError]:
        """Send each to the address in its label; why some could not be sent, which is what is not tried again.

        ValueError for more than SLOTS, or for one of more than SLOT_BYTES.
        """
        count, slots = len(datagrams), self._slots
        lengths = list(map(len, datagrams))
        if not 0 < count <= SLOTS or max(lengths) > SLOT_BYTES:
            raise ValueError(f"{count} datagrams, one of {max(lengths, default=0)} octets")
        slots.data[: sum(lengths)] = b"".join(datagrams)
        slots.labels[: count * slots.label_stride] = self._padding.join((*labels, b""))
        self._lengths[:count] = array(_WORDS, lengths)
        self._bases[:count] = array(_WORDS, accumulate(lengths[:-1], initial=slots.data_address))
        return self._send(count)

    def _send(self, count: int) -> list[OSError]:
        failures: list[OSError] = []
        first = 0
        while first < count:
            sent = self._call(
                self._descriptor, self._slots.address + first * _MESSAGE, count - first, socket.MSG_DONTWAIT
            )
            if sent < 0:  # which is about the first of them alone
                failures.append(_error())
            first += max(sent, 1)
        return failures


def _address(memory: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


@cache
def _calls() -> tuple[Callable[..., int], Callable[..., int]]:
    """recvmmsg and sendmmsg of this libc; AttributeError where it has none."""
    libc: Any = ctypes.CDLL(None, use_errno=True)
    receive, send = libc.recvmmsg, libc.sendmmsg
    receive.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
    send.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
    receive.restype = send.restype = ctypes.c_int
    return receive, send


@cache
def available() -> bool:
    """Whether all this works here: datagrams that are sent and taken, on loopback, come out as they went in."""
    told = [b"one", b"", b"three" * 100]
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
            bound.bind(("127.0.0.1", 0))
            receiver, sender = Receiver(bound, 0, 16), Sender(bound, 0, 16)
            own = Struct("=H2s4s8x").pack(socket.AF_INET, bound.getsockname()[1].to_bytes(2), bytes((127, 0, 0, 1)))
            if sender.send(told, [own] * 3) or receiver.receive() != 3:
                return False
            lengths = zip(receiver.starts, receiver.lengths(3), strict=False)
            heard = [receiver.data[at : at + length] for at, length in lengths]
            return heard == told and receiver.labels(3) == (own,) * 3
    except (OSError, AttributeError, ValueError):
        return False
