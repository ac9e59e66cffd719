"""What routers had before the product held them: reports, and what is decided and done about each candidate."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from core.columns import Id, JsonDict, SecretText, UtcDateTime
from core.database import Base
from core.secrets import Secret

OPEN, IMPORTING, MARKING, CLOSED = "open", "importing", "marking", "closed"
"""`Adoption.status`: what is on its way; closed: nothing more can be done with it, and it holds no passwords."""
ACCEPT, LINK, CREATE, SKIP, UNDECIDED = "accept", "link", "create", "skip", ""
"""`AdoptionCandidate.decision`."""
WAITING, IMPORTED, FAILED = "waiting", "imported", "failed"
"""`AdoptionCandidate.status`."""
UNTOUCHED, MARKED, CHANGED, GONE, TAKEN, REFUSED = "", "marked", "changed", "gone", "taken", "refused"
"""`AdoptionRow.mark`: what became of marking the row."""

_NOT_CLOSED = text("status != 'closed'")


class Adoption(Base):
    """One report on one router, which may be gone by now.

    `counts`: candidates by verdict; `left_rows`: how many rows belong to none.
    `unread`: menus that the router did not let us read, with its words. `restricting`: names of address lists whose
    members count as suspended. `actor` started it, or the last import or marking. `import_cursor`: the candidates up to
    this id are seen to.
    """

    __tablename__ = "adoption"
    __table_args__ = (
        Index("uq_adoption_open", "router_id", unique=True, sqlite_where=_NOT_CLOSED, postgresql_where=_NOT_CLOSED),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    router_id: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String(12), default=OPEN)
    version: Mapped[str] = mapped_column(String(32))
    identity: Mapped[str] = mapped_column(String(128))
    restricting: Mapped[list[str]] = mapped_column(JsonDict)
    counts: Mapped[dict[str, int]] = mapped_column(JsonDict)
    left_rows: Mapped[int] = mapped_column(Integer)
    unread: Mapped[dict[str, str]] = mapped_column(JsonDict)
    actor: Mapped[str] = mapped_column(String(120))
    source: Mapped[str] = mapped_column(String(16))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    import_cursor: Mapped[int] = mapped_column(BigInteger, default=0)
    trouble: Mapped[str] = mapped_column(Text, default="")


class AdoptionCandidate(Base):
    """One subscriber as the router has it (`adoption_facts.Candidate`), what is to be done with it, and what was.

    `found_id`: the subscription that it matches; `wanted`: the arguments of the decision; `subscription_id`: whose it
    became. `rate`: [upload, download] in bits per second. `password`: the router's, until the adoption is closed.
    """

    __tablename__ = "adoption_candidate"
    __table_args__ = (
        Index("ix_adoption_candidate_verdict", "adoption_id", "verdict", "id"),
        Index("ix_adoption_candidate_status", "adoption_id", "status", "id"),
        Index("ix_adoption_candidate_name", "adoption_id", "name"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    adoption_id: Mapped[int] = mapped_column(ForeignKey("adoption.id"))
    verdict: Mapped[str] = mapped_column(String(12))
    name: Mapped[str] = mapped_column(String(255))
    access: Mapped[str] = mapped_column(String(8))
    login: Mapped[str] = mapped_column(String(255))
    password: Mapped[Secret | None] = mapped_column(SecretText)
    mac: Mapped[str] = mapped_column(String(17))
    address: Mapped[str] = mapped_column(String(64))
    pool: Mapped[str] = mapped_column(String(128))
    profile: Mapped[str] = mapped_column(String(255))
    dhcp_server: Mapped[str] = mapped_column(String(64))
    rate: Mapped[list[int] | None] = mapped_column(JsonDict)
    suspended: Mapped[bool] = mapped_column(Boolean)
    found_id: Mapped[int | None] = mapped_column(BigInteger)
    plan_id: Mapped[int | None] = mapped_column(BigInteger)
    subscriber_id: Mapped[int | None] = mapped_column(BigInteger)
    guess_document: Mapped[str] = mapped_column(String(14))
    guess_name: Mapped[str] = mapped_column(String(200))
    differs: Mapped[dict[str, list[str]]] = mapped_column(JsonDict)
    remarks: Mapped[list[dict[str, str]]] = mapped_column(JsonDict)
    decision: Mapped[str] = mapped_column(String(8), default=UNDECIDED)
    wanted: Mapped[dict[str, Any]] = mapped_column(JsonDict, default=dict)
    decided_by: Mapped[str] = mapped_column(String(120), default="")
    status: Mapped[str] = mapped_column(String(8), default=WAITING)
    detail: Mapped[str] = mapped_column(Text, default="")
    subscription_id: Mapped[int | None] = mapped_column(BigInteger)


class AdoptionRow(Base):
    """One row as the report found it; `fields` without its password.

    `why`: the remark why it belongs to no candidate. `key` and `mark`: the mark that it bears, and what became of
    marking it; `detail`: the field that changed meanwhile, or the router's words.
    """

    __tablename__ = "adoption_row"
    __table_args__ = (
        Index("ix_adoption_row_adoption", "adoption_id", "id"),
        Index("ix_adoption_row_candidate", "candidate_id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    adoption_id: Mapped[int] = mapped_column(ForeignKey("adoption.id"))
    candidate_id: Mapped[int | None] = mapped_column(ForeignKey("adoption_candidate.id"))
    menu: Mapped[str] = mapped_column(String(40))
    row_id: Mapped[str] = mapped_column(String(32))
    position: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(String(255))
    fields: Mapped[dict[str, str]] = mapped_column(JsonDict)
    why: Mapped[dict[str, str] | None] = mapped_column(JsonDict)
    key: Mapped[str] = mapped_column(String(120), default="")
    mark: Mapped[str] = mapped_column(String(8), default=UNTOUCHED)
    detail: Mapped[str] = mapped_column(Text, default="")
