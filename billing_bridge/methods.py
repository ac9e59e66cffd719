"""Billing methods: who is restricted after how many days, as data with a version.

A change of a rule makes a new version; orders carry the version that they were decided by, and every version is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from billing_bridge.models import BillingMethod, SuspensionRuleVersion
from core.database import Transaction
from core.errors import Conflict, InvalidInput
from core.rows import get_row, lock_row
from provisioning.checks import required_text

MOST_DAYS = 365
MOST_CENTS = 100_000_000
LAWFUL_WEEKDAYS = (5, 6, 7)
"""Friday to Sunday: on these no restriction may start (law 14.015/2020)."""

RULES = (
    "total_enabled",
    "total_days",
    "partial_enabled",
    "partial_days",
    "minimum_open_cents",
    "notice_days",
    "held_weekdays",
    "hold_holidays",
    "hold_holiday_eves",
)


def add_billing_method(
    tx: Transaction,
    *,
    name: str,
    total_enabled: bool = True,
    total_days: int = 30,
    partial_enabled: bool = True,
    partial_days: int = 15,
    minimum_open_cents: int = 0,
    notice_days: int = 0,
    held_weekdays: Sequence[int] = LAWFUL_WEEKDAYS,
    hold_holidays: bool = True,
    hold_holiday_eves: bool = True,
    postpaid: bool = False,
) -> BillingMethod:
    """Add a method, rules version 1. Days count from the due date; where both levels are on, partial comes first.

    Unless told otherwise no restriction starts from Friday to Sunday, on a holiday or on its eve, as the law wants.
    `postpaid`: a month of service is due in the month after it.
    """
    values = _checked(
        {
            "name": name,
            "total_enabled": total_enabled,
            "total_days": total_days,
            "partial_enabled": partial_enabled,
            "partial_days": partial_days,
            "minimum_open_cents": minimum_open_cents,
            "notice_days": notice_days,
            "held_weekdays": list(held_weekdays),
            "hold_holidays": hold_holidays,
            "hold_holiday_eves": hold_holiday_eves,
            "postpaid": postpaid,
        }
    )
    method = BillingMethod(created_at=tx.now, rule_version=1, **values)
    _refuse_partial_after_total(method)
    _store(tx, method)
    _keep_version(tx, method)
    tx.audit("add", "billing_method", method.id, after={**values, "rule_version": 1})
    return method


def change_billing_method(tx: Transaction, *, billing_method_id: int, **changes: object) -> BillingMethod:
    """Change the name or rules. A rule that really changes makes a new version; live orders stay as they were given."""
    method = _locked(tx, billing_method_id)
    values = _checked(changes)
    before = {field: getattr(method, field) for field in values}
    changed = {field: value for field, value in values.items() if before[field] != value}
    for field, value in changed.items():
        setattr(method, field, value)
    _refuse_partial_after_total(method)
    if changed.keys() & set(RULES):
        method.rule_version += 1
        _keep_version(tx, method)
    if changed:
        _store(tx, method)
        after = {**changed, "rule_version": method.rule_version}
        tx.audit("change", "billing_method", method.id, {field: before[field] for field in changed}, after)
    return method


def get_billing_method(tx: Transaction, billing_method_id: int) -> BillingMethod:
    return get_row(tx, BillingMethod, billing_method_id, "billing method")


def list_billing_methods(tx: Transaction, *, after: int = 0, limit: int = 100) -> Sequence[BillingMethod]:
    """In order of id, from behind `after`."""
    query = select(BillingMethod).where(BillingMethod.id > after).order_by(BillingMethod.id).limit(limit)
    return tx.session.scalars(query).all()


def rule_versions(tx: Transaction, billing_method_id: int) -> Sequence[SuspensionRuleVersion]:
    """Every version of the method's rules, oldest first."""
    query = select(SuspensionRuleVersion).where(SuspensionRuleVersion.billing_method_id == billing_method_id)
    return tx.session.scalars(query.order_by(SuspensionRuleVersion.version)).all()


def _locked(tx: Transaction, billing_method_id: int) -> BillingMethod:
    return lock_row(tx, BillingMethod, billing_method_id, "billing method")


def _keep_version(tx: Transaction, method: BillingMethod) -> None:
    rules = {field: getattr(method, field) for field in RULES}
    tx.session.add(
        SuspensionRuleVersion(
            billing_method_id=method.id, version=method.rule_version, since=tx.now, set_by=tx.actor.name, **rules
        )
    )


def _store(tx: Transaction, method: BillingMethod) -> None:
    with tx.session.no_autoflush:
        query = select(BillingMethod).where(BillingMethod.name == method.name, BillingMethod.id != (method.id or 0))
        twin = tx.session.scalar(query)
    if twin is not None:
        raise Conflict(
            f"billing method {twin.id} has the name {method.name!r} already", field="name", billing_method_id=twin.id
        )
    try:
        with tx.session.begin_nested():
            tx.session.add(method)
    except IntegrityError as error:
        raise Conflict(f"a billing method has the name {method.name!r} already", field="name") from error


def _refuse_partial_after_total(method: BillingMethod) -> None:
    if method.total_enabled and method.partial_enabled and method.partial_days >= method.total_days:
        rule = f"fewer days than total_days ({method.total_days}), or it would never be reached"
        raise InvalidInput("partial_days", rule, max(1, method.total_days // 2))


def _checked(values: dict[str, object]) -> dict[str, object]:
    checks: dict[str, Callable[[object], object]] = {
        "name": lambda value: required_text(str(value), "name", 60, "Boleto"),
        "total_enabled": lambda value: _switch(value, "total_enabled"),
        "total_days": lambda value: _number(value, "total_days", 1, MOST_DAYS, 30),
        "partial_enabled": lambda value: _switch(value, "partial_enabled"),
        "partial_days": lambda value: _number(value, "partial_days", 1, MOST_DAYS, 15),
        "minimum_open_cents": lambda value: _number(value, "minimum_open_cents", 0, MOST_CENTS, 1000),
        "notice_days": lambda value: _number(value, "notice_days", 0, MOST_DAYS, 15),
        "held_weekdays": _weekdays,
        "hold_holidays": lambda value: _switch(value, "hold_holidays"),
        "hold_holiday_eves": lambda value: _switch(value, "hold_holiday_eves"),
        "postpaid": lambda value: _switch(value, "postpaid"),
    }
    if unknown := set(values) - set(checks):
        raise InvalidInput(sorted(unknown)[0], f"one of {', '.join(checks)}", "total_days")
    return {field: checks[field](value) for field, value in values.items()}


def _switch(value: object, field: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(field, "true or false", True)
    return value


def _number(value: object, field: str, least: int, most: int, example: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidInput(field, f"a whole number from {least} to {most}", example)
    return value


def _weekdays(value: object) -> list[int]:
    """In order, each once; one day of the week at least stays free, or nothing could ever start."""
    days: list[object] = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [None]
    known = {day for day in days if isinstance(day, int) and not isinstance(day, bool) and 1 <= day <= 7}
    if len(known) != len(set(map(str, days))) or len(known) > 6:
        raise InvalidInput("held_weekdays", "at most six days of the week, 1 (Monday) to 7 (Sunday)", [5, 6, 7])
    return sorted(known)
