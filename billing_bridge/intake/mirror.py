"""Mirrors of other systems' invoices: the one way in which a snapshot becomes an invoice with a debt.

A mirror is an invoice like any other, with one charge, so what is owed, who is restricted and why need nothing of their
own. What it says changes only by its source. A payment that a snapshot tells of restores in this very transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from billing_bridge.amounts import status_of
from billing_bridge.debt_feed import narrate_debtors, publish_debts
from billing_bridge.intake.events import Snapshot, Standing, Verdict, digest_of, supersedes
from billing_bridge.intake.matching import Match, link, match_all
from billing_bridge.intake.models import BillingSource
from billing_bridge.locks import lock_charges, lock_invoices, lock_subscriptions
from billing_bridge.models import Charge, Invoice
from core.database import Transaction
from provisioning.debts import debtors_of, record_debt
from provisioning.models import Subscription

APPLIED, DUPLICATE, OLDER, CONFLICT, UNMATCHED, REFUSED = (
    "applied", "duplicate", "older", "conflict", "unmatched", "refused",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What became of a snapshot. `changes` are the fields that changed, as from and to; `created`: it is new here."""

    outcome: str
    detail: str = ""
    invoice_id: int | None = None
    created: bool = False
    changes: tuple[str, ...] = ()


def mirror(tx: Transaction, source: BillingSource, snapshots: Sequence[Snapshot]) -> list[Mirrored]:
    """Apply snapshots, in any order and however often; one result for each. The source is locked by the caller."""
    work = _Work.begin(tx, source, snapshots)
    results = [work.apply(snapshot) for snapshot in snapshots]
    work.finish()
    return results


def foresee(tx: Transaction, source: BillingSource, snapshots: Sequence[Snapshot]) -> list[Mirrored]:
    """What `mirror` would do with snapshots of different invoices; changes nothing."""
    matches = match_all(tx, source, {snapshot.subscription for snapshot in snapshots})
    known = mirrored_invoices(tx, source.id, [snapshot.external_id for snapshot in snapshots])
    return [
        _foreseen(known.get(snapshot.external_id), snapshot, matches[snapshot.subscription]) for snapshot in snapshots
    ]


def close_missing(tx: Transaction, source: BillingSource, invoice_ids: Sequence[int], version: int) -> list[Invoice]:
    """Cancel mirrors that a complete listing no longer has; gives those that were open until now."""
    lock_charges(tx, _charge_ids(tx, invoice_ids))
    invoices = [item for item in lock_invoices(tx, invoice_ids) if item.open_cents > 0]
    lock_subscriptions(tx, {charge.subscription_id for item in invoices for charge in item.charges})
    for invoice in invoices:
        before = _shown(invoice)
        invoice.cancelled_at, invoice.paid_cents = tx.now, 0
        invoice.cancel_note = f"{source.name} no longer lists it"
        invoice.external_version = max(version, (invoice.external_version or 0) + 1)
        invoice.external_digest = digest_of({"id": invoice.external_id, "status": "no longer listed"})
        _tell(tx, source, invoice, before, invoice.cancel_note)
    publish_debts(tx, invoices)
    return invoices


def standing_of(invoice: Invoice) -> Standing:
    """What decides between the mirror and what comes in."""
    return Standing(invoice.external_version or 0, invoice.open_cents, invoice.due_on, invoice.external_digest or "")


def mirrored_invoices(tx: Transaction, source_id: int, external_ids: Sequence[str]) -> dict[str, Invoice]:
    query = select(Invoice).where(Invoice.source_id == source_id, Invoice.external_id.in_(external_ids))
    return {str(invoice.external_id): invoice for invoice in tx.session.scalars(query)}


