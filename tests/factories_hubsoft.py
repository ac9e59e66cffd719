"""A HubSoft and a provider that it knows, for tests of full comparisons."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select

import billing_bridge.intake.tasks  # noqa: F401  (registers the feed)
from billing_bridge.intake.models import BillingSource, IntakeRun
from billing_bridge.intake.reconcile import reconcile
from billing_bridge.intake.sources import get_source
from billing_bridge.models import Invoice
from core.actor import Actor
from core.alarms import open_alarms
from core.runtime import Runtime
from core.secrets import Secret
from lab.gateways.hubsoft import Bill, Client, HubSoftSimulator
from provisioning.models import Subscription
from tests.factories import make_subscriber, make_subscription
from tests.factories_intake import make_source

ROUTINE = Actor("routine 1 sync", "routine")
DUE = date(2026, 2, 10)


class Provider:
    """A source, and subscribers that both sides know: `clients` there, `subscriptions` here, by login."""

    def __init__(self, runtime: Runtime, hubsoft: HubSoftSimulator, count: int = 4) -> None:
        self.runtime, self.hubsoft = runtime, hubsoft
        self.clients: dict[str, Client] = {}
        self.subscriptions: dict[str, Subscription] = {}
        with runtime.database.transaction() as tx:
            self.source = make_source(
                tx,
                "HubSoft",
                kind="hubsoft",
                base_url=hubsoft.url,
                client_id="12",
                username="api",
                secret=Secret(hubsoft.credentials["client_secret"]),
                password=Secret(hubsoft.credentials["password"]),
            ).id
            for number in range(count):
                owner, login = make_subscriber(tx), f"user-{number}"
                self.subscriptions[login] = make_subscription(tx, subscriber_id=owner.id, login=login)
                self.clients[login] = hubsoft.add_client(owner.name, owner.document, login)

    def bill(self, number: int, cents: int = 9990, due_on: date = DUE) -> Bill:
        return self.hubsoft.add_bill(self.clients[f"user-{number}"], cents, due_on)

    def compare(self, *, dry_run: bool = False, accept_smaller: bool = False) -> IntakeRun:
        return reconcile(self.runtime, self.source, ROUTINE, dry_run=dry_run, accept_smaller=accept_smaller)

    def seen(self) -> BillingSource:
        with self.runtime.database.reading() as tx:
            return get_source(tx, self.source)

    def alarms(self) -> list[str]:
        with self.runtime.database.reading() as tx:
            return [alarm.kind for alarm in open_alarms(tx)]

    def mirrors(self) -> dict[str, str]:
        with self.runtime.database.reading() as tx:
            return {str(row.external_id): row.status.value for row in tx.session.scalars(select(Invoice))}


def counts(run: IntakeRun) -> dict[str, int]:
    names = ("seen", "unchanged", "created", "changed", "closed", "unmatched", "conflicts", "refused")
    return {name: getattr(run, name) for name in names if getattr(run, name)}
