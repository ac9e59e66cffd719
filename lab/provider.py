"""The made-up provider: a NAS, an address plan, plans, a billing method, and three subscribers."""

from __future__ import annotations

import time
from dataclasses import dataclass

from lab.product import Api
from lab.tower import CARLOS, CARLOS_PASSWORD

NAS_SECRET = "lab-secret-of-the-edge-router"
MARIA, MARIA_PASSWORD = "maria@lab", "m4ria-s3nha"
JOAO_MAC = "02:00:5e:10:00:01"
PATIENCE = 15.0


@dataclass(frozen=True, slots=True)
class Provider:
    """Ids of what was made."""

    nas_id: int
    plan_id: int
    billing_method_id: int
    maria: int
    joao: int
    joao_address: str
    carlos: int


def found_provider(api: Api, nas_address: str, coa_port: int) -> Provider:
    """Set everything up through the API, as an operator would."""
    nas = api.post(
        "/nas", name="borda-1", network=nas_address, secret=NAS_SECRET, vendor="mikrotik",
        coa_port=coa_port, mac_auth=True, coa_echoes_class=True,
    )  # fmt: skip
    plan = api.post(
        "/plans", name="Fibra 500 Mega", price_cents=9990, download_bps="500M", upload_bps="250M",
        reduced_download_bps="2M", reduced_upload_bps="1M", technology="FTTH",
    )  # fmt: skip
    method = api.post(
        "/billing-methods", name="Boleto", partial_enabled=True, partial_days=5,
        total_enabled=True, total_days=15, minimum_open_cents=1000,
        held_weekdays=[], hold_holidays=False, hold_holiday_eves=False,  # the story is told on any day
    )  # fmt: skip
    maria = _subscriber(api, "Maria da Silva", "390.533.447-05", plan["id"], login=MARIA, password=MARIA_PASSWORD)
    joao = _subscriber(api, "Padaria do João Ltda", "11.222.333/0001-81", plan["id"], mac=JOAO_MAC)
    radio = api.post(
        "/plans", name="Rádio 50 Mega", price_cents=6990, download_bps="50M", upload_bps="25M",
        reduced_download_bps="2M", reduced_upload_bps="1M", technology="radio", pool="clientes",
    )  # fmt: skip
    carlos = _subscriber(api, "Carlos Pereira", "529.982.247-25", radio["id"], login=CARLOS, password=CARLOS_PASSWORD)
    for subscription in (maria, joao, carlos):
        api.post(f"/subscriptions/{subscription}/billing", billing_method_id=method["id"], due_day=10)
    subnet = _address_plan(api)
    fixed = api.post(f"/subscriptions/{joao}/address", subnet_id=subnet)
    _await_records(api)
    return Provider(nas["id"], plan["id"], method["id"], maria, joao, fixed["address"], carlos)


def _subscriber(api: Api, name: str, document: str, plan_id: int, **credentials: str) -> int:
    subscriber = api.post("/subscribers", name=name, document=document, city="Campinas", region="SP")
    subscription = api.post("/subscriptions", subscriber_id=subscriber["id"], plan_id=plan_id, **credentials)
    api.post(f"/subscriptions/{subscription['id']}/activate")
    return int(subscription["id"])


def _await_records(api: Api) -> None:
    """RADIUS knows of a change a moment after it; whoever dials in that moment gets what was true before."""
    deadline = time.monotonic() + PATIENCE
    while not all(host["current"] for host in api.post("/radius/test", login=JOAO_MAC)["hosts"]):
        if time.monotonic() > deadline:
            raise TimeoutError("RADIUS does not get the records")
        time.sleep(0.02)


def _address_plan(api: Api) -> int:
    folder = api.post("/folders", name="Campinas")
    subnet = api.post(
        "/subnets", folder_id=folder["id"], name="Fixed addresses", cidr="198.51.100.0/28", gateway="198.51.100.1"
    )
    return int(subnet["id"])
