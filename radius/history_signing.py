"""The Ed25519 keys that exports are signed with (RFC 8032): the newest signs, the older ones can still be looked up."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import select

from core.database import Transaction
from core.secrets import Secret
from radius.history_models import EvidenceKey


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public half: `raw` is 32 octets in base64; `pem` is what openssl reads."""

    id: int
    raw: str
    created_at: datetime

    @property
    def pem(self) -> str:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(self.raw))
        form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        return key.public_bytes(*form).decode("ascii")


def sign(tx: Transaction, message: bytes, key: PublicKey) -> bytes:
    """The signature (64 octets) by that key of ours over exactly these bytes."""
    row = tx.session.get_one(EvidenceKey, key.id)
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(row.private_key.reveal())).sign(message)


def signing_key(tx: Transaction) -> PublicKey:
    """The newest key; the first call ever makes it."""
    newest = tx.session.scalar(select(EvidenceKey).order_by(EvidenceKey.id.desc()).limit(1))
    return make_key(tx) if newest is None else _public(newest)


def make_key(tx: Transaction) -> PublicKey:
    """A new key, which signs from now on."""
    private = Ed25519PrivateKey.generate()
    halves = private.public_key().public_bytes_raw(), private.private_bytes_raw()
    public, hidden = (base64.b64encode(half).decode("ascii") for half in halves)
    row = EvidenceKey(public_key=public, private_key=Secret(hidden), created_at=tx.now)
    tx.session.add(row)
    tx.session.flush()
    tx.audit("make", "evidence_key", row.id, after={"public": public})
    return _public(row)


def public_keys(tx: Transaction) -> Sequence[PublicKey]:
    """All of them, newest first."""
    return [_public(row) for row in tx.session.scalars(select(EvidenceKey).order_by(EvidenceKey.id.desc()))]


def verifies(public: str, message: bytes, signature: bytes) -> bool:
    """Whether the key (raw, base64) made that signature over exactly these bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(public)).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _public(row: EvidenceKey) -> PublicKey:
    return PublicKey(row.id, row.public_key, row.created_at)
