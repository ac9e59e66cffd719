"""A HubSoft for rehearsals and tests: a real HTTP server that keeps to the part of the contract that we use.

Strict where HubSoft is: tokens expire and can be revoked, pages hold at most 500 rows, dates are ISO in questions, a
question spans at most 30 days. `faults` makes the next answers go wrong, one word for each: "500", "429", "slow",
"garbage", "error", "empty", "reset", "html", "list".
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from lab.gateways.hubsoft_rows import client_row, invoice_row

MOST_ITEMS, MOST_DAYS = 500, 30
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass
class Client:
    """A client with services: (id_cliente_servico, login, status)."""

    id: int
    name: str
    document: str
    services: list[tuple[int, str, str]] = field(default_factory=list)


@dataclass
class Bill:
    """An invoice as HubSoft keeps it; `brazilian` makes its rows use the other notations of dates and amounts."""

    id: int
    client: Client
    cents: int
    due_on: date
    entered_on: date
    service_id: int | None = None
    paid_on: date | None = None
    paid_cents: int = 0
    cancelled: bool = False
    brazilian: bool = False


class Refused(Exception):
    """An answer of the envelope's other kind."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class HubSoftSimulator:
    """The server and what it knows; tests change `clients` and `bills` while it runs."""

    def __init__(self, *, page_limit: int = MOST_ITEMS, token_seconds: int = 2_592_000, typo: bool = True) -> None:
        self.credentials = {
            "client_id": "12",
            "client_secret": "sim-client-secret",
            "username": "api",
            "password": "sim",
        }
        self.clients: dict[int, Client] = {}
        self.bills: dict[int, Bill] = {}
        self.faults: deque[str] = deque()
        self.asked: list[str] = []
        self.logins = 0
        self.page_limit, self.token_seconds, self.typo = page_limit, token_seconds, typo
        self.slow_seconds = 5.0
        self._tokens: set[str] = set()
        self._stopped = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def add_client(self, name: str, document: str, *logins: str) -> Client:
        """A client with a service for each login."""
        number = len(self.clients) + 1
        services = [(number * 100 + place, login, "servico_habilitado") for place, login in enumerate(logins)]
        self.clients[number] = Client(number, name, document, services)
        return self.clients[number]

    def add_bill(self, client: Client, cents: int, due_on: date, **values: Any) -> Bill:
        """An invoice, for the client's first service unless `service_id` says otherwise."""
        number = 60_000 + len(self.bills)
        values.setdefault("service_id", client.services[0][0] if client.services else None)
        values.setdefault("entered_on", due_on)
        self.bills[number] = Bill(number, client, cents, due_on, **values)
        return self.bills[number]

    def revoke_tokens(self) -> None:
        """As HubSoft may at any time."""
        self._tokens.clear()

    def token(self, given: dict[str, Any]) -> dict[str, Any]:
        """The answer to a login."""
        self.logins += 1
        if {**self.credentials, "grant_type": "password"} != given:
            raise Refused(401, "The user credentials were incorrect.")
        token = secrets.token_hex(16)
        self._tokens.add(token)
        return {"token_type": "Bearer", "expires_in": self.token_seconds, "access_token": token}

    def answer(self, path: str, query: dict[str, str], authorization: str) -> dict[str, Any]:
        """The answer to a GET."""
        if authorization.removeprefix("Bearer ") not in self._tokens:
            raise Refused(401, "Unauthenticated.")
        if path == "/api/v1/integracao/financeiro/fatura":
            bills = self._bills_asked(query)
            return self._page("faturas", [invoice_row(bill) for bill in bills], query)
        if path == "/api/v1/integracao/cliente/todos":
            return self._page("clientes", [client_row(client) for client in self.clients.values()], query)
        raise Refused(404, "Rota não encontrada")

    def wait(self) -> None:
        """Be slow; a server that is stopped is not."""
        self._stopped.wait(self.slow_seconds)

    def _bills_asked(self, query: dict[str, str]) -> list[Bill]:
        by = query.get("tipo_data", "data_vencimento")
        attribute = {"data_vencimento": "due_on", "data_pagamento": "paid_on", "data_cadastro": "entered_on"}.get(by)
        if attribute is None:
            raise Refused(400, "tipo_data inválido")
        first, last = _day(query, "data_inicio"), _day(query, "data_fim")
        if (last - first).days >= MOST_DAYS:
            raise Refused(400, "O intervalo máximo é de 30 dias")
        dated = [(getattr(bill, attribute), bill.id, bill) for bill in list(self.bills.values())]
        return [bill for day, _, bill in sorted(item for item in dated if item[0]) if first <= day <= last]

    def _page(self, name: str, rows: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
        page, size = int(query.get("pagina", "0")), int(query.get("itens_por_pagina", "20"))
        if not 1 <= size <= MOST_ITEMS or page < 0:
            raise Refused(400, "itens_por_pagina deve ser de 1 a 500")
        size = min(size, self.page_limit)
        last = max(0, (len(rows) - 1) // size)
        return {
            "status": "suscess" if self.typo else "success",
            "msg": "Dados consultados com sucesso",
            "paginacao": {"pagina_atual": page, "ultima_pagina": last, "total_registros": len(rows)},
            name: rows[page * size : (page + 1) * size],
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


def _day(query: dict[str, str], name: str) -> date:
    if not _ISO.fullmatch(query.get(name, "")):
        raise Refused(400, f"{name} deve ser YYYY-MM-DD")
    return date.fromisoformat(query[name])


def _handler(simulator: HubSoftSimulator) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self._answer(lambda: simulator.token(json.loads(body)), "/oauth/token")

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            authorization = self.headers.get("Authorization", "")
            self._answer(lambda: simulator.answer(parts.path, query, authorization), self.path)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """The product's own log tells enough."""

        def _answer(self, work: Callable[[], dict[str, Any]], asked: str) -> None:
            simulator.asked.append(asked)
            fault = simulator.faults.popleft() if simulator.faults else ""
            if fault == "reset":
                self.close_connection = True
                return
            if fault == "slow":
                simulator.wait()
            if fault in _BROKEN:
                self._send(*_BROKEN[fault])
                return
            try:
                content = work()
            except Refused as refused:
                self._send(refused.status, _failure(str(refused)))
                return
            if fault == "empty":
                content = {name: [] if isinstance(value, list) else value for name, value in content.items()}
                content.pop("paginacao", None)
            self._send(200, json.dumps(content).encode())

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _failure(message: str) -> bytes:
    return json.dumps({"status": "error", "msg": message, "errors": []}).encode()


_BROKEN: dict[str, tuple[int, bytes]] = {
    "500": (500, b"Internal Server Error"),
    "429": (429, b"{}"),
    "garbage": (200, b'{"status": "success", "faturas": ['),
    "html": (200, b"<html>manutencao</html>"),
    "list": (200, b"[]"),
    "error": (200, _failure("Erro ao consultar; password=sim-client-secret")),
    "nothing": (200, b'{"status": "success"}'),
}
