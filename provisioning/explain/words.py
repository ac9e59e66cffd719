"""The phrases of `explain`, in English and in Brazilian Portuguese, and how days are written in them. Pure.

Both languages have the same keys with the same fields; a test proves it. Rules and states keep their names in English,
as the API speaks of them; in Portuguese they are called what the console calls them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

ENGLISH, PORTUGUESE = "en", "pt-BR"
MOST_LISTED = 5

_EN = {
    "state.PENDING_INSTALL": "PENDING_INSTALL",
    "state.PENDING_MIGRATION": "PENDING_MIGRATION",
    "state.ACTIVE": "ACTIVE",
    "state.REDUCED": "REDUCED",
    "state.SUSPENDED": "SUSPENDED",
    "state.PAUSED": "PAUSED",
    "state.CANCELLED": "CANCELLED",
    "rule.cancelled": "cancelled",
    "rule.pending": "pending",
    "rule.paused": "paused",
    "rule.trust": "trust unblock",
    "rule.total": "total order",
    "rule.partial": "partial order",
    "rule.active": "active",
    "sentence.since": "{state} since {since}: {why}",
    "sentence.active": "{state}: no restriction holds",
    "sentence.custom": "{state}: no restriction holds; custom speed{until}",
    "sentence.trust": "{state} on trust until {until}: {note}",
    "sentence.paused": "{state} since {since} at the subscriber's request{until}",
    "sentence.noted": "{sentence}: {note}",
    "sentence.cancelled": "{state} since {since}",
    "sentence.install": "{state}: the installation is not done yet",
    "sentence.install_on": "{state}: installed only on {on}",
    "sentence.migration": "{state}: the migration is not done yet",
    "sentence.migration_from": "{state}: awaiting migration from subscription {old}",
    "order.one": "invoice {invoices} is open",
    "order.many": "invoices {invoices} are open",
    "order.one_now": "invoice {invoices} is open, due on {due}, {open} now",
    "order.many_now": "invoices {invoices} are open, the oldest due on {due}, {open} now",
    "order.by": "ordered by {who}",
    "due.one": "invoice {invoices} was due on {due}, {days}, {open} open",
    "due.many": "invoices {invoices} are late, the oldest due on {due}, {days}, {open} open",
    "due.minimum": " (minimum {minimum})",
    "due.now": "{open} open now",
    "due.notice": "notice given on {on}",
    "due.rule": "rule v{version}",
    "holiday.free_one": "holiday {days} does not apply",
    "holiday.free_many": "holidays {days} do not apply",
    "holiday.held_one": "holiday {days} applies",
    "holiday.held_many": "holidays {days} apply",
    "days.one": "{count} day ago",
    "days.many": "{count} days ago",
    "list.and": " and ",
    "list.more": "{count} more",
    "step.cancelled": "cancelled {on}",
    "step.not_cancelled": "not cancelled",
    "step.installed": "installed {on}",
    "step.not_installed": "not installed",
    "step.migration": "awaiting migration from subscription {old}",
    "step.none": "none",
    "step.live": "live: from {since}{until}",
    "step.over": "over: from {since}{until}",
    "step.nothing_above": "nothing above holds",
    "step.something_above": "something above holds",
    "until": ", until {until}",
    "speed": "{down} down, {up} up ({source}{until})",
    "speed.none": "no service",
    "speed.plan": "plan",
    "speed.custom": "custom speed",
    "speed.reduced_plan": "reduced speed of the plan",
    "speed.reduced_company": "reduced speed of the company",
    "speed.state": "speed of {state}",
    "why.cancelled": "the subscription is cancelled",
    "why.not_installed": "the subscription is not installed yet",
    "why.restricted": "it is restricted already: a {level} holds",
    "why.trust": "it is on trust until {until}",
    "why.no_account": "it has no billing account, so no rule looks at it",
    "why.rules_off": "the rules of {method} restrict nobody: both levels are off",
    "why.nothing_late": "nothing is late",
    "why.minimum": "{open} is late, less than the minimum of {minimum}",
    "why.days": "the oldest late invoice, {invoice}, was due on {due}: {method} restricts after {count} days, {first}",
    "why.not_told": "no notice was given of invoice {invoice}, and {method} wants one {count} days before",
    "why.told_lately": "notice of invoice {invoice} was given on {on}: it takes {count} days, until {first}",
    "why.weekday": "{day}: no restriction starts on this day of the week; from {first} on it may",
    "why.holiday": "{day} is a holiday, {name}: no restriction starts then; from {first} on it may",
    "why.eve": "{day} is the eve of {name}: no restriction starts then; from {first} on it may",
    "why.guard": "a guard holds restrictions back: {guard}",
    "why.next_run": "the rules want it restricted: the next run does it",
}
_PT = {
    "state.PENDING_INSTALL": "Aguardando instalação",
    "state.PENDING_MIGRATION": "Aguardando migração",
    "state.ACTIVE": "Habilitado",
    "state.REDUCED": "Suspenso parcialmente",
    "state.SUSPENDED": "Suspenso",
    "state.PAUSED": "Suspenso a pedido do cliente",
    "state.CANCELLED": "Cancelado",
    "rule.cancelled": "cancelado",
    "rule.pending": "aguardando",
    "rule.paused": "suspenso a pedido",
    "rule.trust": "desbloqueio em confiança",
    "rule.total": "ordem total",
    "rule.partial": "ordem parcial",
    "rule.active": "habilitado",
    "sentence.since": "{state} desde {since}: {why}",
    "sentence.active": "{state}: nenhuma restrição vigora",
    "sentence.custom": "{state}: nenhuma restrição vigora; navegação customizada{until}",
    "sentence.trust": "{state} em confiança até {until}: {note}",
    "sentence.paused": "{state} desde {since}{until}",
    "sentence.noted": "{sentence}: {note}",
    "sentence.cancelled": "{state} desde {since}",
    "sentence.install": "{state}: a instalação ainda não foi concluída",
    "sentence.install_on": "{state}: instalado somente em {on}",
    "sentence.migration": "{state}: a migração ainda não foi concluída",
    "sentence.migration_from": "{state}: aguarda a migração do serviço {old}",
    "order.one": "fatura {invoices} em aberto",
    "order.many": "faturas {invoices} em aberto",
    "order.one_now": "fatura {invoices} em aberto, venceu em {due}, agora {open}",
    "order.many_now": "faturas {invoices} em aberto, a mais antiga venceu em {due}, agora {open}",
    "order.by": "por ordem de {who}",
    "due.one": "fatura {invoices} venceu em {due}, {days}, {open} em aberto",
    "due.many": "faturas {invoices} em atraso, a mais antiga venceu em {due}, {days}, {open} em aberto",
    "due.minimum": " (mínimo {minimum})",
    "due.now": "agora {open} em aberto",
    "due.notice": "avisado em {on}",
    "due.rule": "regra v{version}",
    "holiday.free_one": "feriado {days} não se aplica",
    "holiday.free_many": "feriados {days} não se aplicam",
    "holiday.held_one": "feriado {days} se aplica",
    "holiday.held_many": "feriados {days} se aplicam",
    "days.one": "{count} dia",
    "days.many": "{count} dias",
    "list.and": " e ",
    "list.more": "mais {count}",
    "step.cancelled": "cancelado em {on}",
    "step.not_cancelled": "não cancelado",
    "step.installed": "instalado em {on}",
    "step.not_installed": "não instalado",
    "step.migration": "aguarda a migração do serviço {old}",
    "step.none": "nenhum",
    "step.live": "vigente: desde {since}{until}",
    "step.over": "encerrado: desde {since}{until}",
    "step.nothing_above": "nada acima vigora",
    "step.something_above": "algo acima vigora",
    "until": ", até {until}",
    "speed": "{down} de download, {up} de upload ({source}{until})",
    "speed.none": "sem serviço",
    "speed.plan": "plano",
    "speed.custom": "navegação customizada",
    "speed.reduced_plan": "velocidade reduzida do plano",
    "speed.reduced_company": "velocidade reduzida da empresa",
    "speed.state": "velocidade do status {state}",
    "why.cancelled": "o serviço está cancelado",
    "why.not_installed": "o serviço ainda não foi instalado",
    "why.restricted": "já está restrito: vigora uma {level}",
    "why.trust": "está desbloqueado em confiança até {until}",
    "why.no_account": "não tem forma de cobrança, e nenhuma regra o alcança",
    "why.rules_off": "as regras de {method} não restringem ninguém: os dois níveis estão desligados",
    "why.nothing_late": "nada está em atraso",
    "why.minimum": "{open} em atraso, menos que o mínimo de {minimum}",
    "why.days": "a fatura mais antiga, {invoice}, venceu em {due}: {method} restringe após {count} dias, em {first}",
    "why.not_told": "a fatura {invoice} não foi avisada, e {method} exige aviso {count} dias antes",
    "why.told_lately": "a fatura {invoice} foi avisada em {on}: o aviso vale após {count} dias, em {first}",
    "why.weekday": "{day}: nenhuma restrição começa neste dia da semana; a partir de {first} pode começar",
    "why.holiday": "{day} é feriado, {name}: nenhuma restrição começa; a partir de {first} pode começar",
    "why.eve": "{day} é véspera de {name}: nenhuma restrição começa; a partir de {first} pode começar",
    "why.guard": "uma proteção segura as restrições: {guard}",
    "why.next_run": "as regras pedem a restrição: a próxima rotina a fará",
}
PHRASES = {ENGLISH: _EN, PORTUGUESE: _PT}


@dataclass(frozen=True, slots=True)
class Voice:
    """One language at one instant: the year is only written where it is another than that of `at`."""

    language: str
    zone: ZoneInfo
    at: datetime

    def say(self, key: str, **fields: object) -> str:
        return PHRASES[self.language][key].format(**fields)

    def instant(self, instant: datetime) -> str:
        local = instant.astimezone(self.zone)
        return f"{self.day(local.date())} {local:%H:%M}"

    def day(self, day: date) -> str:
        same = day.year == self.at.astimezone(self.zone).year
        return f"{day:%d/%m}" if same else f"{day:%d/%m/%Y}"

    def until(self, until: datetime | None) -> str:
        """With its comma; nothing where there is no end."""
        return self.say("until", until=self.instant(until)) if until else ""

    def listed(self, items: Sequence[object]) -> str:
        """ "4711, 4712 and 4713"; behind the fifth only how many more there are."""
        words = [str(item) for item in items[:MOST_LISTED]]
        if len(items) > MOST_LISTED:
            words.append(self.say("list.more", count=len(items) - MOST_LISTED))
        return self.say("list.and").join(filter(None, (", ".join(words[:-1]), words[-1])))


def choose_language(wanted: str | None, accepted: str | None) -> str:
    """The language asked for, else the best of an Accept-Language header (RFC 9110 §12.5.4), else English."""
    if wanted in PHRASES:
        return wanted
    best, found = 0.0, ENGLISH
    for part in (accepted or "").split(","):
        tag, _, weight = part.partition(";")
        quality = _quality(weight)
        language = {"pt": PORTUGUESE, "en": ENGLISH}.get(tag.strip().lower().partition("-")[0])
        if language and quality > best:
            best, found = quality, language
    return found


def _quality(weight: str) -> float:
    text = weight.strip()
    try:
        return float(text.removeprefix("q=")) if text else 1.0
    except ValueError:
        return 0.0
