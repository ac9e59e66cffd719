"""From the workers to the sync process: who was rejected and why, and how each NAS signs what it sends.

A worker must never wait for a database, nor for anybody who writes to one. So it folds what is alike in memory, and
about once a second sends what it has over a Unix datagram socket, without waiting. What finds no room stays for the
next time; beyond a bound it is dropped and counted. The sync process does with it what `radius.reject_collector` says.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as _quoted
from pathlib import Path
from typing import Any, NamedTuple

from core.clock import Clock
from core.unix_datagrams import bound, connected
from radius.metrics import Report, snapshot_writer
from radius.reject_note import RejectNote
from radius.worker_report import Sightings, WorkerReport

URGENT = frozenset({"session_limit"})
"""Reasons after which somebody may be waiting for what we find out now."""
MOST_KEPT = 2_000
"""Kinds of rejects that a worker keeps until they are sent."""
MOST_DETAIL, MOST_REASON = 255, 64
_URGENT_PAUSE = 0.05
_DATAGRAM = 32 << 10
_DETAIL, _LAST, _TIMES = 0, 3, 4
_NEVER: Seen = (None, None, None)

_Key = tuple[bytes, str, int, bytes]
"""As `Kind`; plain, because one is made for each reject."""
_Sum = list[Any]
"""As `Folded`, changed in place."""
Note = Callable[[RejectNote], None]
Seen = tuple[float | None, float | None, float | None]
"""When a NAS was last seen to sign, not to sign, and be refused for that; epoch seconds."""


class Kind(NamedTuple):
    """What makes rejects alike; names are octets of the protocol."""

    login: bytes
    reason: str
    nas_id: int
    calling_station_id: bytes


@dataclass(frozen=True, slots=True)
class Folded:
    """Rejects of one kind. `subscription_id` is 0 where there is none; times are epoch seconds."""

    detail: str
    subscription_id: int
    first_at: float
    last_at: float
    times: int = 1

    def __add__(self, later: Folded) -> Folded:
        return Folded(
            later.detail if later.last_at >= self.last_at else self.detail,
            later.subscription_id or self.subscription_id,
            min(self.first_at, later.first_at),
            max(self.last_at, later.last_at),
            self.times + later.times,
        )


class Events(NamedTuple):
    """What one datagram, or all of a second, tell."""

    rejects: dict[Kind, Folded]
    seen: dict[int, Seen]


def events_socket(host: Path) -> Path:
    """The socket's path; `host` is `<data_dir>/radius`."""
    return host / "rejects.sock"


def telling(host: Path, name: str, clock: Clock) -> tuple[Note, Report]:
    """What the worker `name` hands its rejects to, and its reports; neither waits or raises."""
    sender = RejectSender(events_socket(host))
    write = snapshot_writer(host, name, sender.counters)

    def report(told: WorkerReport) -> None:
        sender.see(told.sightings, clock().timestamp())
        sender.flush()
        write(told)

    return sender.note, report


