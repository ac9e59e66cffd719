"""Unix datagram sockets at paths in the data directory, for processes of one host that tell each other things."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATH_ROOM = 100
"""Octets of a path that certainly fit into a socket's address (108, unix(7))."""


def bound(path: Path) -> socket.socket:
    """A socket that hears what is sent to `path`, for our own user only; whoever was there before hears no more.

    OSError when it cannot be made.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        path.unlink(missing_ok=True)
        with _address(path) as address:
            made.bind(address)
        path.chmod(0o600)
    except OSError:
        made.close()
        raise
    return made


def connected(path: Path) -> socket.socket:
    """A socket that sends to `path` and never waits; OSError when nobody is there."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        with _address(path) as address:
            made.connect(address)
    except OSError:
        made.close()
        raise
    return made


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """What to call the socket: a long path is spelled by way of its open directory (proc(5))."""
    if len(os.fsencode(path)) <= _PATH_ROOM:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
