"""The company's day of an instant, quickly: its bounds are worked out once a day, not once a record. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


class CompanyDays:
    """Days in the time zone of this name. One thread's."""

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone)
        self._day = date.min
        self._begins = self._ends = datetime.min.replace(tzinfo=UTC)

    def of(self, at: datetime) -> date:
        """The date on the company's wall at `at`."""
        if not self._begins <= at < self._ends:
            self._day = at.astimezone(self._zone).date()
            self._begins, self._ends = self._midnight(self._day), self._midnight(self._day + timedelta(days=1))
        return self._day

    def _midnight(self, day: date) -> datetime:
        """The instant at which the day begins; where the clocks skip midnight, the one at which they do."""
        return datetime.combine(day, time.min, self._zone).astimezone(UTC)
