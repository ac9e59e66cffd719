"""What stands on a printed receipt, apart from drawing it, which needs a library that takes long to import."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

Format = Literal["a4", "80mm"]
Language = Literal["pt-BR", "en"]


@dataclass(frozen=True, slots=True)
class PaperLine:
    """What the receipt paid of one invoice; `charges` are the words of what it is for."""

    invoice: str
    due_on: date
    charges: tuple[str, ...]
    discount_cents: int
    amount_cents: int


@dataclass(frozen=True, slots=True)
class ReceiptPaper:
    """Everything that is printed; instants are in the company's time zone, documents written as people read them."""

    number: str
    company_name: str
    company_document: str
    payer_name: str
    payer_document: str
    amount_cents: int
    method: str
    cash_box: str
    paid_at: datetime
    received_at: datetime
    received_by: str
    note: str
    lines: tuple[PaperLine, ...]
    reversed_at: datetime | None = None
    reversed_by: str = ""
    reversal_note: str = ""
