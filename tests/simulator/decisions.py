"""The product's pure decisions over facts in memory: what its commands do, without a database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TypeVar

from billing_bridge.calendar.company import DayCheck, check_day
from billing_bridge.dunning.rules import OpenInvoice, SuspensionRules, WantedOrder, decide, is_new
from billing_bridge.notices.rules import notice_cutoff, wanted_notices
from provisioning.debts import still_justified
from provisioning.facts import (
    Facts,
    Level,
    Pause,
    RestrictionOrder,
    ServiceRules,
    ServiceState,
    Speed,
    SpeedOverride,
    TrustUnblock,
)
from provisioning.service_state import service_state
from provisioning.trust.rules import Granted, TrustRules, may_trust
from tests.simulator.reference import PLAN, REDUCED, WALLED, Order
from tests.simulator.world import DAY, DAYS, ZONE, Event, Rule, Run, World, day_of, instant

SERVICE = ServiceRules(reduced=Speed(REDUCED, REDUCED), suspended=Speed(WALLED, WALLED))
BEGINNING = Facts(plan_speed=Speed(PLAN, PLAN))
TRUST = TrustRules()
_Fact = TypeVar("_Fact", Pause, TrustUnblock, SpeedOverride)
RESTRICTED = (ServiceState.SUSPENDED, ServiceState.REDUCED)


@dataclass(slots=True)
class Account:
    """What is known of one subscription."""

    facts: Facts = BEGINNING
    due: dict[int, int] = field(default_factory=dict)
    open: dict[int, int] = field(default_factory=dict)
    owed: dict[int, OpenInvoice] = field(default_factory=dict)
    paid: dict[int, list[int]] = field(default_factory=dict)
    noticed: dict[int, date] = field(default_factory=dict)
    least: dict[int, int] = field(default_factory=dict)
    oldest: int = DAYS

    def under(self, level: Level) -> bool:
        return any(order.lapsed_at is None and order.level is level for order in self.facts.orders)

    def owe(self, number: int, cents: int) -> None:
        self.open.pop(number, None)
        self.owed.pop(number, None)
        if cents:
            self.open[number] = cents
            self.owed[number] = OpenInvoice(number, day_of(self.due[number]), cents)
        self.oldest = min((self.due[key] for key in self.open), default=DAYS)

    def late(self, day: int) -> list[OpenInvoice]:
        return [invoice for number, invoice in self.owed.items() if self.due[number] < day]


class Decisions:
    """An engine of the pure modules."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.accounts = [Account() for _ in world.lives]
        self.holidays = {day_of(day): "holiday" for day in world.holidays}
        self.numbers = 0
        self.owing: set[int] = set()

    def apply(self, number: int, event: Event) -> None:
        account = self.accounts[number]
        if account.facts.cancelled_at is None or event.kind in ("pay", "reverse", "void"):
            getattr(self, "_" + event.kind.replace("-", "_"))(account, event)
            (self.owing.add if account.open else self.owing.discard)(number)

    def notices(self, minute: int) -> Mapping[int, list[int]]:
        day = minute // DAY
        rules = _rules(*self.world.rule_on(day))
        if notice_cutoff(rules, day_of(day)) is None:
            return {}
        late = {
            number: self.accounts[number].late(day)
            for number in self._late(day)
            if _in_service(self.accounts[number]) and not self.accounts[number].under(Level.TOTAL)
        }
        given = {number: self.accounts[number].noticed for number in late}
        found: dict[int, list[int]] = {}
        for notice in wanted_notices(late, dict.fromkeys(late, rules), day_of(day), given):
            found.setdefault(notice.subscription_id, []).append(notice.invoice_id)
            self.accounts[notice.subscription_id].noticed[notice.invoice_id] = day_of(day)
        return {number: sorted(invoices) for number, invoices in found.items()}

    def run(self, run: Run) -> tuple[Mapping[int, Order], bool]:
        if run.held:
            return {}, False
        found = self._wanted(run.minute, self._late(run.minute // DAY))
        waits = self._waits(found)
        if not waits:
            self._order(run.minute, found)
        return _told(found), waits

    def approve(self, minute: int, numbers: list[int]) -> Mapping[int, Order]:
        found = self._wanted(minute, numbers)
        self._order(minute, found)
        return _told(found)

    def state(self, number: int, minute: int) -> tuple[str, int | None]:
        found = service_state(self.accounts[number].facts, SERVICE, instant(minute))
        return found.state.value, found.speed.download_bps if found.speed else None

    def _late(self, day: int) -> list[int]:
        return sorted(number for number in self.owing if self.accounts[number].oldest < day)

    def _waits(self, found: Mapping[int, WantedOrder]) -> bool:
        return len(found) > self.world.cap

    def _is_held(self, rules: SuspensionRules, day: int) -> DayCheck:
        return check_day(day_of(day), rules, self.holidays)

    def _noticed(self, account: Account) -> Mapping[int, date]:
        return account.noticed

    def _may_trust(self, account: Account, now: datetime, until: datetime) -> bool:
        return isinstance(may_trust(account.facts, TRUST, now, until, ZONE.key), Granted)

    def _wanted(self, minute: int, numbers: list[int]) -> dict[int, WantedOrder]:
        day = minute // DAY
        rules = _rules(*self.world.rule_on(day))
        accounts = {number: self.accounts[number] for number in numbers}
        late = {
            number: invoices
            for number, account in accounts.items()
            if _in_service(account) and not account.under(Level.TOTAL) and (invoices := account.late(day))
        }
        found = decide(
            late,
            dict.fromkeys(late, rules),
            day_of(day),
            {number: self._noticed(accounts[number]) for number in late},
            dict.fromkeys(late, self._is_held(rules, day)),
        )
        return {
            order.subscription_id: order
            for order in found
            if is_new(order, [level for level in Level if accounts[order.subscription_id].under(level)])
        }

    def _order(self, minute: int, found: Mapping[int, WantedOrder]) -> None:
        for number, order in found.items():
            account = self.accounts[number]
            self.numbers += 1
            fact = RestrictionOrder(order.level, instant(minute), None, order.invoice_ids, id=self.numbers)
            account.facts = replace(account.facts, orders=(*account.facts.orders, fact))
            account.least[fact.id] = order.minimum_open_cents

    def _install(self, account: Account, event: Event) -> None:
        account.facts = replace(account.facts, installed_at=instant(event.minute))

    def _bill(self, account: Account, event: Event) -> None:
        account.due[event.first], account.paid[event.first] = event.second, []
        account.owe(event.first, event.third)

    def _pay(self, account: Account, event: Event) -> None:
        cents = min(event.second, account.open.get(event.first, 0))
        if cents:
            account.owe(event.first, account.open[event.first] - cents)
            account.paid[event.first].append(cents)
            self._lapse(account, event.minute)

    def _reverse(self, account: Account, event: Event) -> None:
        if account.paid.get(event.first):
            account.owe(event.first, account.open.get(event.first, 0) + account.paid[event.first].pop())

    def _void(self, account: Account, event: Event) -> None:
        if event.first in account.open and not account.paid[event.first]:
            account.owe(event.first, 0)
            self._lapse(account, event.minute)

    def _lapse(self, account: Account, minute: int) -> None:
        """As `provisioning.debts` does in the transaction of the payment."""
        orders = tuple(
            order
            if order.lapsed_at is not None or still_justified(order.invoice_ids, account.least[order.id], account.open)
            else replace(order, lapsed_at=instant(minute))
            for order in account.facts.orders
        )
        account.facts = replace(account.facts, orders=orders)

    def _trust(self, account: Account, event: Event) -> None:
        now, until = instant(event.minute), instant(event.minute + event.first * DAY)
        if until <= now or service_state(account.facts, SERVICE, now).state not in RESTRICTED:
            return
        if self._may_trust(account, now, until):
            trust = TrustUnblock(now, until)
            account.facts = replace(account.facts, trusts=(*account.facts.trusts, trust))

    def _end_trust(self, account: Account, event: Event) -> None:
        account.facts = replace(account.facts, trusts=_ended(account.facts.trusts, event.minute))

    def _pause(self, account: Account, event: Event) -> None:
        now = instant(event.minute)
        if service_state(account.facts, SERVICE, now).state in (ServiceState.PAUSED, ServiceState.PENDING_INSTALL):
            return
        pause = Pause(now, _until(event))
        account.facts = replace(account.facts, pauses=(*account.facts.pauses, pause))

    def _resume(self, account: Account, event: Event) -> None:
        account.facts = replace(account.facts, pauses=_ended(account.facts.pauses, event.minute))

    def _speed(self, account: Account, event: Event) -> None:
        override = SpeedOverride(instant(event.minute), _until(event), Speed(event.second, event.second))
        earlier = _ended(account.facts.overrides, event.minute)
        account.facts = replace(account.facts, overrides=(*earlier, override))

    def _end_speed(self, account: Account, event: Event) -> None:
        account.facts = replace(account.facts, overrides=_ended(account.facts.overrides, event.minute))

    def _cancel(self, account: Account, event: Event) -> None:
        account.facts = replace(account.facts, cancelled_at=instant(event.minute))


def _rules(version: int, rule: Rule) -> SuspensionRules:
    return SuspensionRules(
        "Boleto",
        version,
        rule.total_days,
        rule.partial_days,
        rule.minimum_cents,
        rule.notice_days,
        frozenset((5, 6, 7)) if rule.calendar else frozenset(),
        rule.calendar,
        rule.calendar,
    )


def _in_service(account: Account) -> bool:
    return account.facts.installed_at is not None and account.facts.cancelled_at is None


def _told(found: Mapping[int, WantedOrder]) -> dict[int, Order]:
    return {
        number: Order(order.level.value, order.invoice_ids, order.minimum_open_cents) for number, order in found.items()
    }


def _until(event: Event) -> datetime | None:
    return instant(event.minute) + timedelta(days=event.first) if event.first else None


def _ended(facts: tuple[_Fact, ...], minute: int) -> tuple[_Fact, ...]:
    """The facts, with those that hold at this minute ended at it."""
    now = instant(minute)
    return tuple(
        replace(fact, until=now) if fact.since <= now and (fact.until is None or now < fact.until) else fact
        for fact in facts
    )
