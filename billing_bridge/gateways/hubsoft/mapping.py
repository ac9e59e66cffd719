"""HubSoft's rows as ours, and the questions that a window takes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from billing_bridge.gateways.hubsoft.contract import BY_DUE, BY_ENTRY, BY_PAYMENT, CANCELLED, MOST_DAYS, Question
from billing_bridge.gateways.listing import FeedError, Listed, Service, Step, Window
from billing_bridge.intake.events import BadEvent, Snapshot, parse_snapshot

_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})([T ].*)?")
_BRAZILIAN = re.compile(r"(\d{2})/(\d{2})/(\d{4})( .*)?")
_AMOUNT = re.compile(r"-?\d{1,10}([.,]\d{1,2})?|-?\d{1,3}(\.\d{3})+,\d{1,2}")


def plan(window: Window) -> list[Step]:
    """The questions of a full comparison: who is who first, then invoices by each of their dates."""
    steps: list[Step] = [{"ask": "services"}]
    for by, first, last in (
        (BY_DUE, window.due_from, window.due_until),
        (BY_PAYMENT, window.since, window.today),
        (BY_ENTRY, window.since, window.today),
    ):
        steps += [step_of(question) for question in split(by, first, last)]
    return steps


def split(by: str, first: date, last: date) -> Iterator[Question]:
    """Questions of at most 30 days each that cover the days from `first` to `last`, both included, each day once."""
    while first <= last:
        end = min(last, first + timedelta(days=MOST_DAYS - 1))
        yield Question(by, first, end)
        first = end + timedelta(days=1)


def step_of(question: Question) -> Step:
    return {"ask": question.by, "first": question.first.isoformat(), "last": question.last.isoformat()}


def question_of(step: Mapping[str, Any]) -> Question:
    return Question(str(step["ask"]), date.fromisoformat(step["first"]), date.fromisoformat(step["last"]))


def listed(row: object) -> Listed:
    """A row of `faturas`. One without an id makes the whole listing unbelievable: FeedError."""
    if not isinstance(row, Mapping) or row.get("id_fatura") in (None, "") or isinstance(row["id_fatura"], bool):
        raise FeedError("the listing holds an invoice without id_fatura")
    key = str(row["id_fatura"])[:80]
    try:
        return Listed(key, snapshot_of(row))
    except (BadEvent, ValueError) as error:
        return Listed(key, None, str(error))


def snapshot_of(row: Mapping[str, Any]) -> Snapshot:
    """ValueError or BadEvent where a field cannot be read."""
    amount = cents(row.get("valor"), "valor")
    status, open_cents = _standing(row, amount)
    paid_on = day(row.get("data_pagamento"), "data_pagamento")
    due_on = day(row.get("data_vencimento"), "data_vencimento")
    return parse_snapshot(
        {
            "id": str(row["id_fatura"]),
            "version": 0,
            "subscription": _subscription(row),
            "due_on": due_on.isoformat() if due_on else None,
            "amount_cents": amount,
            "open_cents": open_cents,
            "status": status,
            "description": _words(row),
            "paid_at": datetime.combine(paid_on, time(12), UTC).isoformat() if paid_on and status == "paid" else None,
        }
    )


def services_of(row: object) -> tuple[Service, ...]:
    """The services of a row of `clientes`; those without an id or a login say nothing."""
    if not isinstance(row, Mapping) or not isinstance(row.get("servicos", []), list):
        raise FeedError("the listing of clients cannot be read")
    document = _document(row)
    found = []
    for service in row.get("servicos", []):
        key = service.get("id_cliente_servico") if isinstance(service, Mapping) else None
        login = _text(service.get("login_radius") or service.get("login")) if key is not None else ""
        if login:
            found.append(Service(str(key)[:80], login, document))
    return tuple(found)


def cents(value: object, field: str) -> int:
    """ "99.90", "99,90", "1.234,56", "119.9" or a number, in cents. ValueError otherwise."""
    text = str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    if not _AMOUNT.fullmatch(text):
        raise ValueError(f"{field} is no amount")
    plain = text.replace(".", "").replace(",", ".") if "," in text else text
    try:
        return int(Decimal(plain).scaleb(2).to_integral_exact())
    except InvalidOperation:
        raise ValueError(f"{field} is no amount") from None


def day(value: object, field: str) -> date | None:
    """ "2026-03-10" or "10/03/2026", with or without a time; None for nothing. ValueError otherwise."""
    if value in (None, ""):
        return None
    text = value if isinstance(value, str) else ""
    try:
        if found := _ISO.fullmatch(text):
            return date(int(found[1]), int(found[2]), int(found[3]))
        if found := _BRAZILIAN.fullmatch(text):
            return date(int(found[3]), int(found[2]), int(found[1]))
    except ValueError:
        raise ValueError(f"{field} is not a date that exists") from None
    raise ValueError(f"{field} is no date")


def _standing(row: Mapping[str, Any], amount: int) -> tuple[str, int]:
    """Status and open cents. Where HubSoft says nothing of `quitado`, a date of payment settles the invoice."""
    if _text(row.get("status")).lower() in CANCELLED or row.get("data_cancelamento"):
        return "cancelled", 0
    paid = cents(row["valor_pago"], "valor_pago") if row.get("valor_pago") not in (None, "") else 0
    settled = row.get("quitado", bool(row.get("data_pagamento")))
    if settled in (True, 1, "sim", "true") or paid >= amount:
        return "paid", 0
    return "open", amount - max(0, paid)


def _subscription(row: Mapping[str, Any]) -> dict[str, Any]:
    service = row.get("cliente_servico")
    nested: Mapping[str, Any] = service if isinstance(service, Mapping) else {}
    client = row.get("cliente")
    key = nested.get("id_cliente_servico") or row.get("id_cliente_servico")
    return {
        "login": _text(nested.get("login_radius") or nested.get("login") or row.get("login_radius")),
        "external_id": str(key)[:80] if key not in (None, "") else "",
        "document": _document(client if isinstance(client, Mapping) else row),
    }


def _document(row: Mapping[str, Any]) -> str:
    return "".join(char for char in _text(row.get("cpf_cnpj")) if char.isalnum()).upper()


def _words(row: Mapping[str, Any]) -> str:
    number = _text(row.get("nosso_numero"))
    text = _text(row.get("descricao")) or (f"HubSoft {number}" if number else "")
    return " ".join(text.split())[:200]


def _text(value: object) -> str:
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