class _Work:
    """One batch: everything is locked at the beginning, the debts are published at the end."""

    def __init__(
        self,
        tx: Transaction,
        source: BillingSource,
        invoices: dict[str, Invoice],
        matches: dict[Any, Match],
        owners: dict[int, int],
    ) -> None:
        self._tx, self._source, self._invoices = tx, source, invoices
        self._matches, self._owners = matches, owners
        self._touched: dict[int, Invoice] = {}
        self._left: dict[tuple[int, int], Invoice] = {}

    @classmethod
    def begin(cls, tx: Transaction, source: BillingSource, snapshots: Sequence[Snapshot]) -> _Work:
        matches = match_all(tx, source, {snapshot.subscription for snapshot in snapshots})
        known = mirrored_invoices(tx, source.id, [snapshot.external_id for snapshot in snapshots])
        ids = [invoice.id for invoice in known.values()]
        lock_charges(tx, _charge_ids(tx, ids))
        invoices = {str(invoice.external_id): invoice for invoice in lock_invoices(tx, ids)}
        wanted = {match.subscription_id for match in matches.values() if match.subscription_id is not None}
        wanted |= {charge.subscription_id for invoice in invoices.values() for charge in invoice.charges}
        lock_subscriptions(tx, wanted)
        query = select(Subscription.id, Subscription.subscriber_id).where(Subscription.id.in_(wanted))
        return cls(tx, source, invoices, matches, {row[0]: row[1] for row in tx.session.execute(query)})

    def apply(self, snapshot: Snapshot) -> Mirrored:
        invoice, match = self._invoices.get(snapshot.external_id), self._matches[snapshot.subscription]
        if invoice is not None:
            return self._compare(invoice, snapshot, match.subscription_id)
        if match.subscription_id is None:
            return Mirrored(UNMATCHED, match.reason)
        self._learn(snapshot, match.subscription_id)
        return self._create(snapshot, match.subscription_id)

    def _compare(self, invoice: Invoice, snapshot: Snapshot, subscription_id: int | None) -> Mirrored:
        verdict = supersedes(standing_of(invoice), snapshot.standing)
        if verdict in (Verdict.DUPLICATE, Verdict.OLDER):
            held = f"version {snapshot.version}, held is {invoice.external_version}"
            return Mirrored(verdict.value, held, invoice.id)
        if verdict is Verdict.CONFLICT_LOST:
            return Mirrored(CONFLICT, _CONFLICT_WORDS[verdict], invoice.id)
        if subscription_id is not None:
            self._learn(snapshot, subscription_id)
        outcome = CONFLICT if verdict is Verdict.CONFLICT_WON else APPLIED
        return self._change(invoice, snapshot, subscription_id, outcome, _CONFLICT_WORDS.get(verdict, ""))

    def _learn(self, snapshot: Snapshot, subscription_id: int) -> None:
        if snapshot.subscription.external_id:
            link(self._tx, self._source, snapshot.subscription.external_id, subscription_id)

    def finish(self) -> None:
        for (subscription_id, _), invoice in sorted(self._left.items(), key=lambda item: item[0]):
            charged = {charge.subscription_id for charge in invoice.charges}
            debtors = debtors_of(self._tx, {subscription_id, *charged})
            if debtors[subscription_id] not in {debtors[key] for key in charged}:
                record_debt(
                    self._tx,
                    subscription_id=subscription_id,
                    invoice_id=invoice.id,
                    due_on=invoice.due_on,
                    open_cents=0,
                )
        publish_debts(self._tx, list(self._touched.values()))

    def _create(self, snapshot: Snapshot, subscription_id: int) -> Mirrored:
        charge = Charge(
            subscription_id=subscription_id,
            description=self._words(snapshot),
            amount_cents=snapshot.amount_cents,
            reference=snapshot.due_on.replace(day=1),
            created_at=self._tx.now,
        )
        invoice = Invoice(
            subscriber_id=self._owners[subscription_id],
            issued_at=self._tx.now,
            cancel_note="",
            discount_cents=0,
            source_id=self._source.id,
            external_id=snapshot.external_id,
            charges=[charge],
        )
        self._write(invoice, snapshot)
        self._tx.session.add(invoice)
        self._tx.session.flush()
        self._invoices[snapshot.external_id] = invoice
        self._touched[invoice.id] = invoice
        _tell(self._tx, self._source, invoice, None, "")
        return Mirrored(APPLIED, "new here", invoice.id, created=True)

    def _change(
        self, invoice: Invoice, snapshot: Snapshot, subscription_id: int | None, outcome: str, detail: str
    ) -> Mirrored:
        before, charge = _shown(invoice), invoice.charges[0]
        if subscription_id is not None and subscription_id != charge.subscription_id:
            self._left[(charge.subscription_id, invoice.id)] = invoice
            charge.subscription_id, invoice.subscriber_id = subscription_id, self._owners[subscription_id]
        charge.amount_cents, charge.description = snapshot.amount_cents, self._words(snapshot)
        charge.reference = snapshot.due_on.replace(day=1)
        self._write(invoice, snapshot)
        self._touched[invoice.id] = invoice
        changes = _differences(before, _shown(invoice))
        if changes:
            _tell(self._tx, self._source, invoice, before, detail)
        return Mirrored(outcome, detail or "; ".join(changes), invoice.id, changes=changes)

    def _write(self, invoice: Invoice, snapshot: Snapshot) -> None:
        cancelled = snapshot.status == "cancelled"
        invoice.due_on, invoice.amount_cents = snapshot.due_on, snapshot.amount_cents
        invoice.paid_cents = 0 if cancelled else snapshot.amount_cents - snapshot.open_cents
        invoice.cancelled_at = (invoice.cancelled_at or self._tx.now) if cancelled else None
        invoice.cancel_note = f"cancelled at {self._source.name}" if cancelled else ""
        invoice.external_version, invoice.external_digest = snapshot.version, snapshot.digest

    def _words(self, snapshot: Snapshot) -> str:
        return snapshot.description or f"{self._source.name} {snapshot.external_id}"


