"""What tests need to exist before they begin: each call makes one valid thing, its own each time."""

from __future__ import annotations

import itertools
from datetime import timedelta

from core.actor import Actor
from core.database import Transaction
from core.secrets import Secret
from provisioning.debts import record_debt
from provisioning.models import Plan, RestrictionOrderRow, Subscriber, Subscription
from provisioning.orders import order_restriction
from provisioning.plans import add_plan
from provisioning.subscribers import register_subscriber
from provisioning.subscriptions import activate, open_subscription

ANA = Actor("ana", "api", "request-1")
_numbers = itertools.count(1)


def cpf(number: int) -> str:
    """A valid CPF made from a number of up to nine digits."""
    digits = [int(digit) for digit in f"{number:09d}"]
    for _ in range(2):
        weights = range(len(digits) + 1, 1, -1)
        rest = sum(digit * weight for digit, weight in zip(digits, weights, strict=True)) * 10 % 11
        digits.append(0 if rest == 10 else rest)
    return "".join(str(digit) for digit in digits)


def make_subscriber(tx: Transaction, name: str = "Maria da Silva", **values: object) -> Subscriber:
    document = str(values.pop("document", cpf(100_000_000 + next(_numbers))))
    return register_subscriber(tx, name=name, document=document, **values)  # type: ignore[arg-type]


def make_plan(tx: Transaction, **values: object) -> Plan:
    """500M down, 250M up, reduced to 2M and 1M, R$ 99,90, unless told otherwise."""
    given: dict[str, object] = {
        "name": f"Fibra {next(_numbers)}",
        "price_cents": 9990,
        "download_bps": 500_000_000,
        "upload_bps": 250_000_000,
        "reduced_download_bps": 2_000_000,
        "reduced_upload_bps": 1_000_000,
    }
    return add_plan(tx, **{**given, **values})  # type: ignore[arg-type]


def make_subscription(tx: Transaction, *, active: bool = True, **values: object) -> Subscription:
    """A subscription of its own subscriber and plan, installed unless told otherwise."""
    number = next(_numbers)
    given: dict[str, object] = {"login": f"user{number:06d}", "password": Secret(f"pass{number:06d}"), **values}
    given.setdefault("subscriber_id", None)
    given["subscriber_id"] = given["subscriber_id"] or make_subscriber(tx).id
    given["plan_id"] = given.get("plan_id") or make_plan(tx).id
    subscription = open_subscription(tx, **given)  # type: ignore[arg-type]
    return activate(tx, subscription_id=subscription.id) if active else subscription


def restrict(
    tx: Transaction, subscription_id: int, level: str = "total", invoice_id: int = 4711, open_cents: int = 9990
) -> RestrictionOrderRow:
    """Owe something for a month, and be restricted for it."""
    due_on = (tx.now - timedelta(days=30)).date()
    record_debt(tx, subscription_id=subscription_id, invoice_id=invoice_id, due_on=due_on, open_cents=open_cents)
    return order_restriction(tx, subscription_id=subscription_id, level=level, invoice_ids=[invoice_id], rule="rule v1")
