"""Monthly billing: runs, what each would bill to whom, what has to be looked at first, and what is billed for good."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Date, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.columns import Id, JsonDict, UtcDateTime
from core.database import Base


class BillingRun(Base):
    """One run over a month of service (`month` is its first day).

    `status`: preparing (lines are being written, chunk by chunk), review (alerts are looked at), generating (invoices
    are being issued, chunk by chunk), done, dismissed. `cursor` is the last subscription that was prepared.
    """

    __tablename__ = "billing_run"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    month: Mapped[date] = mapped_column(Date)
    filters: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    pro_rata: Mapped[bool] = mapped_column(Boolean)
    auto: Mapped[bool] = mapped_column(Boolean)
    status: Mapped[str] = mapped_column(String(16), index=True)
    actor: Mapped[str] = mapped_column(String(120))
    source: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    prepared_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cursor: Mapped[int] = mapped_column(Id, default=0)
    candidates: Mapped[int] = mapped_column(Integer)
    looked_at: Mapped[int] = mapped_column(Integer, default=0)
    billed_before: Mapped[int] = mapped_column(Integer, default=0)
    included: Mapped[int] = mapped_column(Integer, default=0)
    included_cents: Mapped[int] = mapped_column(BigInteger, default=0)
    excluded: Mapped[int] = mapped_column(Integer, default=0)
    billed: Mapped[int] = mapped_column(Integer, default=0)
    billed_cents: Mapped[int] = mapped_column(BigInteger, default=0)
    invoices: Mapped[int] = mapped_column(Integer, default=0)
    skipped: Mapped[int] = mapped_column(Integer, default=0)
    note: Mapped[str] = mapped_column(Text, default="")


class BillingRunAlert(Base):
    """Something about a line that a person should know before it is billed; a `warning` holds nothing back."""

    __tablename__ = "billing_run_alert"
    __table_args__ = (
        UniqueConstraint("line_id", "code", name="uq_billing_run_alert_line"),
        Index("ix_billing_run_alert_run", "run_id", "code"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("billing_run.id"))
    line_id: Mapped[int] = mapped_column(ForeignKey("billing_run_line.id"))
    code: Mapped[str] = mapped_column(String(24))
    detail: Mapped[str] = mapped_column(Text)
    warning: Mapped[bool] = mapped_column(Boolean)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    confirmed_by: Mapped[str] = mapped_column(String(120), default="")


class BillingRunLine(Base):
    """What a run bills to one subscription. `decision`: include or exclude; `status`: planned, billed, skipped.

    `days` are those in service in the month; `detail` says why it is excluded or was skipped.
    """

    __tablename__ = "billing_run_line"
    __table_args__ = (
        UniqueConstraint("run_id", "subscription_id", name="uq_billing_run_line_subscription"),
        Index("ix_billing_run_line_subscriber", "run_id", "status", "subscriber_id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("billing_run.id"))
    subscription_id: Mapped[int] = mapped_column(BigInteger)
    subscriber_id: Mapped[int] = mapped_column(BigInteger)
    billing_method_id: Mapped[int] = mapped_column(BigInteger)
    own_invoice: Mapped[bool] = mapped_column(Boolean)
    description: Mapped[str] = mapped_column(String(200))
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    days: Mapped[int] = mapped_column(Integer)
    due_on: Mapped[date] = mapped_column(Date)
    decision: Mapped[str] = mapped_column(String(8))
    decided_by: Mapped[str] = mapped_column(String(120), default="")
    status: Mapped[str] = mapped_column(String(12), default="planned")
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey("invoice.id"))
    detail: Mapped[str] = mapped_column(Text, default="")

    alerts: Mapped[list[BillingRunAlert]] = relationship(lazy="selectin", order_by=BillingRunAlert.id)


class MonthlyBill(Base):
    """A subscription's month that is billed: its key is why that happens once, whatever runs or crashes.

    It goes away with its invoice when that is cancelled: then the month may be billed again.
    """

    __tablename__ = "monthly_bill"

    subscription_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    month: Mapped[date] = mapped_column(Date, primary_key=True)
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"), index=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("billing_run.id"))