class RejectSender:
    """A worker's end. One thread's."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket: socket.socket | None = None
        self._rejects: dict[_Key, _Sum] = {}
        self._seen: dict[int, Seen] = {}
        self._counted: Sightings = {}
        self._urgent_at = 0.0
        self._sent = self._dropped = 0

    def note(self, note: RejectNote) -> None:
        """Keep it until it is sent; at once where somebody waits for it."""
        at, reason, detail, login, subscription_id, nas_id, caller = note
        key = (login, reason, nas_id, caller)
        known = self._rejects.get(key)
        if known is not None:
            known[_DETAIL], known[_LAST] = detail, at
            known[_TIMES] += 1
        elif len(self._rejects) < MOST_KEPT:
            self._rejects[key] = [detail, subscription_id, at, at, 1]
        else:
            self._dropped += 1
            return
        if reason in URGENT and time.monotonic() >= self._urgent_at:
            self._urgent_at = time.monotonic() + _URGENT_PAUSE
            self.flush()

    def see(self, sightings: Sightings, now: float) -> None:
        """Keep which NAS have been seen to sign, or not to, since the last call."""
        for nas_id, counts in sightings.items():
            before = self._counted.get(nas_id, (0, 0, 0))
            if counts != before:
                news = tuple(now if count > old else None for count, old in zip(counts, before, strict=True))
                self._seen[nas_id] = _later(self._seen.get(nas_id, _NEVER), news)  # type: ignore[arg-type]
        self._counted = sightings

    def flush(self) -> None:
        """Send what is kept, as far as there is room."""
        while self._rejects or self._seen:
            datagram, rejects, seen = _pack_some(self._rejects, self._seen)
            if not self._send(datagram):
                return
            for key in rejects:
                self._sent += self._rejects.pop(key)[_TIMES]
            for nas_id in seen:
                del self._seen[nas_id]

    def counters(self) -> dict[tuple[str, str], int]:
        """How many rejects were handed on, and how many were not."""
        return {("note", "sent"): self._sent, ("note", "dropped"): self._dropped}

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, datagram: bytes) -> bool:
        try:
            if self._socket is None:
                self._socket = connected(self._path)
            self._socket.send(datagram)
        except BlockingIOError:
            return False
        except OSError:  # nobody is there now: the sync process is starting
            self.close()
            return False
        return True


class EventReceiver:
    """The sync process's end: the socket itself. OSError when it cannot be made."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = path
        self._socket = bound(path)

    def receive(self, seconds: float) -> Events | None:
        """What the next datagram tells, None when none comes within `seconds`."""
        self._socket.settimeout(seconds)
        try:
            return read_events(self._socket.recv(2 * _DATAGRAM))
        except (TimeoutError, BlockingIOError):  # the latter for no wait at all
            return None

    def close(self) -> None:
        self._socket.close()
        self._path.unlink(missing_ok=True)


def merge(one: Events, more: Events) -> None:
    """Add `more` to `one`."""
    for kind, folded in more.rejects.items():
        before = one.rejects.get(kind)
        one.rejects[kind] = folded if before is None else before + folded
    for nas_id, seen in more.seen.items():
        one.seen[nas_id] = _later(one.seen.get(nas_id, _NEVER), seen)


def read_events(datagram: bytes) -> Events:
    """What `_pack_some` wrote; nothing for what it did not."""
    try:
        told = json.loads(datagram)
        rejects = {
            Kind(bytes.fromhex(login), str(reason), int(nas_id), bytes.fromhex(caller)): Folded(
                str(detail), int(subscription_id), float(first_at), float(last_at), int(times)
            )
            for login, reason, nas_id, caller, detail, subscription_id, first_at, last_at, times in told["rejects"]
        }
        seen = {
            int(nas_id): (_when(signed), _when(not_), _when(refused)) for nas_id, signed, not_, refused in told["seen"]
        }
        return Events(rejects, seen)
    except (ValueError, TypeError, KeyError):
        return Events({}, {})


def _pack_some(rejects: dict[_Key, _Sum], seen: dict[int, Seen]) -> tuple[bytes, list[_Key], list[int]]:
    """A datagram with as many as fit, and which they are."""
    kinds: list[_Key] = []
    texts: list[str] = []
    size = 0
    for key, told in rejects.items():
        text = _text(key, told)
        size += len(text) + 1
        if size > _DATAGRAM and texts:
            break
        kinds.append(key)
        texts.append(text)
    nas_ids = [] if len(kinds) < len(rejects) else list(seen)[: max(0, _DATAGRAM - size) // 128]
    listed = json.dumps([[nas_id, *seen[nas_id]] for nas_id in nas_ids], separators=(",", ":"))
    return f'{{"rejects":[{",".join(texts)}],"seen":{listed}}}'.encode(), kinds, nas_ids


def _text(key: _Key, told: _Sum) -> str:
    """A JSON array, put together by hand: under a flood this is what a reject costs most."""
    login, reason, nas_id, caller = key
    detail, subscription_id, first, last, times = told
    said = _quoted(detail[:MOST_DETAIL]) if detail else '""'
    named = f'"{login.hex()}",{_quoted(reason[:MOST_REASON])},{nas_id},"{caller.hex()}"'
    return f"[{named},{said},{subscription_id},{first!r},{last!r},{times}]"


def _when(told: float | None) -> float | None:
    return None if told is None else float(told)


def _later(one: Seen, two: Seen) -> Seen:
    pairs = zip(one, two, strict=True)
    signed, unsigned, refused = (max(filter(None, pair), default=None) for pair in pairs)
    return signed, unsigned, refused
