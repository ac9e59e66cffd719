"""The slow, obvious re-computation: a subscription's whole history is read again for each question.

Nothing is kept between two questions but the bare list of what happened. It knows nothing of the product's code, only
its rules as they are written down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.simulator.world import DAY, SPEEDS, Rule

PLAN, REDUCED, WALLED = SPEEDS[1], 2_000_000, 256_000
TRUST_DAYS, TRUST_USES, TRUST_PERIOD, BROKEN_DAYS = 10, 2, 30, 90


@dataclass(frozen=True, slots=True)
class Order:
    """A restriction that was ordered: it stands while at least `least` cents are open on its invoices."""

    level: str
    invoices: tuple[int, ...]
    least: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a history: an event of the world, or ("notice", "order") what the routine did."""

    minute: int
    kind: str
    first: int = 0
    second: int = 0
    third: int = 0
    order: Order | None = None


@dataclass(frozen=True, slots=True)
class Promise:
    """A trust unblock, and what stood against the subscription when it was given."""

    since: int
    until: int
    covered: tuple[Given, ...]


Given = tuple[Order, int]
"""An order and the minute at which it was given: the same may be ordered again."""


@dataclass(slots=True)
class Standing:
    """How things stand once a history has been read."""

    installed: bool = False
    cancelled: bool = False
    due: dict[int, int] = field(default_factory=dict)
    billed: dict[int, int] = field(default_factory=dict)
    open: dict[int, int] = field(default_factory=dict)
    paid: dict[int, list[int]] = field(default_factory=dict)
    noticed: dict[int, int] = field(default_factory=dict)
    orders: list[Given] = field(default_factory=list)
    ended: dict[Given, int] = field(default_factory=dict)
    promises: list[Promise] = field(default_factory=list)
    pause: tuple[int, int | None] | None = None
    speed: tuple[int, int | None] | None = None
    custom: int = 0

    def state(self, minute: int) -> tuple[str, int | None]:
        """State and download speed at `minute`: the first line that holds."""
        if self.cancelled:
            return "CANCELLED", None
        if not self.installed:
            return "PENDING_INSTALL", None
        if _holds(self.pause, minute):
            return "PAUSED", WALLED
        speed = self.custom if _holds(self.speed, minute) else PLAN
        if any(promise.since <= minute < promise.until for promise in self.promises):
            return "ACTIVE", speed
        if self.under("total"):
            return "SUSPENDED", WALLED
        if self.under("partial"):
            return "REDUCED", REDUCED
        return "ACTIVE", speed

    def under(self, level: str) -> bool:
        return any(order.level == level for order, _ in self.orders)


def standing(history: Sequence[Entry]) -> Standing:
    """Read the whole history; whoever has cancelled still owes and pays."""
    found = Standing()
    for entry in history:
        if not found.cancelled or entry.kind in ("pay", "reverse", "void"):
            _ACTS[entry.kind](found, entry)
            if found.orders:
                _lapse(found, entry.minute)
    return found


def wanted(found: Standing, day: int, rule: Rule) -> Order | None:
    """What the rules want on a day, on which something may start, for a subscription that stands so."""
    if not found.installed or found.cancelled or found.under("total"):
        return None
    late = [number for number in found.open if found.due[number] < day]
    if sum(found.open[number] for number in late) < rule.minimum_cents:
        return None
    for level, days in (("total", rule.total_days), ("partial", rule.partial_days)):
        if days is None:
            continue
        ripe = [number for number in late if day - found.due[number] >= days and _warned(found, number, day, rule)]
        if ripe:
            return None if found.under(level) else _order(found, level, late, ripe, rule)
    return None


def owes_notice(found: Standing, day: int, rule: Rule) -> list[int]:
    """Invoices that the subscriber has to be warned of on a day: late, and near their first level."""
    days = rule.partial_days if rule.partial_days is not None else rule.total_days
    if not rule.notice_days or days is None or not found.installed or found.cancelled or found.under("total"):
        return []
    late = [number for number in found.open if found.due[number] < day]
    if sum(found.open[number] for number in late) < rule.minimum_cents:
        return []
    near = [number for number in late if found.due[number] + days - rule.notice_days <= day]
    return sorted(number for number in near if number not in found.noticed)


def _warned(found: Standing, number: int, day: int, rule: Rule) -> bool:
    return rule.notice_days == 0 or (number in found.noticed and day - found.noticed[number] >= rule.notice_days)


