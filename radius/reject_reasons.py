"""What the reason of a reject means, in words for people. Pure.

Reasons are short slugs, because they are labels of counters; this is the one table that spells them out. A reason that
is not here (a denial's reason is data) is shown as it is.
"""

from __future__ import annotations

from typing import NamedTuple


class Words(NamedTuple):
    """One meaning in both languages of the product."""

    en: str
    pt: str


REASONS: dict[str, Words] = {
    "unknown_user": Words("no subscription has this login", "nenhum serviço tem este login"),
    "no_user_name": Words("the request names nobody", "o pedido não traz nome de usuário"),
    "wrong_password": Words("wrong password", "senha errada"),
    "no_credentials": Words("the request carries no password", "o pedido não traz senha"),
    "mac_mismatch": Words(
        "asked for one MAC address from another one", "pediu por um endereço MAC a partir de outro endereço MAC"
    ),
    "eap_not_offered": Words("EAP is not offered", "EAP não é oferecido"),
    "pending_install": Words("the installation is not done yet", "aguardando instalação"),
    "pending_migration": Words("waits for its migration", "aguardando migração"),
    "cancelled": Words("the subscription is cancelled", "serviço cancelado"),
    "suspended": Words("suspended and no walled garden", "suspenso, sem página de aviso"),
    "paused": Words("paused and no walled garden", "pausado, sem página de aviso"),
    "session_limit": Words("session limit", "limite de sessões"),
    "mac_not_bound": Words("called from another MAC address than the bound one", "chamou de outro endereço MAC"),
    "nas_not_allowed": Words("not allowed at this NAS", "não permitido neste NAS"),
    "port_not_allowed": Words("not allowed at this port", "não permitido nesta porta"),
    "unknown_client": Words("nobody who asks from there is known", "quem pergunta de lá não é conhecido"),
    "policy_missing": Words("its policy has not arrived", "a política dele não chegou"),
    "reply_too_long": Words("the answer does not fit into a packet", "a resposta não cabe em um pacote"),
    "throttled": Words("too many wrong passwords", "senhas erradas demais"),
}


def words_of(reason: str, detail: str = "") -> Words:
    """The reason in words, with what is known beyond it."""
    plain = reason.replace("_", " ")
    words = REASONS.get(reason, Words(plain, plain))
    return Words(f"{words.en}, {detail}", f"{words.pt}, {detail}") if detail else words
