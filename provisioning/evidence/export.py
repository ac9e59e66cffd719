"""Exports for a court's order: records collected, signed, and written down in the audit trail before anybody gets them.

Two steps, because reading may take long and must not hold the database's one writer: `collect` in a transaction that
reads, `conclude` in one that writes. Without `conclude` the file is signed by nobody.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import IO
from zoneinfo import ZoneInfo

from core.audit import presentable
from core.database import Transaction
from provisioning.address_trace import check_reason
from provisioning.evidence.file import Written, manifest_bytes, seal, write_records
from provisioning.evidence.records import Question, checked, records
from radius.history_signing import PublicKey, sign, signing_key


@dataclass(frozen=True, slots=True)
class Collected:
    """Records that stand in the ZIP, not signed yet."""

    question: Question
    file: IO[bytes]
    written: Written


@dataclass(frozen=True, slots=True)
class Export:
    """What was given out: the hash names the file in the audit trail."""

    rows: int
    sha256: str
    key: PublicKey


def collect(tx: Transaction, question: Question, file: IO[bytes]) -> Collected:
    """Write the records into a ZIP in `file`. InvalidInput, NotFound: see `checked`."""
    answer = records(tx, checked(tx, question))
    return Collected(question, file, write_records(file, answer, ZoneInfo(tx.settings.timezone), tx.now))


def conclude(tx: Transaction, collected: Collected) -> Export:
    """Sign, complete the ZIP and write the audit entry: who got which file, with whose records, why."""
    question, written = collected.question, collected.written
    asked = presentable({**asdict(question), "reason": check_reason(question.reason)}) or {}
    key = signing_key(tx)
    manifest = manifest_bytes(written, asked, tx.actor.name, tx.now, tx.settings.timezone, key.raw)
    seal(collected.file, manifest, sign(tx, manifest, key), key.pem, tx.now)
    after = {**{name: value for name, value in asked.items() if name != "reason"}, "records": written.rows}
    place = question.address if question.address is not None else question.subscription_id
    kind = "address" if question.address is not None else "subscription"
    tx.audit("export", kind, place, after={**after, "sha256": written.sha256}, note=asked["reason"])
    return Export(written.rows, written.sha256, key)
