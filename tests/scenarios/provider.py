"""What a scenario's provider sells and to whom, set up through the API as an operator would."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from core.clock import Clock
from lab.product import Api
from tests.factories import cpf
from tests.scenarios.installation import NAS_SECRET

ZONE = ZoneInfo("America/Sao_Paulo")
PASSWORD = "s3nha-d0-assinante"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Provider:
    """Ids of what every subscriber shares."""

    nas_id: int
    plan_id: int
    method_id: int
    subnet_id: int


@dataclass(frozen=True)
class Customer:
    """One subscription with its login; `address` is its fixed address, "" when it has none."""

    subscription_id: int
    login: str
    address: str = ""


def found(api: Api, coa_port: int = 3799, *, network: str = "127.0.0.1") -> Provider:
    """A router, a plan (500M down, 250M up; reduced 2M and 1M), a billing method (5 and 15 days), an address plan."""
    nas = api.post(
        "/nas", name="borda-1", network=network, secret=NAS_SECRET, vendor="mikrotik", coa_port=coa_port,
        mac_auth=True, coa_echoes_class=True,
    )  # fmt: skip
    plan = api.post(
        "/plans", name="Fibra 500 Mega", price_cents=9990, download_bps="500M", upload_bps="250M",
        reduced_download_bps="2M", reduced_upload_bps="1M",
    )  # fmt: skip
    method = api.post(
        "/billing-methods", name="Boleto", partial_enabled=True, partial_days=5, total_enabled=True, total_days=15,
        minimum_open_cents=1000, held_weekdays=[], hold_holidays=False, hold_holiday_eves=False,  # on any day
    )  # fmt: skip
    folder = api.post("/folders", name="Campinas")
    subnet = api.post("/subnets", folder_id=folder["id"], name="Fixed", cidr="198.51.100.0/24")
    return Provider(nas["id"], plan["id"], method["id"], subnet["id"])


def sign_up(api: Api, provider: Provider, login: str, *, fixed: bool = False, mac: str = "") -> Customer:
    """An installed subscription of a subscriber of its own, with billing; with `mac` it is IPoE and has no login."""
    subscriber = api.post("/subscribers", name=f"Titular de {login}", document=cpf(200_000_000 + next(_numbers)))
    credentials = {"mac": mac} if mac else {"login": login, "password": PASSWORD}
    opened = api.post("/subscriptions", subscriber_id=subscriber["id"], plan_id=provider.plan_id, **credentials)
    key = int(opened["id"])
    api.post(f"/subscriptions/{key}/activate")
    api.post(f"/subscriptions/{key}/billing", billing_method_id=provider.method_id, due_day=10)
    address = api.post(f"/subscriptions/{key}/address", subnet_id=provider.subnet_id)["address"] if fixed else ""
    return Customer(key, login, address)


def invoice(api: Api, clock: Clock, customer: Customer, *, due_in_days: int) -> int:
    """An invoice over R$ 99,90, its due date counted from today; gives its id."""
    due_on = clock().astimezone(ZONE).date() + timedelta(days=due_in_days)
    issued = api.post(
        "/invoices/charge-and-invoice", subscription_id=customer.subscription_id, description="Fibra 500 Mega",
        amount_cents=9990, due_on=due_on.isoformat(),
    )  # fmt: skip
    return int(issued["id"])
