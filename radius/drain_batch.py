"""What a batch out of the spool says: which records are taken together, and which one by one. Pure but for the log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

from core.logs import get_logger
from radius.accounting import AccountingRecord, Received, Unusable, read_record, unpack_received
from radius.company_days import CompanyDays
from radius.interim import QuickReader
from radius.interim_batch import InterimBatch

_EPOCH = datetime.fromtimestamp(0, UTC)
_MICRO = timedelta(microseconds=1)
log = get_logger("radius.drain")


class Batch:
    """Reads `payloads`, in order of receipt. `interims` are those that may be taken together."""

    def __init__(self, payloads: Sequence[bytes], reader: QuickReader, days: CompanyDays) -> None:
        self._payloads = payloads
        self._records: dict[int, AccountingRecord] = {}
        self.interims = InterimBatch()
        self.arrived_at: datetime | None = None
        """When the last of them was received; None when none can be read."""
        restarted: set[bytes] = set()
        arrived = 0
        for place, payload in enumerate(payloads):
            record = reader.read(payload)
            if isinstance(record, tuple):
                self.interims.add(place, record)
                arrived = max(arrived, record[-1])
                continue
            if record is None:
                record = _record(unpack_received(payload))
            if record is None:
                continue
            arrived = max(arrived, int.from_bytes(payload[1:9], signed=True))
            self._records[place] = record
            if record.is_restart:
                restarted.add(payload[9 : 18 + payload[17]])
            else:
                self.interims.leave(record.key)
        for sender in restarted:
            self.interims.leave_sender(sender)
        if arrived:
            self.arrived_at = _EPOCH + arrived * _MICRO
        latest = max((each.at for each in self.interims.sessions.values()), default=0)
        self.day: date = days.of(_EPOCH + latest * _MICRO)

    @property
    def nas_ids(self) -> set[int]:
        """Every NAS that it is about."""
        senders = {each.sender[:8] for each in self.interims.sessions.values()}
        found = {int.from_bytes(sender, signed=True) for sender in senders}
        return found | {record.nas_id for record in self._records.values()} | self._left_nas_ids()

    def _left_nas_ids(self) -> set[int]:
        left = {self._payloads[place][9:17] for place in self.interims.left(self.interims.sessions)}
        return {int.from_bytes(sender, signed=True) for sender in left}

    def records(self, done: Iterable[bytes]) -> list[AccountingRecord]:
        """In order, those that remain when the Interims of the sessions under the keys `done` are written."""
        for place in self.interims.left(done):
            record = _record(unpack_received(self._payloads[place]))
            if record is not None:
                self._records[place] = record
        return [self._records[place] for place in sorted(self._records)]


def _record(received: Received | Unusable) -> AccountingRecord | None:
    record = received if isinstance(received, Unusable) else read_record(received)
    if isinstance(record, Unusable):
        log.warning("an accounting datagram says nothing about a session", reason=record.reason)
        return None
    return record