_CONFLICT_WORDS = {
    Verdict.CONFLICT_WON: "two contents under one version: this one is better for the subscriber, and holds",
    Verdict.CONFLICT_LOST: "two contents under one version: the one that is better for the subscriber holds",
}


def _tell(
    tx: Transaction, source: BillingSource, invoice: Invoice, before: dict[str, object] | None, note: str
) -> None:
    after = _shown(invoice)
    named = {"source": source.name, "external_id": invoice.external_id, "version": invoice.external_version}
    changed = {name: value for name, value in after.items() if before is None or before[name] != value}
    narrate_debtors(tx, invoice, "invoice.synced", {**named, **changed}, note)
    was = None if before is None else {name: before[name] for name in changed}
    tx.audit("sync", "invoice", invoice.id, was, {**named, **changed}, note)


def _shown(invoice: Invoice) -> dict[str, object]:
    return {
        "status": invoice.status.value,
        "due_on": invoice.due_on,
        "amount_cents": invoice.amount_cents,
        "open_cents": invoice.open_cents,
        "subscriptions": sorted({charge.subscription_id for charge in invoice.charges}),
    }


def _differences(before: dict[str, object], after: dict[str, object]) -> tuple[str, ...]:
    return tuple(f"{name} {before[name]} → {after[name]}" for name in after if before[name] != after[name])


def _foreseen(invoice: Invoice | None, snapshot: Snapshot, match: Match) -> Mirrored:
    if invoice is None:
        if match.subscription_id is None:
            return Mirrored(UNMATCHED, match.reason)
        return Mirrored(APPLIED, f"new here, for subscription {match.subscription_id}", created=True)
    verdict = supersedes(standing_of(invoice), snapshot.standing)
    if verdict in (Verdict.DUPLICATE, Verdict.OLDER):
        return Mirrored(verdict.value, invoice_id=invoice.id)
    now = _shown(invoice)
    settled = snapshot.amount_cents if snapshot.status == "cancelled" else snapshot.open_cents
    then = {
        "status": status_of(
            snapshot.amount_cents, snapshot.amount_cents - settled, cancelled=snapshot.status == "cancelled"
        ),
        "due_on": snapshot.due_on,
        "amount_cents": snapshot.amount_cents,
        "open_cents": snapshot.open_cents,
        "subscriptions": [match.subscription_id] if match.subscription_id is not None else now["subscriptions"],
    }
    changes = _differences(now, then)
    return Mirrored(APPLIED, "; ".join(changes), invoice.id, changes=changes)


def _charge_ids(tx: Transaction, invoice_ids: Sequence[int]) -> list[int]:
    return list(tx.session.scalars(select(Charge.id).where(Charge.invoice_id.in_(invoice_ids))))
