"""Billing methods and their rules, charges, invoices, receipts with their payments, and dunning runs."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Date, ForeignKey, Index, Integer, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from billing_bridge.amounts import InvoiceStatus, open_by_subscription, status_of
from billing_bridge.discounts import Discount, discounts_of
from billing_bridge.dunning.rules import SuspensionRules
from core.columns import Id, JsonDefault, JsonDict, UtcDateTime
from core.database import Base


class BillingMethod(Base):
    """How a group of subscriptions is billed, with the suspension rules that hold now (`rule_version`)."""

    __tablename__ = "billing_method"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    rule_version: Mapped[int] = mapped_column(Integer)
    total_enabled: Mapped[bool] = mapped_column(Boolean)
    total_days: Mapped[int] = mapped_column(Integer)
    partial_enabled: Mapped[bool] = mapped_column(Boolean)
    partial_days: Mapped[int] = mapped_column(Integer)
    minimum_open_cents: Mapped[int] = mapped_column(BigInteger)
    notice_days: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    held_weekdays: Mapped[list[int]] = mapped_column(JsonDict, default=list, server_default=JsonDefault("[]"))
    hold_holidays: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    hold_holiday_eves: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    postpaid: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def rules(self) -> SuspensionRules:
        """The rules as the decision wants them."""
        return SuspensionRules(
            method=self.name,
            version=self.rule_version,
            total_days=self.total_days if self.total_enabled else None,
            partial_days=self.partial_days if self.partial_enabled else None,
            minimum_open_cents=self.minimum_open_cents,
            notice_days=self.notice_days,
            held_weekdays=frozenset(self.held_weekdays),
            hold_holidays=self.hold_holidays,
            hold_holiday_eves=self.hold_holiday_eves,
        )


class SuspensionRuleVersion(Base):
    """A version of a billing method's rules as it stood; never changed, so what was decided by it stays explained."""

    __tablename__ = "suspension_rule_version"

    billing_method_id: Mapped[int] = mapped_column(ForeignKey("billing_method.id"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    total_enabled: Mapped[bool] = mapped_column(Boolean)
    total_days: Mapped[int] = mapped_column(Integer)
    partial_enabled: Mapped[bool] = mapped_column(Boolean)
    partial_days: Mapped[int] = mapped_column(Integer)
    minimum_open_cents: Mapped[int] = mapped_column(BigInteger)
    notice_days: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    held_weekdays: Mapped[list[int]] = mapped_column(JsonDict, default=list, server_default=JsonDefault("[]"))
    hold_holidays: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    hold_holiday_eves: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    set_by: Mapped[str] = mapped_column(String(120))


class BillingAccount(Base):
    """Which method bills a subscription, and on which day (1–28; 31: the last of the month). No account, no dunning."""

    __tablename__ = "billing_account"

    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id"), primary_key=True, autoincrement=False)
    billing_method_id: Mapped[int] = mapped_column(ForeignKey("billing_method.id"), index=True)
    due_day: Mapped[int] = mapped_column(Integer)
    own_invoice: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    since: Mapped[datetime] = mapped_column(UtcDateTime)

    billing_method: Mapped[BillingMethod] = relationship(lazy="joined", innerjoin=True)


class Charge(Base):
    """One thing that a subscription has to pay, on an invoice or not yet. `reference` is the first of its month.

    `discount_cents` are taken off when it is paid `discount_days` calendar days before the due date, or earlier.
    """

    __tablename__ = "charge"
    __table_args__ = (
        CheckConstraint("amount_cents > 0", name="amount"),
        CheckConstraint("discount_cents >= 0 AND discount_cents < amount_cents", name="discount"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id"), index=True)
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey("invoice.id"), index=True)
    description: Mapped[str] = mapped_column(String(200))
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    discount_cents: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    discount_days: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    reference: Mapped[date] = mapped_column(Date)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Invoice(Base):
    """What one subscriber has to pay by a date, over one or more charges. `paid_cents` sums the payments that hold.

    `discount_cents` is what was granted on them: with it the invoice is settled, before that it is zero.
    """

    __tablename__ = "invoice"
    __table_args__ = (
        CheckConstraint("paid_cents >= 0 AND paid_cents <= amount_cents", name="paid"),
        CheckConstraint("discount_cents >= 0 AND paid_cents + discount_cents <= amount_cents", name="discount"),
        Index("ix_invoice_subscriber", "subscriber_id", "id"),
        Index("uq_invoice_external", "source_id", "external_id", unique=True),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscriber.id"))
    due_on: Mapped[date] = mapped_column(Date)
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    paid_cents: Mapped[int] = mapped_column(BigInteger, default=0)
    discount_cents: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancel_note: Mapped[str] = mapped_column(Text, default="")
    source_id: Mapped[int | None] = mapped_column(BigInteger)  # a mirror of another system's invoice: its source
    external_id: Mapped[str | None] = mapped_column(String(80))
    external_version: Mapped[int | None] = mapped_column(BigInteger)
    external_digest: Mapped[str | None] = mapped_column(String(64))

    charges: Mapped[list[Charge]] = relationship(lazy="selectin", order_by=Charge.id)

    @property
    def status(self) -> InvoiceStatus:
        return status_of(self.amount_cents, self.settled_cents, cancelled=self.cancelled_at is not None)

    @property
    def settled_cents(self) -> int:
        """What is no longer to be paid: the payments that hold and the discount that was granted on them."""
        return (self.paid_cents or 0) + (self.discount_cents or 0)

    @property
    def discounts(self) -> tuple[Discount, ...]:
        """The discounts that its charges promise, the one that ends first at the front."""
        return discounts_of(
            self.due_on, [(charge.discount_cents or 0, charge.discount_days or 0) for charge in self.charges]
        )

    @property
    def open_cents(self) -> int:
        """What is still to be paid; 0 for a cancelled invoice."""
        return 0 if self.cancelled_at is not None else self.amount_cents - self.settled_cents

    @property
    def owed_by_subscription(self) -> dict[int, int]:
        """Open cents of each subscription that has a charge on this invoice."""
        gone = self.amount_cents if self.cancelled_at is not None else self.settled_cents
        return open_by_subscription([(charge.subscription_id, charge.amount_cents) for charge in self.charges], gone)


class Payment(Base):
    """A line of a receipt: how much of it went to one invoice, and the discount that it brought."""

    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint("amount_cents > 0", name="amount"),
        CheckConstraint("discount_cents >= 0", name="discount"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    receipt_id: Mapped[int] = mapped_column(ForeignKey("receipt.id"), index=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"), index=True)
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    discount_cents: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")


class Receipt(Base):
    """Money that came in: from whom, when, who took it, and what it paid. A reversal keeps it and marks it."""

    __tablename__ = "receipt"
    __table_args__ = (Index("ix_receipt_subscriber", "subscriber_id", "id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscriber.id"))
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    method: Mapped[str] = mapped_column(String(32))
    cash_box: Mapped[str] = mapped_column(String(60), default="", server_default=text("''"))
    paid_at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_by: Mapped[str] = mapped_column(String(120))
    note: Mapped[str] = mapped_column(Text, default="")
    reversed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reversed_by: Mapped[str] = mapped_column(String(120), default="")
    reversal_note: Mapped[str] = mapped_column(Text, default="")

    lines: Mapped[list[Payment]] = relationship(lazy="selectin", order_by=Payment.id)

    @property
    def number(self) -> str:
        """What is printed on it."""
        return f"{self.id:08d}"


class DunningRun(Base):
    """One run over all that is late: what it found, what it ordered, who started it.

    `status`: planning (lines are still being decided, chunk by chunk), running (orders are being written), done,
    waiting (over the cap: nothing was ordered, somebody has to approve until `expires_at`), dismissed, expired,
    replaced (it waited, and a later run took its place), held (a guard; `note` says which). `levels` is what it may
    order, with commas; `origin` the routine that wanted it. `looked_at` counts whom it has decided about, `cursor` is
    the last subscription of the phase that it is in; `scheduled_on` the day whose daily run it was, before routines.
    """

    __tablename__ = "dunning_run"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    day: Mapped[date] = mapped_column(Date, index=True)
    scheduled_on: Mapped[date | None] = mapped_column(Date, unique=True)
    status: Mapped[str] = mapped_column(String(16), index=True)
    approved: Mapped[bool] = mapped_column(Boolean, default=False)
    actor: Mapped[str] = mapped_column(String(120))
    source: Mapped[str] = mapped_column(String(16))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    active_count: Mapped[int] = mapped_column(Integer)
    cap: Mapped[int] = mapped_column(Integer)
    planned_total: Mapped[int] = mapped_column(Integer)
    planned_partial: Mapped[int] = mapped_column(Integer)
    ordered_total: Mapped[int] = mapped_column(Integer, default=0)
    ordered_partial: Mapped[int] = mapped_column(Integer, default=0)
    skipped: Mapped[int] = mapped_column(Integer, default=0)
    cursor: Mapped[int] = mapped_column(Id, default=0)
    levels: Mapped[str] = mapped_column(String(16), default="partial,total", server_default=text("'partial,total'"))
    origin: Mapped[str] = mapped_column(String(120), default="", server_default=text("''"))
    looked_at: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    dismissed: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    planned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by: Mapped[str] = mapped_column(String(120), default="", server_default=text("''"))
    note: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))

    @property
    def planned(self) -> int:
        return self.planned_total + self.planned_partial

    @property
    def ordered(self) -> int:
        return self.ordered_total + self.ordered_partial

    @property
    def name(self) -> str:
        """What the orders of this run are marked with."""
        return f"dunning-{self.id}"
