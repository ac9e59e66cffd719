"""Why nobody is restricted who might be: each reason by name, at its boundary."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from billing_bridge.dunning.candidates import new_orders
from billing_bridge.dunning.why_not import WhyNot, why_not_restricted
from billing_bridge.models import BillingMethod
from billing_bridge.notices.models import DebtNotice
from core.alarms import raise_alarm
from core.database import Database, Transaction
from core.errors import NotFound
from core.runtime import Runtime
from provisioning.cancellation import cancel
from provisioning.explain.words import ENGLISH, PORTUGUESE
from provisioning.models import Subscription, TrustUnblockRow
from provisioning.orders import order_restriction
from tests.factories import make_subscription
from tests.factories_api import Client
from tests.factories_billing import make_billed, make_invoice, make_method
from tests.ticking import FakeClock

DAY = date(2026, 3, 2)


def notice(tx: Transaction, subscription: Subscription, invoice_id: int, days_ago: int) -> None:
    tx.session.add(
        DebtNotice(
            subscription_id=subscription.id, invoice_id=invoice_id, level="partial", created_at=tx.now, open_cents=9990,
            given_on=DAY - timedelta(days=days_ago), restriction_from=DAY,
        )
    )  # fmt: skip


def codes(found: WhyNot) -> list[str]:
    return [reason.code for reason in found.reasons]


@pytest.mark.parametrize(
    ("late", "cents", "rules", "expected"),
    [
        pytest.param(None, 0, {}, ["nothing_late"], id="nothing owed"),
        pytest.param(0, 9990, {}, ["nothing_late"], id="due today"),
        pytest.param(20, 999, {}, ["minimum"], id="a cent below the minimum"),
        pytest.param(14, 9990, {}, ["days"], id="the day before"),
        pytest.param(15, 9990, {}, ["next_run"], id="the day"),
        pytest.param(30, 9990, {"total_days": None, "partial_days": None}, ["rules_off"], id="both levels off"),
        pytest.param(30, 9990, {"notice_days": 5}, ["not_told"], id="never told"),
        pytest.param(30, 9990, {"held_weekdays": (1,)}, ["weekday"], id="a held weekday"),
        pytest.param(14, 9990, {"held_weekdays": (1,)}, ["days", "weekday"], id="too young on a held weekday"),
    ],
)
def test_what_the_rules_say(
    database: Database, late: int | None, cents: int, rules: dict[str, object], expected: list[str]
) -> None:
    with database.transaction() as tx:
        subscription = make_billed(tx, make_method(tx, **rules))  # type: ignore[arg-type]
        if late is not None:
            make_invoice(tx, subscription, late=late, cents=cents)
        found = why_not_restricted(tx, subscription.id, ENGLISH)
        assert (codes(found), found.day) == (expected, DAY)
        assert found.wanted is bool(new_orders(tx, [subscription.id], DAY))


@pytest.mark.parametrize(
    ("days_ago", "expected", "until"),
    [
        pytest.param(9, "told_lately", date(2026, 3, 3), id="a day too lately"),
        pytest.param(10, "next_run", None, id="long enough ago"),
    ],
)
def test_what_a_notice_says(database: Database, days_ago: int, expected: str, until: date | None) -> None:
    with database.transaction() as tx:
        subscription = make_billed(tx, make_method(tx, notice_days=10))
        notice(tx, subscription, make_invoice(tx, subscription, late=20).id, days_ago)
        [reason] = why_not_restricted(tx, subscription.id, ENGLISH).reasons
        assert (reason.code, reason.until) == (expected, until)


def _trusted(tx: Transaction, subscription: Subscription, _method: BillingMethod) -> Subscription:
    tx.session.add(
        TrustUnblockRow(
            subscription_id=subscription.id, since=tx.now, until=tx.now + timedelta(days=2), note="x", granted_by="ana"
        )
    )
    return subscription


def _suspended(tx: Transaction, subscription: Subscription, _method: BillingMethod) -> Subscription:
    invoice = make_invoice(tx, subscription, late=40)
    order_restriction(tx, subscription_id=subscription.id, level="total", invoice_ids=[invoice.id])
    return subscription


def _cancelled(tx: Transaction, subscription: Subscription, _method: BillingMethod) -> Subscription:
    cancel(tx, subscription_id=subscription.id)
    return subscription


def _guarded(tx: Transaction, subscription: Subscription, _method: BillingMethod) -> Subscription:
    raise_alarm(tx, "clock-jump", "here", detail="the clock jumped")
    return subscription


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(_trusted, "trust", id="on trust"),
        pytest.param(_suspended, "restricted", id="suspended"),
        pytest.param(_cancelled, "cancelled", id="cancelled"),
        pytest.param(_guarded, "guard", id="a guard holds"),
        pytest.param(lambda tx, s, method: make_billed(tx, method, active=False), "not_installed", id="not installed"),
        pytest.param(lambda tx, s, m: make_subscription(tx), "no_account", id="no account"),
    ],
)
def test_what_else_stands_in_the_way(
    database: Database, change: Callable[[Transaction, Subscription, BillingMethod], Subscription], expected: str
) -> None:
    with database.transaction() as tx:
        method = make_method(tx)
        late = make_billed(tx, method)
        make_invoice(tx, late, late=40)
        subscription = change(tx, late, method)
        tx.session.flush()
        assert codes(why_not_restricted(tx, subscription.id, ENGLISH)) == [expected]


@pytest.mark.parametrize(
    ("late", "expected", "wanted"),
    [
        pytest.param(29, "it is restricted already: a partial order holds", False, id="total only tomorrow"),
        pytest.param(30, "the rules want it restricted: the next run does it", True, id="total today"),
    ],
)
def test_who_is_reduced_waits_for_total(database: Database, late: int, expected: str, wanted: bool) -> None:
    with database.transaction() as tx:
        subscription = make_billed(tx, make_method(tx))
        invoice = make_invoice(tx, subscription, late=late)
        order_restriction(tx, subscription_id=subscription.id, level="partial", invoice_ids=[invoice.id])
        found = why_not_restricted(tx, subscription.id, ENGLISH)
        assert ([reason.sentence for reason in found.reasons], found.wanted) == ([expected], wanted)


def test_the_calendar_in_both_languages(database: Database, clock: FakeClock) -> None:
    clock.now = datetime(2026, 4, 2, 12, tzinfo=UTC)  # the Thursday before Good Friday
    with database.transaction() as tx:
        subscription = make_billed(
            tx, make_method(tx, hold_holidays=True, hold_holiday_eves=True, held_weekdays=(5, 6, 7))
        )
        make_invoice(tx, subscription, late=40)
        told = [why_not_restricted(tx, subscription.id, language).reasons for language in (ENGLISH, PORTUGUESE)]
        assert [(item.sentence, item.until) for [item] in told] == [
            (
                "02/04 is the eve of Sexta-feira Santa: no restriction starts then; from 06/04 on it may",
                date(2026, 4, 6),
            ),
            (
                "02/04 é véspera de Sexta-feira Santa: nenhuma restrição começa; a partir de 06/04 pode começar",
                date(2026, 4, 6),
            ),
        ]


def test_who_is_not_there(database: Database) -> None:
    with database.reading() as tx, pytest.raises(NotFound, match="subscription 999"):
        why_not_restricted(tx, 999, ENGLISH)


def test_the_verb(runtime: Runtime) -> None:
    client = Client(runtime)
    with runtime.database.transaction() as tx:
        subscription = make_billed(tx, make_method(tx))
        invoice = make_invoice(tx, subscription, late=14).id
    answer = client.get(f"/subscriptions/{subscription.id}/why-not-restricted", lang="pt-BR").content
    oldest = f"a fatura mais antiga, {invoice}, venceu em 16/02"
    assert answer == {
        "subscription_id": subscription.id,
        "day": "2026-03-02",
        "wanted": False,
        "reasons": [
            {
                "code": "days",
                "sentence": f"{oldest}: Boleto restringe após 15 dias, em 03/03",
                "until": "2026-03-03",
            }
        ],
    }
