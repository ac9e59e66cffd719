"""What happens in a year: everything random is drawn here, from one seed, before anything is decided.

Time is counted in minutes of the company's wall clock from the first minute of the year, days in days from the first
one; the company's zone has no summer time that year, so neither is ambiguous.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

FIRST = date(2026, 1, 1)
DAYS = 365
DAY = 24 * 60
ZONE = ZoneInfo("America/Sao_Paulo")
MIDNIGHT = datetime(2026, 1, 1, tzinfo=ZONE).astimezone(UTC)
PRINTED = "01-01 02-16 02-17 04-03 04-21 05-01 06-04 09-07 10-12 11-02 11-15 11-20 12-25"  # and New Year's Day after it
SPEEDS = (50_000_000, 300_000_000, 900_000_000)


@dataclass(frozen=True, slots=True)
class Rule:
    """One version of a billing method's rules."""

    total_days: int | None
    partial_days: int | None
    minimum_cents: int
    notice_days: int
    calendar: bool


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens to one subscription: `kind` and its numbers, in the order that the kind has."""

    minute: int
    kind: str
    first: int = 0
    second: int = 0
    third: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """The routine at its hour. `held`: a guard's alarm is open; `approval`: what a person does when it is over the cap
    (the share that is approved, in per cent), and how many minutes later; None: nobody comes, and it expires."""

    minute: int
    held: bool
    approval: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class World:
    """A provider's year; `added` are the company's own holidays, `holidays` all of them, the day after the year too."""

    seed: int
    rules: tuple[tuple[int, Rule], ...]
    added: frozenset[int]
    holidays: frozenset[int]
    cap: int
    runs: tuple[Run, ...]
    notices: tuple[int, ...]
    lives: tuple[tuple[Event, ...], ...] = field(repr=False)

    def is_held(self, day: int) -> bool:
        """Whether nothing may start: Friday to Sunday, a holiday, the day before one."""
        weekend = day_of(day).isoweekday() >= 5
        return self.rule_on(day)[1].calendar and (weekend or day in self.holidays or day + 1 in self.holidays)

    def rule_on(self, day: int) -> tuple[int, Rule]:
        """The version (from 1) that holds on a day, and its content."""
        version = max(index for index, (since, _) in enumerate(self.rules) if since <= day)
        return version + 1, self.rules[version][1]


def instant(minute: int) -> datetime:
    """The instant of a minute, in UTC."""
    return MIDNIGHT + timedelta(minutes=minute)


def day_of(day: int) -> date:
    return FIRST + timedelta(days=day)


def draw_world(seed: int, subscriptions: int) -> World:
    """The year of a seed; the same seed and size give the same year."""
    rng = random.Random(seed)
    outages = _spans(rng, 3, 6)
    alarms = _spans(rng, 2, 4)
    hour = rng.randrange(4, 9) * 60
    working = [day for day in range(DAYS) if day not in outages]
    runs = [Run(day * DAY + hour, day in alarms, _approval(rng)) for day in working]
    added = frozenset(rng.sample(range(DAYS), 6))
    return World(
        seed=seed,
        rules=_rules(rng),
        added=added,
        holidays=added | {day for day in range(DAYS + 1) if f"{day_of(day):%m-%d}" in PRINTED},
        cap=max(3, subscriptions * 3 // 100),
        runs=tuple(runs),
        notices=tuple(day * DAY + hour - 60 for day in working),
        lives=tuple(_life(rng) for _ in range(subscriptions)),
    )


def _rules(rng: random.Random) -> tuple[tuple[int, Rule], ...]:
    changes = sorted(rng.sample(range(30, DAYS), rng.randrange(0, 3)))
    return tuple((since, _rule(rng)) for since in (0, *changes))


def _rule(rng: random.Random) -> Rule:
    partial = rng.choice((None, 5, 15))
    total = rng.choice((15, 30, 45)) if partial is None else rng.choice((None, partial + 10, partial + 30))
    return Rule(total, partial, rng.choice((0, 1000, 12_000)), rng.choice((0, 0, 3)), rng.random() < 0.6)


def _spans(rng: random.Random, most: int, longest: int) -> set[int]:
    """Days of up to `most` outages."""
    days: set[int] = set()
    for _ in range(rng.randrange(most + 1)):
        begin = rng.randrange(DAYS)
        days |= set(range(begin, begin + rng.randrange(1, longest + 1)))
    return days


def _approval(rng: random.Random) -> tuple[int, int] | None:
    return rng.choice((None, (0, 90), (50, 200), (100, 30), (100, 600)))


def _life(rng: random.Random) -> tuple[Event, ...]:
    """One subscription's year: most pay in time, some late, some not at all, some of them do everything."""
    character = rng.choices(("prompt", "late", "restless"), (78, 15, 7))[0]
    installed = 0 if rng.random() < 0.9 else rng.randrange(DAYS) * DAY + rng.randrange(DAY)
    events = [Event(installed, "install")]
    due_day, cents = rng.randrange(1, 28), rng.choice((4_990, 9_990, 14_990))
    for month in range(12):
        due = (date(2026, month + 1, due_day) - FIRST).days
        issued = max(installed, (due - 10) * DAY + 8 * 60)
        if issued < due * DAY:
            events += _bill(rng, character, month, issued, due, cents)
    if character == "restless":
        events += _interventions(rng, installed)
    return _until_cancelled(sorted(events, key=lambda event: event.minute))


