"""What the rest of the product knows of a connection to a router; `provisioning.routeros.driver.session` makes them.

A connection is used by one thread. Text is what people read: the driver knows the router's character set. Values go out
and come in as RouterOS words them ("yes", "true", "500000000/250000000"); nothing is cast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class RouterError(Exception):
    """The connection failed and is closed; nothing is known of commands that were not answered."""


class RouterUnreachable(RouterError):
    """No connection: refused, no route, no name, or nobody answered the knock in time."""


class RouterSilent(RouterError):
    """Connected, but an answer did not come in time."""


class RouterLost(RouterError):
    """The connection ended in the middle: reset, closed, `!fatal`, or something that is not the protocol."""


class LoginRefused(RouterError):
    """The router does not know this user or password, or does not let it use the API."""


class CertificateRefused(RouterError):
    """The certificate is not the pinned one, or no authority that we know vouches for it."""


class ReadRefused(RouterError):
    """The router answered a read with `!trap`: a right, a package or a menu is missing. The connection lives."""

    def __init__(self, words: str, category: int | None = None) -> None:
        super().__init__(words)
        self.category = category


@dataclass(frozen=True, slots=True)
class RouterVersion:
    """RouterOS's version, such as 6.49.18 or 7.20.4."""

    major: int
    minor: int
    patch: int = 0

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}" + (f".{self.patch}" if self.patch else "")


@dataclass(frozen=True, slots=True)
class Command:
    """One sentence that writes: `path` such as `/ppp/secret/set`, and its attribute words by name."""

    path: str
    words: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Read:
    """One question: rows of the menu `path`, with `fields` and `query` as `Connection.read` has them."""

    path: str
    fields: Sequence[str] = ()
    query: Sequence[str] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Done:
    """`!done`; `ret` is what it returned, such as the `.id` of a new row."""

    ret: str = ""


@dataclass(frozen=True, slots=True)
class Trapped:
    """`!trap`: the router refused this command and goes on. `category` as RouterOS numbers it, 0 to 7."""

    message: str
    category: int | None = None


CommandResult = Done | Trapped


class Connection(Protocol):
    """One logged-in session. Every method may raise RouterError; all but ReadRefused end the connection."""

    version: RouterVersion
    identity: str
    board: str

    def read(self, path: str, fields: Sequence[str] = (), query: Sequence[str] = ()) -> list[dict[str, str]]:
        """Rows of a menu (`/ppp/secret`), each with `.id` where it has one, in the router's order.

        `fields` is the `.proplist` (`.id` is always added; empty: all that the router shows); `query` are query words
        (`?name=maria`, `?#|`). ReadRefused for a `!trap`.
        """
        ...

    def read_many(self, reads: Sequence[Read]) -> list[list[dict[str, str]] | ReadRefused]:
        """Several reads in one round trip, the answer of each in their order; a refused one is given, not raised."""
        ...

    def count(self, reads: Sequence[Read]) -> list[int | ReadRefused]:
        """How many rows each question finds, in one round trip and without the rows (`fields` are not looked at)."""
        ...

    def write(self, commands: Sequence[Command]) -> list[CommandResult]:
        """Send the commands, many on the way at once, and give the answer of each, in their order.

        On a RouterError, some may have been carried out: the router has to be read again.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Target:
    """Where and how to connect. `tls`: off, pinned (`fingerprint`: SHA-256 in hexadecimal), or ca (`ca_file`; None: the
    system's). `charset` of text on the router. `timeout` in seconds, for the knock and for each answer."""

    host: str
    port: int
    login: str
    password: str = field(repr=False)
    tls: str = "off"
    fingerprint: str = ""
    ca_file: str | None = None
    charset: str = "utf-8"
    timeout: float = 10.0
