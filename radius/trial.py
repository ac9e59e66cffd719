"""What a NAS would be answered, found out by asking: a real request to the real service, over the database's records.

Nothing is decided here. A request is made as a NAS makes it, the code that answers in the workers answers it, from the
feed as the database has it, and the reply is read back. So it differs from what happens on a RADIUS host only by what
lives in a worker (who guesses passwords there, what was answered a moment ago) and by how far the host has got.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from core.database import Transaction
from radius.attribute_words import NamedValue, in_words
from radius.attributes import (
    ACCESS_ACCEPT,
    ACCESS_REQUEST,
    CALLING_STATION_ID,
    CHAP_PASSWORD,
    FRAMED_PROTOCOL,
    FRAMED_PROTOCOL_PPP,
    MESSAGE_AUTHENTICATOR,
    NAS_PORT_ID,
    SERVICE_TYPE,
    SERVICE_TYPE_FRAMED,
    USER_NAME,
)
from radius.auth_service import AuthService
from radius.authenticators import ZEROES, md5
from radius.codec import HEADER_LENGTH, Attribute, encode, encode_attributes, integer, parse
from radius.models import ReplicaEntry
from radius.nas_records import nas_key, unpack_nas
from radius.nas_table import NasClient
from radius.presence import HEARD_KEY, pack_heard
from radius.reject_note import RejectNote
from radius.store import Snapshot

ACCEPT, REJECT, SILENCE = "Access-Accept", "Access-Reject", "silence"
_SOURCE = ("trial", 0)


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks to come in, from where. `password` None: without one, as IPoE does."""

    login: bytes
    password: bytes | None = field(repr=False)
    calling_station_id: bytes = b""
    nas_port_id: bytes = b""


@dataclass(frozen=True, slots=True)
class Trial:
    """The answer; `reason` and `detail` are of a reject or a silence, `attributes` of an accept."""

    answer: str
    reason: str = ""
    detail: str = ""
    attributes: tuple[NamedValue, ...] = ()


class FeedSnapshot(Snapshot):
    """The records as the database has them in this transaction; the database counts as heard at `now`."""

    __slots__ = ("_heard", "_tx")

    def __init__(self, tx: Transaction, now: float) -> None:
        self._tx = tx
        self._heard = pack_heard(now)
        self.get = self._get

    def close(self) -> None:
        """The transaction is its owner's."""

    def generation(self) -> int:
        return 0

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        statement = (
            select(ReplicaEntry.key, ReplicaEntry.value)
            .where(ReplicaEntry.key >= prefix, ReplicaEntry.value.is_not(None))
            .order_by(ReplicaEntry.key)
        )
        if prefix:
            statement = statement.where(ReplicaEntry.key < prefix[:-1] + bytes((prefix[-1] + 1,)))
        for key, value in self._tx.session.execute(statement):
            yield bytes(key), bytes(value or b"")

    def _get(self, key: bytes) -> bytes | None:
        if key == HEARD_KEY:
            return self._heard
        value = self._tx.session.scalar(select(ReplicaEntry.value).where(ReplicaEntry.key == key))
        return None if value is None else bytes(value)


def ask(tx: Transaction, nas_id: int, question: Question, at: datetime) -> Trial:
    """What this NAS is answered at `at`. A NAS that the feed does not have is a stranger and hears silence."""
    feed = FeedSnapshot(tx, tx.now.timestamp())
    key = nas_key(nas_id)
    packed = feed.get(key)
    if packed is None:
        return Trial(SILENCE, "unknown_client")
    entry = unpack_nas(key, packed, tx.keyring.unseal)
    if not entry.enabled:
        return Trial(SILENCE, "unknown_client", f"NAS {entry.name} is disabled")
    notes: list[RejectNote] = []
    service = AuthService(
        tx.keyring.unseal,
        reject_delay_seconds=0.0,
        note=notes.append,
        machine_clock=tx.now.timestamp,
    )
    service.begin(feed)
    client = NasClient(entry)
    reply = service.handle_for(client, _request(client, question), _SOURCE, at.timestamp(), 0.0)
    if reply is None:
        [(_, reason)] = service.counters()
        return Trial(SILENCE, reason)
    packet = parse(reply)
    if packet.code == ACCESS_ACCEPT:
        return Trial(ACCEPT, attributes=tuple(in_words(packet.attributes)))
    return Trial(REJECT, notes[0].reason, notes[0].detail)


def _request(client: NasClient, question: Question) -> bytes:
    """An Access-Request as a NAS sends it: CHAP, which hides the password without the secret, and signed."""
    authenticator = os.urandom(16)
    attributes: list[Attribute] = [(MESSAGE_AUTHENTICATOR, ZEROES), (USER_NAME, question.login)]
    if question.password is not None:
        response = md5(b"\1" + question.password + authenticator).digest()
        attributes.append((CHAP_PASSWORD, b"\1" + response))
        attributes.append((SERVICE_TYPE, integer(SERVICE_TYPE_FRAMED)))
        attributes.append((FRAMED_PROTOCOL, integer(FRAMED_PROTOCOL_PPP)))
    for kind, value in ((CALLING_STATION_ID, question.calling_station_id), (NAS_PORT_ID, question.nas_port_id)):
        if value:
            attributes.append((kind, value))
    packet = encode(ACCESS_REQUEST, 0, authenticator, encode_attributes(attributes))
    at = HEADER_LENGTH + 2
    return packet[:at] + client.authenticators.hmac(packet) + packet[at + 16 :]
