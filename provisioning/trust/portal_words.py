"""What a subscriber reads or hears of their service, in Brazilian Portuguese and in English. Pure.

Days are the company's; money and limits come with the sentence, so that a telephone system can read it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from provisioning.facts import ServiceState
from provisioning.trust.rules import Limit, Refused


@dataclass(frozen=True, slots=True)
class Words:
    """One sentence in both languages."""

    pt_br: str
    en: str


_STATES = {
    ServiceState.PENDING_INSTALL: Words(
        "Sua instalação ainda não foi concluída.", "Your installation is not done yet."
    ),
    ServiceState.PENDING_MIGRATION: Words("Sua migração ainda não foi concluída.", "Your migration is not done yet."),
    ServiceState.ACTIVE: Words("Seu serviço está ativo.", "Your service is active."),
    ServiceState.REDUCED: Words(
        "Sua velocidade está reduzida por fatura em aberto.", "Your speed is reduced because of an open invoice."
    ),
    ServiceState.SUSPENDED: Words(
        "Seu serviço está suspenso por fatura em aberto.", "Your service is suspended because of an open invoice."
    ),
    ServiceState.PAUSED: Words("Seu serviço está pausado a seu pedido.", "Your service is paused at your request."),
    ServiceState.CANCELLED: Words("Seu serviço foi cancelado.", "Your service was cancelled."),
}
_REFUSALS = {
    Limit.DAYS: Words("o prazo pedido é longo demais", "that is too many days"),
    Limit.USES: Words("o limite de desbloqueios foi atingido", "the limit of trust unblocks is reached"),
    Limit.AGE: Words("o serviço é recente demais", "the service is too new"),
    Limit.BROKEN: Words("uma promessa anterior não foi cumprida", "an earlier promise was not kept"),
}
NOT_OFFERED = Words("O desbloqueio não é oferecido aqui.", "Trust unblock is not offered here.")
NOT_NEEDED = Words("Não há o que desbloquear.", "There is nothing to unblock.")


def state_words(state: ServiceState) -> Words:
    return _STATES[state]


def possible_words(days: int) -> Words:
    """That a trust unblock of up to `days` days may be asked for."""
    plural = "dia" if days == 1 else "dias", "day" if days == 1 else "days"
    return Words(
        f"Você pode pedir o desbloqueio por até {days} {plural[0]}.",
        f"You may ask for a trust unblock of up to {days} {plural[1]}.",
    )


def refused_words(refused: Refused) -> Words:
    """Why there is none, and from which day on there is one."""
    why = _REFUSALS[refused.limit]
    from_pt, from_en = ("", "") if refused.from_day is None else _from(refused.from_day)
    return Words(f"O desbloqueio não é possível: {why.pt_br}.{from_pt}", f"Not possible: {why.en}.{from_en}")


def granted_words(until: datetime, protocol: str, zone: str) -> Words:
    """That it is done, until when, and under which number."""
    local = until.astimezone(ZoneInfo(zone))
    return Words(
        f"Seu serviço está liberado até {local:%d/%m/%Y} às {local:%H:%M}. Protocolo {protocol}.",
        f"Your service is back until {local:%Y-%m-%d} at {local:%H:%M}. Protocol number {protocol}.",
    )


def _from(day: date) -> tuple[str, str]:
    return f" Possível a partir de {day:%d/%m/%Y}.", f" Possible from {day:%Y-%m-%d} on."
