"""Receiving money and taking a receipt back.

The invoice rows are locked before their open amounts are read: of two payments of one invoice the second sees what
the first left. A receipt is never deleted; its reversal opens again all that it paid. No restriction comes back by
it: an order that lapsed has lapsed, and restricting anew is for the next run to decide.

What settles an invoice is less than what is open while a promotional discount holds; the company's day of `paid_at`
decides. Another amount than that is taken only from whoever has the permission to change it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import select

from billing_bridge import checks
from billing_bridge.amounts import InvoiceStatus, allocate
from billing_bridge.calendar.days import company_today
from billing_bridge.debt_feed import lock_debtors, narrate_debtors, publish_debts
from billing_bridge.grants import grant_discounts, payable_on
from billing_bridge.intake.foreign_invoices import refuse_foreign
from billing_bridge.invoices import issue_invoice
from billing_bridge.locks import lock_invoices, lock_receipt
from billing_bridge.models import Invoice, Payment, Receipt
from core.database import Transaction
from core.errors import InvalidInput, NotAllowed
from core.rows import get_row
from core.units import format_money
from provisioning.checks import optional_text, required_text

CHANGE_AMOUNT = "receipt.change-amount"
"""The permission to take another amount than what settles."""


def receive(
    tx: Transaction,
    *,
    invoice_id: int,
    amount_cents: int | None = None,
    paid_at: datetime | None = None,
    method: str = "manual",
    cash_box: str = "",
    note: str = "",
) -> Receipt:
    """A payment of one invoice: what settles it, or another amount. More than is open is refused."""
    return receive_many(
        tx,
        invoice_ids=[invoice_id],
        amount_cents=amount_cents,
        paid_at=paid_at,
        method=method,
        cash_box=cash_box,
        note=note,
    )


def receive_many(
    tx: Transaction,
    *,
    invoice_ids: Sequence[int],
    amount_cents: int | None = None,
    paid_at: datetime | None = None,
    method: str = "manual",
    cash_box: str = "",
    note: str = "",
) -> Receipt:
    """One receipt over several invoices of one subscriber; an amount that is not enough pays the oldest due first.

    `cash_box` names where the money lies. Forbidden: an amount that is not what settles them, without the permission.
    """
    invoices = lock_invoices(tx, checks.several(invoice_ids, "invoice_ids"))
    lock_debtors(tx, invoices)
    subscriber_id = _one_subscriber(invoices)
    refuse_foreign(tx, invoices)
    for invoice in invoices:
        _refuse_closed(tx, invoice)
    _refuse_more(amount_cents, sum(invoice.open_cents for invoice in invoices))
    receipt = Receipt(
        subscriber_id=subscriber_id,
        method=required_text(method, "method", 32, "pix"),
        cash_box=optional_text(cash_box, "cash_box", 60, "Caixa da loja"),
        note=optional_text(note, "note", 2000, "paid at the counter"),
        paid_at=checks.past_instant(paid_at, tx.now, "paid_at") if paid_at else tx.now,
        received_at=tx.now,
        received_by=tx.actor.name,
    )
    day = company_today(receipt.paid_at, tx.settings.timezone)
    asked = {invoice: payable_on(tx, invoice, day) for invoice in invoices}
    receipt.amount_cents = _accepted(tx, amount_cents, sum(asked.values()))
    tx.session.add(receipt)
    _pay(tx, receipt, dict(sorted(asked.items(), key=lambda item: (item[0].due_on, item[0].id))))
    publish_debts(tx, invoices)
    tx.audit("receive", "receipt", receipt.id, after=_shown(receipt), note=receipt.note)
    return receipt


def receive_charges(
    tx: Transaction,
    *,
    charge_ids: Sequence[int],
    amount_cents: int | None = None,
    paid_at: datetime | None = None,
    method: str = "manual",
    cash_box: str = "",
    note: str = "",
) -> Receipt:
    """Receive charges that wait for an invoice: they get one that is due today, and it is paid in the same step."""
    invoice = issue_invoice(tx, charge_ids=charge_ids, due_on=company_today(tx.now, tx.settings.timezone))
    return receive(
        tx,
        invoice_id=invoice.id,
        amount_cents=amount_cents,
        paid_at=paid_at,
        method=method,
        cash_box=cash_box,
        note=note,
    )


def reverse_receipt(tx: Transaction, *, receipt_id: int, note: str) -> Receipt:
    """Take a receipt back: everything that it paid is open again. NotAllowed when that was done before.

    A discount goes too when the payments that are left would not have earned it.
    """
    text = required_text(note, "note", 2000, "the cheque bounced")
    receipt = lock_receipt(tx, receipt_id)
    if receipt.reversed_at is not None:
        raise NotAllowed(
            f"receipt {receipt.number} was reversed on {receipt.reversed_at:%Y-%m-%d} by {receipt.reversed_by}"
        )
    paid = {line.invoice_id: line.amount_cents for line in receipt.lines}
    invoices = lock_invoices(tx, paid)
    lock_debtors(tx, invoices)
    receipt.reversed_at, receipt.reversed_by, receipt.reversal_note = tx.now, tx.actor.name, text
    for invoice in invoices:
        invoice.paid_cents -= paid[invoice.id]
    grant_discounts(tx, invoices)
    for invoice in invoices:
        details = {"receipt": receipt.number, "amount_cents": paid[invoice.id], "open_cents": invoice.open_cents}
        narrate_debtors(tx, invoice, "receipt.reversed", details, text)
    publish_debts(tx, invoices)
    tx.audit("reverse", "receipt", receipt.id, _shown(receipt), {"reversed_at": tx.now}, text)
    return receipt


def get_receipt(tx: Transaction, receipt_id: int) -> Receipt:
    return get_row(tx, Receipt, receipt_id, "receipt")


def list_receipts(
    tx: Transaction,
    *,
    subscriber_id: int | None = None,
    invoice_id: int | None = None,
    after: int = 0,
    limit: int = 100,
) -> Sequence[Receipt]:
    """In order of id, from behind `after`; reversed ones too."""
    query = select(Receipt).where(Receipt.id > after)
    if subscriber_id is not None:
        query = query.where(Receipt.subscriber_id == subscriber_id)
    if invoice_id is not None:
        query = query.where(Receipt.id.in_(select(Payment.receipt_id).where(Payment.invoice_id == invoice_id)))
    return tx.session.scalars(query.order_by(Receipt.id).limit(limit)).all()


def _pay(tx: Transaction, receipt: Receipt, asked: Mapping[Invoice, int]) -> None:
    paid = {invoice: share for invoice, share in _shares(receipt.amount_cents, asked).items() if share}
    lines = {
        invoice: Payment(invoice_id=invoice.id, amount_cents=share, discount_cents=0) for invoice, share in paid.items()
    }
    receipt.lines = list(lines.values())
    for invoice, share in paid.items():
        invoice.paid_cents += share
    grant_discounts(tx, list(paid))
    for invoice, share in paid.items():
        details = {"receipt": receipt.number, "amount_cents": share, "open_cents": invoice.open_cents}
        if lines[invoice].discount_cents:
            details["discount_cents"] = lines[invoice].discount_cents
        narrate_debtors(tx, invoice, "payment.received", {**details, "method": receipt.method}, receipt.note)


def _shares(amount_cents: int, asked: Mapping[Invoice, int]) -> dict[Invoice, int]:
    """First what settles each; who pays more than that does without a part of the discount."""
    enough = min(amount_cents, sum(asked.values()))
    first = allocate(enough, list(asked.values()))
    rest = allocate(amount_cents - enough, [invoice.open_cents - cents for invoice, cents in asked.items()])
    return {invoice: one + more for invoice, one, more in zip(asked, first, rest, strict=True)}


def _refuse_more(amount_cents: int | None, open_cents: int) -> None:
    if amount_cents is None:
        return
    if isinstance(amount_cents, bool) or not isinstance(amount_cents, int) or not 1 <= amount_cents <= open_cents:
        rule = f"whole cents, at least 1 and at most what is open, {format_money(open_cents)}"
        raise InvalidInput("amount_cents", rule, open_cents)


def _accepted(tx: Transaction, amount_cents: int | None, settles: int) -> int:
    if amount_cents is None or amount_cents == settles:
        return settles
    tx.require(CHANGE_AMOUNT)
    return amount_cents


def _refuse_closed(tx: Transaction, invoice: Invoice) -> None:
    if invoice.status is InvoiceStatus.CANCELLED:
        raise NotAllowed(f"invoice {invoice.id} is cancelled: nothing can be paid on it", status="CANCELLED")
    if invoice.status is InvoiceStatus.PAID:
        receipts = [item for item in list_receipts(tx, invoice_id=invoice.id) if item.reversed_at is None]
        numbers = ", ".join(receipt.number for receipt in receipts)
        raise NotAllowed(
            f"invoice {invoice.id} is paid already, by receipt {numbers}",
            status="PAID",
            receipt_ids=[receipt.id for receipt in receipts],
        )


def _one_subscriber(invoices: Sequence[Invoice]) -> int:
    owners = {invoice.subscriber_id for invoice in invoices}
    if len(owners) != 1:
        raise InvalidInput("invoice_ids", f"invoices of one subscriber, not of {len(owners)}", [invoices[0].id])
    return owners.pop()


def _shown(receipt: Receipt) -> dict[str, object]:
    shown = {
        "number": receipt.number,
        "amount_cents": receipt.amount_cents,
        "method": receipt.method,
        "cash_box": receipt.cash_box,
        "lines": {str(line.invoice_id): line.amount_cents for line in receipt.lines},
        "discounts": {str(line.invoice_id): line.discount_cents for line in receipt.lines if line.discount_cents},
    }
    return {name: value for name, value in shown.items() if value}
