"""Invoices that mirror another system's: what is paid or cancelled there is not paid or cancelled here."""

from __future__ import annotations

from collections.abc import Iterable

from billing_bridge.intake.models import BillingSource
from billing_bridge.models import Invoice
from core.database import Transaction
from core.errors import NotAllowed


def refuse_foreign(tx: Transaction, invoices: Iterable[Invoice]) -> None:
    """NotAllowed for the first one that belongs to another system."""
    for invoice in invoices:
        if invoice.source_id is None:
            continue
        source = tx.session.get(BillingSource, invoice.source_id)
        name = source.name if source else f"source {invoice.source_id}"
        raise NotAllowed(
            f"invoice {invoice.id} belongs to {name}, as {invoice.external_id}: change it there",
            billing_source_id=invoice.source_id,
            external_id=invoice.external_id,
        )
