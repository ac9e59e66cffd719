"""The TCP sockets that RadSec listens on, one for each address, and how many connections the process may have."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address

from radius.endpoint import only_v6, read_addresses

MOST_CONNECTIONS = 8_192
_SPARE_FILES = 64
_BACKLOG = 1_024


class Listeners:
    """Bound on each of the addresses (a list with commas); OSError when one cannot be bound, ValueError for no address.

    Port 0 is a free one, the same on all of them.
    """

    def __init__(self, addresses: str, port: int) -> None:
        wanted = read_addresses(addresses)
        self._sockets: dict[int, socket.socket] = {}
        try:
            for address in wanted:
                opened = listen(address, port, v6_only=only_v6(wanted))
                self._sockets[opened.fileno()] = opened
                port = opened.getsockname()[1]
        except OSError:
            self.close()
            raise

    def name(self) -> tuple[str, int]:
        """The first bound address, and the port."""
        address, port = next(iter(self._sockets.values())).getsockname()[:2]
        return address, port

    def files(self) -> Iterable[int]:
        return self._sockets

    def among(self, files: Iterable[int]) -> Iterator[socket.socket]:
        """Those of the listeners that are among these files."""
        return (self._sockets[file] for file in files if file in self._sockets)

    def close(self) -> None:
        for each in self._sockets.values():
            each.close()


def listen(address: IPv4Address | IPv6Address, port: int, *, v6_only: bool) -> socket.socket:
    """A listening TCP socket that does not block; OSError when it cannot be had."""
    listener = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address.version == 6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6_only)
        listener.bind((str(address), port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"TCP port {port} on {address} cannot be had: {error.strerror}") from error
    return listener


def allow_many_files() -> int:
    """Raise this process's bound on open files as far as it may; how many connections fit into it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + _SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(MOST_CONNECTIONS, soft - _SPARE_FILES)
