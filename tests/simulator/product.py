"""The whole product as an engine: its commands, jobs and tables, on a database and a clock that the year moves."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

from sqlalchemy import select

from billing_bridge.accounts import set_billing
from billing_bridge.calendar.holiday_book import add_holiday
from billing_bridge.dunning.approval import approve_run
from billing_bridge.dunning.candidates import new_orders
from billing_bridge.dunning.lines import lines_of
from billing_bridge.dunning.runs import HELD, WAITING
from billing_bridge.dunning.work import start_run
from billing_bridge.invoices import cancel_invoice, charge_and_invoice, get_invoice
from billing_bridge.methods import add_billing_method, change_billing_method
from billing_bridge.models import DunningRun, Payment, Receipt
from billing_bridge.notices.commands import give_notices
from billing_bridge.payments import receive, reverse_receipt
from core.alarms import end_alarm, raise_alarm
from core.database import Transaction
from core.errors import CatracaError
from core.jobs import run_job, sweep
from core.runtime import Runtime
from core.secrets import Secret
from core.settings import Settings
from provisioning.cancellation import cancel
from provisioning.fact_store import load_known, rules_from
from provisioning.facts import Level
from provisioning.jobs import apply_service_changes
from provisioning.models import RestrictionOrderRow, TimelineEntry
from provisioning.pauses import pause, resume
from provisioning.plans import add_plan
from provisioning.service_state import service_state
from provisioning.speed.commands import end_speed_override, override_speed
from provisioning.subscribers import register_subscriber
from provisioning.subscriptions import activate, open_subscription
from provisioning.trust.unblock import end_trust_unblock, grant_trust_unblock
from tests.factories import cpf
from tests.simulator.reference import PLAN, REDUCED, Order
from tests.simulator.world import DAY, Event, Rule, Run, World, day_of, instant
from tests.ticking import FakeClock


def settings_of(world: World, settings: Settings) -> Settings:
    """The settings with the world's cap, whatever the number of subscriptions."""
    cap = {"suspension_cap_minimum": world.cap, "suspension_cap_percent": 1e-9}
    return settings.model_copy(update=cap)


