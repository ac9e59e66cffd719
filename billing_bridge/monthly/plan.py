"""What a month of service costs, when it is due, and what a person should look at before it is billed.

Days are the company's. The day of the installation counts, the day of the cancellation does not, nor do the days of a
pause from its first on; so a move from one subscription to another on one day bills no day twice.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from billing_bridge.calendar.days import due_in
from core.units import format_money

Span = tuple[date, date | None]
"""From a day up to, and without, another one; None: it has no end yet."""
SHIFT_PERCENT = 20


class AlertCode(StrEnum):
    """What an alert is about."""

    NO_PRICE = "no-price"
    PENDING = "pending"
    PAUSED = "paused"
    PAUSED_IN_MONTH = "paused-mid-month"
    SUSPENDED = "suspended"
    INSTALLED_IN_MONTH = "installed-mid-month"
    CANCELLED_IN_MONTH = "cancelled-mid-month"
    CANCELLED = "cancelled"
    DUE_IN_PAST = "due-in-past"
    CHARGED = "already-charged"
    AMOUNT_MOVED = "amount-moved"
    NO_CONTACT = "no-contact"


WARNINGS = frozenset({AlertCode.NO_CONTACT})
"""Shown, but held back by none of them."""
EXCLUDING = frozenset({AlertCode.NO_PRICE, AlertCode.PENDING, AlertCode.PAUSED, AlertCode.CANCELLED, AlertCode.CHARGED})
"""Who has one of these is not billed unless a person says so."""


@dataclass(frozen=True, slots=True)
class Service:
    """The facts about one subscription. `charged`: charges of the month that exist, as words; `last_cents`: the bill of
    the month before; `missing`: names of the contact fields that are empty."""

    plan_name: str
    price_cents: int
    due_day: int
    postpaid: bool = False
    installed_on: date | None = None
    cancelled_on: date | None = None
    pauses: tuple[Span, ...] = ()
    suspensions: tuple[Span, ...] = ()
    charged: tuple[str, ...] = ()
    last_cents: int | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    code: AlertCode
    detail: str

    @property
    def warning(self) -> bool:
        return self.code in WARNINGS


@dataclass(frozen=True, slots=True)
class PlannedBill:
    """One line of a run, before a person has looked at it."""

    description: str
    amount_cents: int
    days: int
    due_on: date
    alerts: tuple[Alert, ...]
    included: bool


def plan_bill(service: Service, month: date, today: date, *, pro_rata: bool) -> PlannedBill:
    """The line of `month` (its first day) as things stand; `pro_rata` bills the days in service only."""
    days = len(days_in_service(service, month))
    amount = shared_out(service.price_cents, days, length(month)) if pro_rata else service.price_cents
    due_on = due_of(month, service.due_day, postpaid=service.postpaid)
    alerts = tuple(_alerts(service, month, today, days, amount, due_on))
    return PlannedBill(
        description=_description(service.plan_name, month, days if pro_rata else length(month)),
        amount_cents=amount,
        days=days,
        due_on=due_on,
        alerts=alerts,
        included=amount > 0 and not EXCLUDING.intersection(alert.code for alert in alerts),
    )


def days_in_service(service: Service, month: date) -> list[date]:
    """The days of the month on which the service was there to be used, suspended for a debt or not."""
    whole = [month + timedelta(days=number) for number in range(length(month))]
    lives = [(service.installed_on, service.cancelled_on)] if service.installed_on else []
    return [day for day in whole if _within(lives, day) and not _within(service.pauses, day)]


def shared_out(cents: int, days: int, of_days: int) -> int:
    """`days` of `of_days` of a sum, half a cent rounded up."""
    return (2 * cents * days + of_days) // (2 * of_days)


def due_of(month: date, due_day: int, *, postpaid: bool) -> date:
    """The due day in the month itself or, where the month is paid afterwards, in the next one."""
    paid_in = month_after(month) if postpaid else month
    return due_in(paid_in.year, paid_in.month, due_day)


def length(month: date) -> int:
    """How many days the month has."""
    return calendar.monthrange(month.year, month.month)[1]


def month_after(month: date) -> date:
    """The first day of the next month."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def month_before(month: date) -> date:
    """The first day of the month before."""
    return (month - timedelta(days=1)).replace(day=1)


def _description(plan_name: str, month: date, days: int) -> str:
    """As it stands on the bill, which is Portuguese."""
    part = "" if days == length(month) else f" ({days} de {length(month)} dias)"
    return f"{plan_name}, {month:%m/%Y}{part}"


def _alerts(service: Service, month: date, today: date, days: int, amount: int, due_on: date) -> list[Alert]:
    absence = _absence(service, month, days)
    found = [absence] if absence else []
    if service.price_cents == 0:
        found.append(Alert(AlertCode.NO_PRICE, "it has no price"))
    if days and all(_within(service.suspensions, day) for day in days_in_service(service, month)):
        found.append(Alert(AlertCode.SUSPENDED, "it is suspended for debt the whole month"))
    if due_on < today:
        found.append(Alert(AlertCode.DUE_IN_PAST, f"its due date, {due_on:%Y-%m-%d}, has passed"))
    if service.charged:
        found.append(Alert(AlertCode.CHARGED, f"the month has charges already: {'; '.join(service.charged)}"))
    if service.last_cents is not None and _moved(service.last_cents, amount):
        found.append(
            Alert(AlertCode.AMOUNT_MOVED, f"{format_money(amount)}, last month {format_money(service.last_cents)}")
        )
    if service.missing:
        found.append(Alert(AlertCode.NO_CONTACT, f"the subscriber has no {', no '.join(service.missing)}"))
    return found


def _absence(service: Service, month: date, days: int) -> Alert | None:
    """Why a part of the month, or all of it, is not in service."""
    end, part = month_after(month), f"{days} of {length(month)} days"
    if service.installed_on is None or service.installed_on >= end:
        return Alert(AlertCode.PENDING, "it is not installed in this month")
    if service.cancelled_on is not None and service.cancelled_on <= max(month, service.installed_on):
        return Alert(AlertCode.CANCELLED, f"it was cancelled on {service.cancelled_on:%Y-%m-%d}")
    if days == 0:
        return Alert(AlertCode.PAUSED, "it is paused the whole month")
    if service.cancelled_on is not None and service.cancelled_on < end:
        return Alert(AlertCode.CANCELLED_IN_MONTH, f"cancelled on {service.cancelled_on:%Y-%m-%d}: {part}")
    if service.installed_on > month:
        return Alert(AlertCode.INSTALLED_IN_MONTH, f"installed on {service.installed_on:%Y-%m-%d}: {part}")
    if days < length(month):
        return Alert(AlertCode.PAUSED_IN_MONTH, f"paused for a part of it: {part}")
    return None


def _moved(last: int, now: int) -> bool:
    return abs(now - last) * 100 > last * SHIFT_PERCENT


def _within(spans: Sequence[Span], day: date) -> bool:
    return any(since <= day and (until is None or day < until) for since, until in spans)