def _order(found: Standing, level: str, late: list[int], ripe: list[int], rule: Rule) -> Order:
    owed_ripe, owed_late = sum(map(found.open.get, ripe)), sum(map(found.open.get, late))  # type: ignore[arg-type]
    if owed_ripe >= rule.minimum_cents:
        return Order(level, tuple(sorted(ripe)), rule.minimum_cents)
    return Order(level, tuple(sorted(late)), max(rule.minimum_cents, owed_late - owed_ripe + 1))


def _holds(span: tuple[int, int | None] | None, minute: int) -> bool:
    return span is not None and span[0] <= minute and (span[1] is None or minute < span[1])


def _lapse(found: Standing, minute: int) -> None:
    for given in list(found.orders):
        order = given[0]
        if sum(found.open.get(number, 0) for number in order.invoices) < max(1, order.least):
            found.orders.remove(given)
            found.ended[given] = minute


def _install(found: Standing, _entry: Entry) -> None:
    found.installed = True


def _bill(found: Standing, entry: Entry) -> None:
    found.due[entry.first], found.billed[entry.first] = entry.second, entry.third
    found.open[entry.first], found.paid[entry.first] = entry.third, []


def _pay(found: Standing, entry: Entry) -> None:
    cents = min(entry.second, found.open.get(entry.first, 0))
    if cents:
        _owe(found, entry.first, found.open[entry.first] - cents)
        found.paid[entry.first].append(cents)


def _reverse(found: Standing, entry: Entry) -> None:
    if found.paid.get(entry.first):
        _owe(found, entry.first, found.open.get(entry.first, 0) + found.paid[entry.first].pop())


def _void(found: Standing, entry: Entry) -> None:
    if not found.paid.get(entry.first):
        _owe(found, entry.first, 0)


def _owe(found: Standing, number: int, cents: int) -> None:
    """`open` names only what is open."""
    found.open.pop(number, None)
    if cents:
        found.open[number] = cents


def _trust(found: Standing, entry: Entry) -> None:
    if found.state(entry.minute)[0] not in ("SUSPENDED", "REDUCED") or not may_trust(found, entry):
        return
    found.promises.append(Promise(entry.minute, entry.minute + entry.first * DAY, tuple(found.orders)))


def may_trust(found: Standing, entry: Entry) -> bool:
    """At most ten days ahead, twice in thirty days, and no promise that was broken within ninety."""
    today, last = entry.minute // DAY, (entry.minute + entry.first * DAY - 1) // DAY
    if entry.first < 1 or last - today > TRUST_DAYS:
        return False
    recent = [promise for promise in found.promises if promise.since // DAY > today - TRUST_PERIOD]
    return len(recent) < TRUST_USES and not any(_blocks(found, promise, entry.minute) for promise in found.promises)


def _blocks(found: Standing, promise: Promise, minute: int) -> bool:
    """Whether the promise was broken: what it covered held at its end, and holds still, or that is not long ago."""
    if promise.until > minute:
        return False
    held = [given for given in promise.covered if given in found.orders or found.ended[given] > promise.until]
    recently = minute // DAY < promise.until // DAY + BROKEN_DAYS
    return bool(held) and (recently or any(given in found.orders for given in held))


def _end_trust(found: Standing, entry: Entry) -> None:
    last = found.promises[-1] if found.promises else None
    if last and last.since <= entry.minute < last.until:
        found.promises[-1] = Promise(last.since, entry.minute, last.covered)


def _pause(found: Standing, entry: Entry) -> None:
    if found.state(entry.minute)[0] not in ("PAUSED", "PENDING_INSTALL"):
        found.pause = (entry.minute, entry.minute + entry.first * DAY if entry.first else None)


def _resume(found: Standing, entry: Entry) -> None:
    if _holds(found.pause, entry.minute):
        found.pause = None


def _speed(found: Standing, entry: Entry) -> None:
    found.speed = (entry.minute, entry.minute + entry.first * DAY if entry.first else None)
    found.custom = entry.second


def _end_speed(found: Standing, entry: Entry) -> None:
    if _holds(found.speed, entry.minute):
        found.speed = None


def _cancel(found: Standing, _entry: Entry) -> None:
    found.cancelled = True


def _notice(found: Standing, entry: Entry) -> None:
    found.noticed[entry.first] = entry.second


def _ordered(found: Standing, entry: Entry) -> None:
    assert entry.order is not None
    found.orders.append((entry.order, entry.minute))


_ACTS = {
    "install": _install, "bill": _bill, "pay": _pay, "reverse": _reverse, "void": _void, "trust": _trust,
    "end-trust": _end_trust, "pause": _pause, "resume": _resume, "speed": _speed, "end-speed": _end_speed,
    "cancel": _cancel, "notice": _notice, "order": _ordered,
}  # fmt: skip
