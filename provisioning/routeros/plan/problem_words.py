"""Problems in English, as they are written, and in Brazilian Portuguese. Pure.

A problem is made from a phrase and its values; the phrase that its words fit gives the values back for the translation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from provisioning.routeros.rows import Problem

PHRASES: Mapping[str, tuple[str, str]] = {
    "no-login": (
        "PPP needs a login and a password: give the subscription both",
        "PPP precisa de login e senha: dê ambos à assinatura",
    ),
    "queue-address": (
        "a queue needs a fixed address: give the subscription one",
        "uma fila precisa de endereço fixo: dê um à assinatura",
    ),
    "list-address": (
        "the address list {lists} needs a fixed address: give the subscription one",
        "a lista de endereços {lists} precisa de endereço fixo: dê um à assinatura",
    ),
    "lease": (
        "a static lease needs a MAC address and a fixed address: give the subscription both",
        "um lease estático precisa de MAC e de endereço fixo: dê ambos à assinatura",
    ),
    "ip-binding": (
        "an ip-binding needs a MAC address or a fixed address: give the subscription one",
        "um ip-binding precisa de MAC ou de endereço fixo: dê um deles à assinatura",
    ),
    "prefix": (
        "the prefix {prefix} needs the client's DUID and the router's DHCPv6 server: give both",
        "o prefixo {prefix} precisa do DUID do cliente e do servidor DHCPv6 do roteador: informe ambos",
    ),
    "ipv6-route": (
        "{network} cannot be routed over the API without a PPP session",
        "{network} não pode ser roteada pela API sem uma sessão PPP",
    ),
    "route-address": (
        "the route to {network} needs a fixed address: give the subscription one",
        "a rota para {network} precisa de endereço fixo: dê um à assinatura",
    ),
    "too-wide": (
        "{target} is everybody's or nobody's: give the subscription one of its own",
        "{target} é de todos ou de ninguém: dê à assinatura um só dela",
    ),
    "garden-wide": (
        "the walled garden may not leave {target} open",
        "o jardim murado não pode deixar {target} aberto",
    ),
    "not-read": (
        "{menu} could not be read: rows of ours there wait",
        "{menu} não pôde ser lido: as nossas linhas ali aguardam",
    ),
    "foreign": (
        "{menu} already has {name} ({id}), which is not ours: adopt it, or take it away at the router",
        "{menu} já tem {name} ({id}), que não é nossa: adote-a, ou remova-a no roteador",
    ),
    "made-by-router": (
        "{menu} already has {name} ({id}), made by the router itself: it goes with the session or lease that made it",
        "{menu} já tem {name} ({id}), criada pelo próprio roteador: ela sai com a sessão ou o lease que a criou",
    ),
    "twice": (
        "{menu} already has {name} ({id}), which is of {key}: two rows want the same",
        "{menu} já tem {name} ({id}), que é de {key}: duas linhas querem o mesmo",
    ),
    "both-new": (
        "{menu}: {other} and {key} want the same, so only the first is there",
        "{menu}: {other} e {key} querem o mesmo, por isso só a primeira existe",
    ),
    "owned": (
        "{menu} already has {name} ({id}) for this subscriber, made by RADIUS, DHCP or another profile: "
        "one of the two may own the speed, not both",
        "{menu} já tem {name} ({id}) para este assinante, criada por RADIUS, DHCP ou outro perfil: "
        "só um dos dois pode ser dono da velocidade",
    ),
    "foreign-queue": (
        "{menu} already has {name} ({id}) for this subscriber, not ours: adopt it, or take it away at the router",
        "{menu} já tem {name} ({id}) para este assinante, e não é nossa: adote-a, ou remova-a no roteador",
    ),
    "no-field": (
        "this release of RouterOS has no field {field} in {menu}",
        "esta versão do RouterOS não tem o campo {field} em {menu}",
    ),
    "hidden": (
        "the router shows no passwords: give its API user the policy `sensitive`, else a changed one stays unseen",
        "o roteador não mostra senhas: dê ao usuário da API a política `sensitive`, senão uma troca não é vista",
    ),
}
"""English and Portuguese; both have the same values."""


def problem(subscription_id: int | None, phrase: str, **values: str) -> Problem:
    """A problem of a subscription (None: the router's own), in English. KeyError for a phrase that is not there."""
    return Problem(subscription_id, PHRASES[phrase][0].format(**values))


def problem_words(one: Problem, language: str = "en") -> str:
    """The problem's words; those that fit no phrase stay as they are."""
    return in_portuguese(one.words) if language.lower().startswith("pt") else one.words


@lru_cache(maxsize=1024)
def in_portuguese(words: str) -> str:
    """The words of a problem, such as a convergence record keeps them, in Portuguese."""
    for english, portuguese in PHRASES.values():
        if match := _pattern(english).fullmatch(words):
            return portuguese.format(**match.groupdict())
    return words


@lru_cache(maxsize=64)
def _pattern(phrase: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", phrase)
    literal = [re.escape(part) if number % 2 == 0 else f"(?P<{part}>.+?)" for number, part in enumerate(parts)]
    return re.compile("".join(literal), re.DOTALL)
