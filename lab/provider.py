"""The made-up provider: a router, an address plan, a plan, a billing method, and two subscribers."""

from __future__ import annotations

from dataclasses import dataclass

from lab.product import Api

NAS_SECRET = "lab-secret-of-the-edge-router"
MARIA, MARIA_PASSWORD = "maria@lab", "m4ria-s3nha"
JOAO_MAC = "02:00:5e:10:00:01"


@dataclass(frozen=True, slots=True)
class Provider:
    """Ids of what was made."""

    nas_id: int
    plan_id: int
    billing_method_id: int
    maria: int
    joao: int
    joao_address: str


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
    for subscription in (maria, joao):
        api.post(f"/subscriptions/{subscription}/billing", billing_method_id=method["id"], due_day=10)
    subnet = _address_plan(api)
    fixed = api.post(f"/subscriptions/{joao}/address", subnet_id=subnet)
    return Provider(nas["id"], plan["id"], method["id"], maria, joao, fixed["address"])


def _subscriber(api: Api, name: str, document: str, plan_id: int, **credentials: str) -> int:
    subscriber = api.post("/subscribers", name=name, document=document, city="Campinas", region="SP")
    subscription = api.post("/subscriptions", subscriber_id=subscriber["id"], plan_id=plan_id, **credentials)
    api.post(f"/subscriptions/{subscription['id']}/activate")
    return int(subscription["id"])


def _address_plan(api: Api) -> int:
    folder = api.post("/folders", name="Campinas")
    subnet = api.post(
        "/subnets", folder_id=folder["id"], name="Fixed addresses", cidr="198.51.100.0/28", gateway="198.51.100.1"
    )
    return int(subnet["id"])