def _until_cancelled(events: list[Event]) -> tuple[Event, ...]:
    """Whoever has cancelled gets no more bills; what is owed may still be paid."""
    end = min((event.minute for event in events if event.kind == "cancel"), default=DAYS * DAY)
    billed = {event.first for event in events if event.kind == "bill" and event.minute <= end}
    money = [event for event in events if event.kind in ("pay", "reverse", "void") and event.first in billed]
    return tuple(event for event in events if event.minute <= end or event in money)


def _bill(rng: random.Random, character: str, number: int, issued: int, due: int, cents: int) -> list[Event]:
    events = [Event(issued, "bill", number, due, cents)]
    if character == "prompt":
        return [*events, Event(rng.randrange(issued, due * DAY + DAY), "pay", number, cents)]
    if rng.random() < 0.15:
        end = "void" if rng.random() < 0.5 else "cancel"
        return [*events, Event(_later(rng, due + 20, 80), end, number)]
    paid = _later(rng, due, rng.choice((3, 20, 45, 90)))
    if rng.random() < 0.2:
        part = rng.randrange(1, cents)
        events.append(Event(_later(rng, due, 30), "pay", number, part))
    events.append(Event(paid, "pay", number, cents))
    if rng.random() < 0.15:
        events.append(Event(paid + rng.randrange(1, 20 * DAY), "reverse", number))
        if rng.random() < 0.7:
            events.append(Event(paid + rng.randrange(20 * DAY, 60 * DAY), "pay", number, cents))
    return events


def _later(rng: random.Random, due: int, most_days: int) -> int:
    return due * DAY + rng.randrange(1, most_days * DAY)


def _interventions(rng: random.Random, installed: int) -> list[Event]:
    """What operators try; whether it is allowed at that moment is for the product to say."""
    events = []
    for _ in range(rng.randrange(2, 14)):
        minute = rng.randrange(installed, DAYS * DAY)
        kind = rng.choice(("trust", "trust", "trust", "end-trust", "pause", "resume", "speed", "end-speed"))
        days = rng.choice((0, 1, 2, 5, 10, 11, 30))
        events.append(Event(minute, kind, days, rng.choice(SPEEDS)))
    if rng.random() < 0.15:
        events.append(Event(rng.randrange(installed, DAYS * DAY), "cancel"))
    return events