class Product:
    """An engine on a runtime whose clock is `clock`; its settings take the world's cap (`settings_of`)."""

    def __init__(self, world: World, runtime: Runtime, clock: FakeClock) -> None:
        self.world, self.runtime, self.clock = world, runtime, clock
        self.invoices: dict[tuple[int, int], int] = {}
        self.numbers: dict[int, int] = {}
        self.invoice_numbers: dict[int, int] = {}
        self.version = 1
        self.waiting = 0
        clock.now = instant(0) - timedelta(hours=1)
        with runtime.database.transaction() as tx:
            self.ids = self._found(tx)
        self.numbers = {key: number for number, key in enumerate(self.ids)}

    def apply(self, number: int, event: Event) -> None:
        self._move(event.minute)
        with suppress(CatracaError), self.runtime.database.transaction() as tx:
            getattr(self, "_" + event.kind.replace("-", "_"))(tx, number, event)
        self._work()

    def notices(self, minute: int) -> Mapping[int, list[int]]:
        self._move(minute)
        with self.runtime.database.transaction() as tx:
            last = max(tx.session.scalars(select(TimelineEntry.id)), default=0)
            give_notices(tx)
        self._work()
        given: dict[int, list[int]] = {}
        with self.runtime.database.reading() as tx:
            query = select(TimelineEntry).where(TimelineEntry.id > last, TimelineEntry.event == "notice.given")
            for entry in tx.session.scalars(query):
                told = given.setdefault(self.numbers[entry.subscription_id], [])
                told += [self.invoice_numbers[row["invoice_id"]] for row in entry.details["invoices"]]
        return {number: sorted(found) for number, found in given.items()}

    def run(self, run: Run) -> tuple[Mapping[int, Order], bool]:
        self._move(run.minute)
        with self.runtime.database.transaction() as tx:
            if run.held:
                raise_alarm(tx, "feed-failing", "simulator", detail="nothing comes from the source")
            started = start_run(tx, origin=f"minute {run.minute}")
        self._work()
        with self.runtime.database.transaction() as tx:
            end_alarm(tx, "feed-failing", "simulator")
            found = tx.session.get_one(DunningRun, started.id)
            assert (found.status == HELD) == run.held
            if found.status != WAITING:
                return self._ordered(tx, found), False
            self.waiting = found.id
            return self._planned(tx, found), True

    def approve(self, minute: int, numbers: list[int]) -> Mapping[int, Order]:
        self._move(minute)
        with self.runtime.database.transaction() as tx:
            approve_run(tx, self.waiting, subscription_ids=[self.ids[number] for number in numbers])
        self._work()
        with self.runtime.database.reading() as tx:
            return self._ordered(tx, tx.session.get_one(DunningRun, self.waiting))

    def state(self, number: int, minute: int) -> tuple[str, int | None]:
        """By the facts, at any minute; where it is the present one, what the row says has to be the same."""
        present = instant(minute) >= self.clock.now
        if present:
            self._move(minute)
            apply_service_changes(self.runtime)
        with self.runtime.database.reading() as tx:
            [known] = load_known(tx, [self.ids[number]])
            found = service_state(known.facts, rules_from(tx.settings), instant(minute))
            assert not present or known.state == found.state.value, f"the row says {known.state}, not {found.state}"
        return found.state.value, found.speed.download_bps if found.speed else None

    def _found(self, tx: Transaction) -> list[int]:
        self.method = add_billing_method(tx, name="Boleto", **_rule(self.world.rule_on(0)[1])).id  # type: ignore[arg-type]
        for day in sorted(self.world.added):
            add_holiday(tx, day=day_of(day), name=f"day {day}")
        plan = add_plan(
            tx, name="Fibra", price_cents=9990, download_bps=PLAN, upload_bps=PLAN,
            reduced_download_bps=REDUCED, reduced_upload_bps=REDUCED,
        )  # fmt: skip
        return [self._open(tx, plan.id, number) for number in range(len(self.world.lives))]

    def _open(self, tx: Transaction, plan_id: int, number: int) -> int:
        subscriber = register_subscriber(tx, name=f"Subscriber {number}", document=cpf(200_000_000 + number))
        login = {"login": f"user{number}", "password": Secret("secret-word")}
        key = open_subscription(tx, subscriber_id=subscriber.id, plan_id=plan_id, **login).id  # type: ignore[arg-type]
        set_billing(tx, subscription_id=key, billing_method_id=self.method, due_day=10)
        return key

    def _move(self, minute: int) -> None:
        self.clock.now = max(self.clock.now, instant(minute))
        version, rule = self.world.rule_on(minute // DAY)
        if version != self.version:
            with self.runtime.database.transaction() as tx:
                change_billing_method(tx, billing_method_id=self.method, **_rule(rule))
            self.version = version

    def _work(self) -> None:
        """What a worker would do now."""
        while waiting := sweep(self.runtime):
            for job_id in waiting:
                run_job(self.runtime, job_id)

    def _ordered(self, tx: Transaction, run: DunningRun) -> dict[int, Order]:
        rows = tx.session.scalars(select(RestrictionOrderRow).where(RestrictionOrderRow.run == run.name))
        return {
            self.numbers[row.subscription_id]: self._order(row.level, row.invoice_ids, row.minimum_open_cents)
            for row in rows
        }

    def _planned(self, tx: Transaction, run: DunningRun) -> dict[int, Order]:
        lines = lines_of(tx, run.id, limit=100_000)
        wanted = {
            order.subscription_id: order for order in new_orders(tx, [row.subscription_id for row in lines], run.day)
        }
        assert [(row.level, row.invoice_ids) for row in lines] == [
            (wanted[row.subscription_id].level, list(wanted[row.subscription_id].invoice_ids)) for row in lines
        ]
        return {
            self.numbers[key]: self._order(order.level, order.invoice_ids, order.minimum_open_cents)
            for key, order in wanted.items()
        }

    def _order(self, level: str, invoice_ids: list[int] | tuple[int, ...], least: int) -> Order:
        return Order(Level(level).value, tuple(sorted(self.invoice_numbers[key] for key in invoice_ids)), least)

    def _install(self, tx: Transaction, number: int, _event: Event) -> None:
        activate(tx, subscription_id=self.ids[number])

    def _bill(self, tx: Transaction, number: int, event: Event) -> None:
        invoice = charge_and_invoice(
            tx, subscription_id=self.ids[number], description=f"Month {event.first}", amount_cents=event.third,
            due_on=day_of(event.second),
        )  # fmt: skip
        self.invoices[number, event.first] = invoice.id
        self.invoice_numbers[invoice.id] = event.first

    def _pay(self, tx: Transaction, number: int, event: Event) -> None:
        invoice_id = self.invoices[number, event.first]
        cents = min(event.second, get_invoice(tx, invoice_id).open_cents)
        if cents:
            receive(tx, invoice_id=invoice_id, amount_cents=cents)

    def _reverse(self, tx: Transaction, number: int, event: Event) -> None:
        query = select(Receipt.id).join(Payment).where(Payment.invoice_id == self.invoices[number, event.first])
        last = tx.session.scalar(query.where(Receipt.reversed_at.is_(None)).order_by(Receipt.id.desc()).limit(1))
        if last is not None:
            reverse_receipt(tx, receipt_id=last, note="it bounced")

    def _void(self, tx: Transaction, number: int, event: Event) -> None:
        cancel_invoice(tx, invoice_id=self.invoices[number, event.first], note="a mistake")

    def _trust(self, tx: Transaction, number: int, event: Event) -> None:
        until = tx.now + timedelta(days=event.first)
        grant_trust_unblock(tx, subscription_id=self.ids[number], until=until, note="will pay")

    def _end_trust(self, tx: Transaction, number: int, _event: Event) -> None:
        end_trust_unblock(tx, subscription_id=self.ids[number])

    def _pause(self, tx: Transaction, number: int, event: Event) -> None:
        until = tx.now + timedelta(days=event.first) if event.first else None
        pause(tx, subscription_id=self.ids[number], until=until)

    def _resume(self, tx: Transaction, number: int, _event: Event) -> None:
        resume(tx, subscription_id=self.ids[number])

    def _speed(self, tx: Transaction, number: int, event: Event) -> None:
        until = tx.now + timedelta(days=event.first) if event.first else None
        speed = event.second
        override_speed(tx, subscription_id=self.ids[number], download_bps=speed, upload_bps=speed, until=until)

    def _end_speed(self, tx: Transaction, number: int, _event: Event) -> None:
        end_speed_override(tx, subscription_id=self.ids[number])

    def _cancel(self, tx: Transaction, number: int, _event: Event) -> None:
        cancel(tx, subscription_id=self.ids[number], cancel_open_invoices=False)


def _rule(rule: Rule) -> dict[str, object]:
    return {
        "total_enabled": rule.total_days is not None,
        "total_days": rule.total_days or 365,
        "partial_enabled": rule.partial_days is not None,
        "partial_days": rule.partial_days or 1,
        "minimum_open_cents": rule.minimum_cents,
        "notice_days": rule.notice_days,
        "held_weekdays": [5, 6, 7] if rule.calendar else [],
        "hold_holidays": rule.calendar,
        "hold_holiday_eves": rule.calendar,
    }
