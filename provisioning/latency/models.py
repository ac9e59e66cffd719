"""How long facts take to be proven on the network: what waits for its proof, and how long the others took."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from core.columns import UtcDateTime
from core.database import Base


class ProofWait(Base):
    """A change of a subscription's state that nothing has proven yet; a newer change takes its place.

    `kind`: restored (more service) or restricted (less). `began_at` is the instant of the fact's transaction,
    `desired_fingerprint` the policy that it asked for.
    """

    __tablename__ = "proof_wait"
    __table_args__ = (Index("ix_proof_wait_began", "began_at", "subscription_id"),)

    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscription.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    desired_fingerprint: Mapped[str] = mapped_column(String(40))


class ProofLatency(Base):
    """A bucket of the histogram of one `kind` and `path` (radius, router): how many proofs, their seconds together.

    `bucket` counts through `latency_buckets.BOUNDS`; the number after the last is of what took longer still. Waits that
    ended without a proof are counted by reason instead of path (`latency_buckets.UNCOUNTED`), in bucket 0.
    """

    __tablename__ = "proof_latency"

    kind: Mapped[str] = mapped_column(String(12), primary_key=True)
    path: Mapped[str] = mapped_column(String(12), primary_key=True)
    bucket: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    times: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[float] = mapped_column(Float)
