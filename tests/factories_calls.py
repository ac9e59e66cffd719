"""A provider's subscribers and NAS for the tests of answers, and requests as such NAS send them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from radius.attributes import CALLING_STATION_ID, NAS_PORT_ID, USER_NAME, USER_PASSWORD
from radius.codec import Attribute
from radius.line import Line
from radius.policy import Denial
from radius.presence import HEARD_KEY, pack_heard, pack_presence, presence_key
from tests.factories_auth import (
    MAC,
    NOW,
    Rig,
    always,
    datagram,
    fixed,
    hidden,
    mac_record,
    nas,
    pap_request,
    record,
)

PASSWORD: Attribute = (USER_PASSWORD, hidden(b"segredo"))
CLIENT_ID = b"1:2:0:5e:10:0:1"
STRICT, LENIENT, IPOE, GENERIC, DISABLED = (f"192.0.2.{host}" for host in range(1, 6))
CALLER, STRANGER = b"02:00:5E:10:00:0A", b"02:00:5E:10:00:0B"


def answering(directory: Path, **options: Any) -> Rig:
    """A lenient NAS at 192.0.2.2, a strict one at .1, one for IPoE at .3, and some subscribers."""
    return Rig(
        directory,
        nas(1, STRICT),
        nas(2, LENIENT, require_message_authenticator=False),
        nas(3, IPOE, mac_auth=True),
        nas(4, GENERIC, vendor="generic"),
        nas(5, DISABLED, enabled=False),
        record(),
        record(1, "zé", password="coração".encode("latin-1")),
        record(2, "long", password=b"x" * 128),
        record(3, "gone", spans=always(Denial("cancelled"))),
        record(4, "fixed", spans=always(fixed("100.64.0.9"))),
        record(5, MAC, password=b"maria"),
        mac_record(),
        mac_record(9, "02:00:5e:10:00:02", spans=always(Denial("suspended"))),
        **options,
    )


def mac_request(name: bytes = CLIENT_ID, password: bytes | None = b"", *more: Attribute) -> bytes:
    credentials = [] if password is None else [(USER_PASSWORD, hidden(password) if password else b"")]
    return datagram([(USER_NAME, name), *credentials, *more])


def call(caller: bytes = CALLER, port: bytes = b"ether2", *more: Attribute, **options: Any) -> bytes:
    """Ana dials in by PAP; b"" is not told. `login` and `password` make it somebody else."""
    line = [(CALLING_STATION_ID, caller)] if caller else []
    line += [(NAS_PORT_ID, port)] if port else []
    login, password = options.pop("login", b"ana"), options.pop("password", b"segredo")
    return pap_request(login, password, *line, *more, **options)


def connected(subscription_id: int, *lines: Line) -> dict[bytes, bytes]:
    """The replica's entry of somebody's live sessions."""
    return {presence_key(subscription_id): pack_presence(lines)}


def heard(instant: float = NOW.timestamp()) -> dict[bytes, bytes]:
    """The replica's note of when the database was heard of last."""
    return {HEARD_KEY: pack_heard(instant)}
