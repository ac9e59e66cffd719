"""Trying a router: whether it lets us in, what it is, and which rights the API user lacks. Nothing is written to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.database import Database
from provisioning.routeros.alone import waited_for
from provisioning.routeros.connection import Connection, ReadRefused, RouterError, Target
from provisioning.routeros.driver.session import connect, presented_fingerprint
from provisioning.routeros.router_fields import OFF
from provisioning.routeros.routers import get_router, target_of

RIGHTS = ("api", "read", "write", "sensitive")
"""Policies that the API user's group needs: without `sensitive` no password is shown, so that none can be proven."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it. `trouble` "" : it let us in. `missing_rights` None: the router did not tell.

    `presented`: SHA-256 of its certificate in hexadecimal; "" without TLS.
    """

    trouble: str = ""
    version: str = ""
    identity: str = ""
    board: str = ""
    missing_rights: tuple[str, ...] | None = None
    presented: str = ""

    @property
    def ok(self) -> bool:
        return not self.trouble and not self.missing_rights


def try_alone(database: Database, router: int | str) -> Trial:
    """Try this router; a cycle that goes on is waited for. Unavailable when it takes too long, NotFound."""
    with database.reading() as tx:
        row = get_router(tx, router)
        name, key, target = row.name, row.id, target_of(row)
    with waited_for(database, key, name):
        return try_router(target)


def try_router(target: Target) -> Trial:
    """Connect, look and leave."""
    presented = "" if target.tls == OFF else _presented(target)
    try:
        connection = connect(target)
    except RouterError as error:
        return Trial(str(error) or type(error).__name__, presented=presented)
    try:
        missing = _missing(connection, target.login)
    except RouterError as error:
        return Trial(str(error) or type(error).__name__, presented=presented)
    finally:
        connection.close()
    return Trial("", str(connection.version), connection.identity, connection.board, missing, presented)


def missing_rights(policy: str) -> tuple[str, ...]:
    """Those that a group's policy (`read,write,!ftp`) does not name."""
    has = set(policy.replace(";", ",").split(","))
    return tuple(right for right in RIGHTS if right not in has)


def _missing(connection: Connection, login: str) -> tuple[str, ...] | None:
    """None where the router does not know the user itself (it asks RADIUS), or does not let it look."""
    try:
        group = _value(connection.read("/user", ("name", "group")), login, "group")
        policy = _value(connection.read("/user/group", ("name", "policy")), group, "policy")
    except ReadRefused:
        return None
    return missing_rights(policy) if policy else None


def _value(rows: Sequence[Mapping[str, str]], name: str, field: str) -> str:
    return next((row.get(field, "") for row in rows if row.get("name") == name), "")


def _presented(target: Target) -> str:
    """A router that presents nothing is told by `connect`, in better words."""
    try:
        return presented_fingerprint(target.host, target.port, target.timeout)
    except RouterError:
        return ""
