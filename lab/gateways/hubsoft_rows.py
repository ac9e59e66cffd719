"""The rows that the HubSoft of rehearsals answers, in both notations that the real one uses."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.gateways.hubsoft import Bill, Client


def invoice_row(bill: Bill) -> dict[str, Any]:
    """A row of `faturas`."""
    return {
        "id_fatura": bill.id,
        "nosso_numero": str(bill.id),
        "id_cliente_servico": bill.service_id,
        "data_vencimento": _day(bill.due_on, bill.brazilian),
        "data_pagamento": _day(bill.paid_on, bill.brazilian),
        "data_cadastro": f"{bill.entered_on.isoformat()} 12:52:12",
        "valor": _amount(bill.cents, bill.brazilian),
        "valor_pago": _amount(bill.paid_cents, bill.brazilian) if bill.paid_cents else None,
        "status": "cancelado" if bill.cancelled else "pago" if bill.paid_on else "pendente",
        "cliente": {
            "id_cliente": bill.client.id,
            "nome_razaosocial": bill.client.name,
            "cpf_cnpj": bill.client.document,
        },
    }


def client_row(client: Client) -> dict[str, Any]:
    """A row of `clientes`; a real one holds the services' passwords too, which nobody here may keep."""
    return {
        "id_cliente": client.id,
        "nome_razaosocial": client.name,
        "cpf_cnpj": client.document,
        "servicos": [
            {"id_cliente_servico": key, "login_radius": login, "senha": "senha-do-cliente", "status_prefixo": status}
            for key, login, status in client.services
        ],
    }


def _day(day: date | None, brazilian: bool) -> str | None:
    if day is None:
        return None
    return day.strftime("%d/%m/%Y") if brazilian else day.isoformat()


def _amount(cents: int, brazilian: bool) -> str:
    whole, rest = divmod(cents, 100)
    return f"{whole},{rest:02d}" if brazilian else f"{whole}.{rest:02d}"
