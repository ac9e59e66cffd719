"""Tables of what comes in from other billing systems: sources, events, full comparisons, who is who."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.columns import Id, JsonDict, SecretText, UtcDateTime
from core.database import Base
from core.secrets import Secret


class BillingSource(Base):
    """Another billing system whose invoices are mirrored here.

    `kind`: "push" sends us events, which it versions itself; any other names an adapter that we ask ("hubsoft"), and
    the version is then the instant of the asking. `secret` is the key of signatures (push) or the client's secret;
    `previous_secret` is valid too until `previous_until`. `failing_since`, `failures` and `failure` tell of full
    comparisons that failed in a row.
    """

    __tablename__ = "billing_source"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    enabled: Mapped[bool] = mapped_column(Boolean)
    settings: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    secret: Mapped[Secret] = mapped_column(SecretText)
    previous_secret: Mapped[Secret | None] = mapped_column(SecretText)
    previous_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    password: Mapped[Secret | None] = mapped_column(SecretText)
    last_event_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_full_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_full_count: Mapped[int | None] = mapped_column(Integer)
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failures: Mapped[int] = mapped_column(Integer, default=0)
    failure: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def pulled(self) -> bool:
        """Whether we ask it, instead of being told."""
        return self.kind != "push"

    @property
    def expect_every_hours(self) -> int | None:
        """How long a source that pushes may be silent; None: as long as it likes."""
        return self.settings.get("expect_every_hours")


class ExternalSubscription(Base):
    """Which subscription a source means by an id of its own."""

    __tablename__ = "external_subscription"

    source_id: Mapped[int] = mapped_column(ForeignKey("billing_source.id"), primary_key=True, autoincrement=False)
    external_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id"), index=True)
    since: Mapped[datetime] = mapped_column(UtcDateTime)


class IntakeEvent(Base):
    """One event as it came in, and what became of it.

    `outcome`: received (stored, to be applied), applied, duplicate, older, conflict, unmatched, refused. `body` holds
    the fields that we know and nothing else; of a refused event what it held, with secrets hidden.
    """

    __tablename__ = "intake_event"
    __table_args__ = (
        UniqueConstraint("source_id", "event_id"),
        Index("ix_intake_event_outcome", "outcome", "source_id", "id"),
        Index("ix_intake_event_external", "source_id", "external_id", "id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("billing_source.id"))
    event_id: Mapped[str] = mapped_column(String(160))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    external_id: Mapped[str] = mapped_column(String(80), default="")
    version: Mapped[int | None] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64), default="")
    body: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    outcome: Mapped[str] = mapped_column(String(12))
    detail: Mapped[str] = mapped_column(Text, default="")
    invoice_id: Mapped[int | None] = mapped_column(BigInteger)
    tries: Mapped[int] = mapped_column(Integer, default=0)
    concluded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class IntakeRun(Base):
    """One full comparison with a source. It goes by small steps that are committed one by one, so it can go on after a
    crash: `phase` fetch (`step` of `plan`, `page` in it), apply (`cursor`: the last snapshot), close, over.

    `status`: running, done, failed (the source did), held (its listing is not believed), left (another took over).
    `differences` lists, for a rehearsal (`dry_run`), what a real one would do.
    """

    __tablename__ = "intake_run"
    __table_args__ = (Index("ix_intake_run_source_id", "source_id", "id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("billing_source.id"))
    status: Mapped[str] = mapped_column(String(12))
    phase: Mapped[str] = mapped_column(String(12))
    dry_run: Mapped[bool] = mapped_column(Boolean)
    accept_smaller: Mapped[bool] = mapped_column(Boolean)
    actor: Mapped[str] = mapped_column(String(120))
    actor_source: Mapped[str] = mapped_column(String(16))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    moved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    plan: Mapped[list[dict[str, Any]]] = mapped_column(JsonDict)
    step: Mapped[int] = mapped_column(Integer, default=0)
    page: Mapped[int] = mapped_column(Integer, default=0)
    cursor: Mapped[int] = mapped_column(Id, default=0)
    seen: Mapped[int] = mapped_column(Integer, default=0)
    unchanged: Mapped[int] = mapped_column(Integer, default=0)
    created: Mapped[int] = mapped_column(Integer, default=0)
    changed: Mapped[int] = mapped_column(Integer, default=0)
    closed: Mapped[int] = mapped_column(Integer, default=0)
    unmatched: Mapped[int] = mapped_column(Integer, default=0)
    conflicts: Mapped[int] = mapped_column(Integer, default=0)
    refused: Mapped[int] = mapped_column(Integer, default=0)
    differences: Mapped[list[str]] = mapped_column(JsonDict, default=list)
    detail: Mapped[str] = mapped_column(Text, default="")


class IntakeSnapshot(Base):
    """An invoice as a full listing has it, kept until the run is over; `trouble` says why it cannot be read."""

    __tablename__ = "intake_snapshot"
    __table_args__ = (UniqueConstraint("run_id", "external_id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("intake_run.id"))
    external_id: Mapped[str] = mapped_column(String(80))
    body: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    trouble: Mapped[str] = mapped_column(Text, default="")
