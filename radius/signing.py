"""Which NAS send Message-Authenticator, so that it can be demanded of all that do (CVE-2024-3596)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from core.database import Transaction
from radius.models import Nas, NasSighting
from radius.reject_reasons import Words

RECENT = timedelta(days=7)
"""A router that has not sent an unsigned request for so long has stopped doing so."""
VERDICTS = {
    "never_heard": Words("never heard", "nunca ouvido"),
    "demanded": Words("demanded, and it signs", "exigido, e ele assina"),
    "refused": Words("demanded, and refused: it still sends none", "exigido e recusado: ele ainda não envia nenhum"),
    "safe": Words("safe to demand: it signs", "pode ser exigido: ele assina"),
    "mixed": Words("signs some requests and not others", "assina alguns pedidos e outros não"),
    "unsigned": Words("still sends none", "ainda não envia nenhum"),
}


@dataclass(frozen=True, slots=True)
class Signing:
    """One NAS: whether Message-Authenticator is demanded, when it was last seen to send it or not, and the verdict."""

    nas_id: int
    nas_name: str
    required: bool
    signed_at: datetime | None
    unsigned_at: datetime | None
    refused_at: datetime | None
    verdict: str

    @property
    def words(self) -> str:
        return VERDICTS[self.verdict].en

    @property
    def words_pt(self) -> str:
        return VERDICTS[self.verdict].pt


def signing_report(tx: Transaction, *, after_id: int = 0, limit: int = 50) -> list[Signing]:
    """A page of NAS in order of id, those with an id above `after_id`."""
    statement = (
        select(Nas, NasSighting)
        .outerjoin(NasSighting, NasSighting.nas_id == Nas.id)
        .where(Nas.id > after_id)
        .order_by(Nas.id)
        .limit(limit)
    )
    return [_signing(nas, seen, tx.now) for nas, seen in tx.session.execute(statement)]


def verdict_on(
    required: bool,
    signed_at: datetime | None,
    unsigned_at: datetime | None,
    refused_at: datetime | None,
    now: datetime,
) -> str:
    """A key of VERDICTS."""
    without = max(filter(None, (unsigned_at, refused_at)), default=None)
    if signed_at is None and without is None:
        return "never_heard"
    lately = without is not None and without > now - RECENT
    if required:
        last = signed_at is None or (without is not None and without > signed_at)
        return "refused" if lately and last else "demanded"
    if signed_at is None:
        return "unsigned"
    if not lately:
        return "safe"
    return "mixed" if signed_at > now - RECENT else "unsigned"


def _signing(nas: Nas, seen: NasSighting | None, now: datetime) -> Signing:
    when = (seen.signed_at, seen.unsigned_at, seen.refused_at) if seen else (None, None, None)
    verdict = verdict_on(nas.require_message_authenticator, *when, now)
    return Signing(nas.id, nas.name, nas.require_message_authenticator, *when, verdict)
