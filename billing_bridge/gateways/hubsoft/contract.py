"""The part of HubSoft's API that a mirror needs, as its public documentation has it.

`POST /oauth/token` (grant_type password) gives `access_token` and `expires_in`; a token may be revoked early. Every
answer is an envelope: `status` "success" (spelt "suscess" in places) or "error", `msg`, `errors`. Under
`/api/v1/integracao`: `financeiro/fatura` takes tipo_data, data_inicio and data_fim (ISO dates, at most 30 days apart),
pagina (from 0) and itens_por_pagina (at most 500) and answers `faturas`; `cliente/todos` is paged the same way and
answers `clientes` with their `servicos`. There is no "changed since" and no version.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

TOKEN_PATH = "/oauth/token"  # noqa: S105
INVOICES_PATH = "/api/v1/integracao/financeiro/fatura"
CLIENTS_PATH = "/api/v1/integracao/cliente/todos"

MOST_ITEMS = 500
MOST_DAYS = 30
BY_DUE, BY_PAYMENT, BY_ENTRY = "data_vencimento", "data_pagamento", "data_cadastro"
SUCCESS = frozenset({"success", "suscess"})
CANCELLED = frozenset({"cancelado", "cancelada"})


@dataclass(frozen=True, slots=True)
class Question:
    """Which invoices are asked for: those whose date of the kind `by` is from `first` to `last`."""

    by: str
    first: date
    last: date

    def parameters(self, page: int) -> dict[str, str]:
        return {
            "tipo_data": self.by,
            "data_inicio": self.first.isoformat(),
            "data_fim": self.last.isoformat(),
            "pagina": str(page),
            "itens_por_pagina": str(MOST_ITEMS),
            "order_by": self.by,
            "order_type": "asc",
        }
