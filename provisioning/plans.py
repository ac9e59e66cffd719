"""Plans: what is sold, at which price and speed."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import inspect, select
from sqlalchemy.exc import IntegrityError

from core.database import Transaction
from core.errors import Conflict, InvalidInput
from core.rows import get_row
from provisioning.checks import optional_text, rate, required_text
from provisioning.models import Plan

_MOST_CENTS = 100_000_000
_COPIED = tuple(column.key for column in inspect(Plan).column_attrs if column.key not in ("id", "created_at"))


def add_plan(
    tx: Transaction,
    *,
    name: str,
    price_cents: int,
    download_bps: int,
    upload_bps: int,
    reduced_download_bps: int | None = None,
    reduced_upload_bps: int | None = None,
    technology: str = "",
    group: str = "",
    pool: str = "",
    address_list: str = "",
    ipv6_pool: str = "",
    delegated_ipv6_pool: str = "",
) -> Plan:
    """Add a plan. Reduced speeds go in pairs; without them the company's reduced speed holds."""
    values = _checked(
        {
            "name": name,
            "price_cents": price_cents,
            "download_bps": download_bps,
            "upload_bps": upload_bps,
            "reduced_download_bps": reduced_download_bps,
            "reduced_upload_bps": reduced_upload_bps,
            "technology": technology,
            "group": group,
            "pool": pool,
            "address_list": address_list,
            "ipv6_pool": ipv6_pool,
            "delegated_ipv6_pool": delegated_ipv6_pool,
        }
    )
    plan = Plan(created_at=tx.now, **values)
    _refuse_half_reduced(plan)
    _store(tx, plan)
    tx.audit("add", "plan", plan.id, after=values)
    return plan


def change_plan(tx: Transaction, *, plan_id: int, **changes: object) -> Plan:
    """Change a plan; its subscriptions follow by themselves, live sessions included."""
    plan = get_plan(tx, plan_id)
    values = _checked(changes)
    before = {field: getattr(plan, field) for field in values}
    for field, value in values.items():
        setattr(plan, field, value)
    _refuse_half_reduced(plan)
    _store(tx, plan)
    tx.audit("change", "plan", plan.id, before, values)
    tx.enqueue("plan.changed", str(plan.id))
    return plan


def clone_plan(tx: Transaction, *, plan_id: int, name: str, **changes: object) -> Plan:
    """A new plan like this one, but for its name and for `changes` (any field that a plan has)."""
    source = get_plan(tx, plan_id)
    different = {"name": name, **changes}
    same = {key: getattr(source, key) for key in _COPIED if key not in different}
    plan = Plan(created_at=tx.now, **same, **_checked(different))
    _refuse_half_reduced(plan)
    _store(tx, plan)
    shown = {key: getattr(plan, key) for key in different}
    tx.audit("clone", "plan", plan.id, {"cloned_from": source.id, "name": source.name}, shown)
    return plan


def get_plan(tx: Transaction, plan_id: int) -> Plan:
    return get_row(tx, Plan, plan_id, "plan")


def checked_price(value: object) -> int:
    """Whole cents a month."""
    if not isinstance(value, int) or not 0 <= value <= _MOST_CENTS:
        raise InvalidInput("price_cents", f"whole cents from 0 to {_MOST_CENTS}", 9990)
    return value


def _store(tx: Transaction, plan: Plan) -> None:
    with tx.session.no_autoflush:
        twin = tx.session.scalar(select(Plan).where(Plan.name == plan.name, Plan.id != (plan.id or 0)))
    if twin is not None:
        raise Conflict(f"plan {twin.id} has the name {plan.name!r} already", field="name", plan_id=twin.id)
    try:
        with tx.session.begin_nested():
            tx.session.add(plan)
    except IntegrityError as error:
        raise Conflict(f"a plan has the name {plan.name!r} already", field="name") from error


def _refuse_half_reduced(plan: Plan) -> None:
    if (plan.reduced_download_bps is None) != (plan.reduced_upload_bps is None):
        missing = "reduced_upload_bps" if plan.reduced_upload_bps is None else "reduced_download_bps"
        raise InvalidInput(missing, "reduced speeds are given for both directions or for neither", "1M")


def _checked(values: dict[str, object]) -> dict[str, object]:
    checks: dict[str, Callable[[object], object]] = {
        "name": lambda value: required_text(str(value), "name", 120, "Fibra 500 Mega"),
        "price_cents": checked_price,
        "download_bps": lambda value: _rate(value, "download_bps"),
        "upload_bps": lambda value: _rate(value, "upload_bps"),
        "reduced_download_bps": lambda value: None if value is None else _rate(value, "reduced_download_bps"),
        "reduced_upload_bps": lambda value: None if value is None else _rate(value, "reduced_upload_bps"),
        "technology": lambda value: optional_text(str(value), "technology", 40, "FTTH"),
        "group": lambda value: optional_text(str(value), "group", 64, "residencial"),
        "pool": lambda value: optional_text(str(value), "pool", 64, "cgnat-1"),
        "address_list": lambda value: optional_text(str(value), "address_list", 64, "clientes"),
        "ipv6_pool": lambda value: optional_text(str(value), "ipv6_pool", 64, "v6-enlace"),
        "delegated_ipv6_pool": lambda value: optional_text(str(value), "delegated_ipv6_pool", 64, "v6-clientes"),
    }
    if unknown := set(values) - set(checks):
        raise InvalidInput(sorted(unknown)[0], f"one of {', '.join(checks)}", "name")
    return {field: checks[field](value) for field, value in values.items()}


def _rate(value: object, field: str) -> int:
    if not isinstance(value, int):
        raise InvalidInput(field, "a whole number of bits per second", 50_000_000)
    return rate(value, field)
