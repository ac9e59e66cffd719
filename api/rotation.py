"""New keys for secrets at rest: make one, encrypt everything with it, then forget the old ones.

Three steps, each of which may be repeated or interrupted at any place. A new key goes to the front of the key file and
every process encrypts with it from then on. Every `SecretText` column of every table is read in batches, and what an
older key made is encrypted anew; an update repeats the old ciphertext as its condition, so a value that somebody
changes meanwhile stays theirs. What RADIUS hosts hold sealed is published anew. What is under the newest key already is
left alone: that is how an interrupted rotation goes on where it was. Old keys are dropped only after a pass that
found nothing left under them, and not while a transaction that began before the new key could still be open.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Column, String, Table, select, tuple_, type_coerce, update
from sqlalchemy.orm import Session

from api import assembly
from core.clock import system_clock
from core.columns import SecretText
from core.database import Database
from core.errors import NotAllowed
from core.runtime import Runtime
from core.secrets import Keyring, KeyMissing, add_key, drop_old_keys
from core.tables import Base
from provisioning.jobs import refresh_all
from radius.nas import publish_all

BATCH = 500
SETTLING = timedelta(minutes=2)
"""How long a transaction that began under the old key may still take to commit."""


@dataclass(frozen=True)
class Report:
    """What a rotation did."""

    key_added: bool
    secrets: int
    nas: int
    records: int
    keys_dropped: int

    def lines(self) -> list[str]:
        lines = ["a new key was made; it encrypts from now on"] if self.key_added else []
        lines.append(f"{self.secrets} stored secrets encrypted with the newest key")
        lines.append(f"{self.nas} NAS and {self.records} access records published anew")
        if self.keys_dropped:
            lines.append(f"{self.keys_dropped} old keys dropped")
        return lines


def rotate(runtime: Runtime, *, new_key: bool = True, drop_old: bool = False) -> Report:
    """Rotate; with `drop_old` forget the old keys at the end. NotAllowed while that could lose a secret."""
    assembly.load()
    path = runtime.settings.resolved_key_file
    if drop_old and not new_key:
        _refuse_too_soon(path, system_clock())
    if new_key:
        add_key(path)
    newest = keyring_of(path)[:1]
    changed = encrypt_anew(runtime.database, Keyring(newest))
    count_nas, records = publish(runtime)
    dropped = _drop(runtime, path) if drop_old else 0
    return Report(new_key, changed, count_nas, records, dropped)
