"""What adoption found and did, in words, for the people at the desk. Pure.

A spreadsheet takes a cell that begins with =, +, - or @ for a formula, and a router's comment may hold anything that
somebody typed: such a cell begins with an apostrophe.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from provisioning.routeros.adoption.facts import Verdict

LANGUAGES = ("en", "pt-BR")
COLUMNS = (
    "id", "verdict", "name", "access", "login", "mac", "address", "upload_bps", "download_bps", "profile", "comment",
    "found_id", "subscriber_id", "document", "subscriber_name", "plan_id", "suspended", "decision", "status",
    "subscription_id", "words",
)  # fmt: skip
"""The columns of the exported list."""

WORDS: dict[str, tuple[str, str]] = {
    "ours": ("bears our mark: {key}", "tem a nossa marca: {key}"),
    "dynamic": ("made by the router itself", "criada pelo próprio roteador"),
    "profile": (
        "a profile: the product keeps profiles of its own, this one stays",
        "um perfil: o sistema mantém os seus próprios, este fica",
    ),
    "profile_local": (
        "a profile, which stays; it has local-address {address}, our own profiles would have {ours}: "
        "set the router's ppp_local_address first if it is in use",
        "um perfil, que fica; ele tem local-address {address}, os nossos teriam {ours}: "
        "ajuste antes o ppp_local_address do roteador, se ele está em uso",
    ),
    "default_profile": ("RouterOS's own profile", "perfil do próprio RouterOS"),
    "nameless": ("has no name", "não tem nome"),
    "no_mac": ("has no MAC address", "não tem endereço MAC"),
    "no_single_host": ("is not about one single IPv4 address", "não trata de um único endereço IPv4"),
    "address_of_nobody": (
        "{address} is nobody's that the product or another row of this router knows",
        "{address} não é de ninguém que o sistema ou outra linha deste roteador conheça",
    ),
    "disabled": ("on the router this one is disabled", "no roteador este está desativado"),
    "listed": (
        "on the router this one is in the list {list}, as suspended",
        "no roteador este está na lista {list}, como suspenso",
    ),
    "blocked": ("on the router this one is blocked", "no roteador este está bloqueado"),
    "suspended_here": (
        "on the router this one is suspended; the facts say {state}",
        "no roteador este está suspenso; os fatos dizem {state}",
    ),
    "restricted_by_facts": (
        "on the router this one has service; the facts say {state}",
        "no roteador este tem serviço; os fatos dizem {state}",
    ),
    "address_of_other": (
        "{address} is the fixed address of subscription {subscription} of {name}",
        "{address} é o IP fixo da assinatura {subscription} de {name}",
    ),
    "other_mac": (
        "the address is that of subscription {subscription} of {name}, whose MAC address is {theirs}, not {mac}",
        "o endereço é da assinatura {subscription} de {name}, cujo MAC é {theirs}, não {mac}",
    ),
    "login_but_for_case": (
        "but for capital letters this is the login {login} of subscription {subscription} of {name}",
        "fora maiúsculas e minúsculas, é o login {login} da assinatura {subscription} de {name}",
    ),
    "login_twice": (
        "the router has the login {login} more than once",
        "o roteador tem o login {login} mais de uma vez",
    ),
    "address_twice": (
        "the router has the address {address} for more than one",
        "o roteador tem o endereço {address} para mais de um",
    ),
    "mac_twice": ("the router has the MAC address {mac} more than once", "o roteador tem o MAC {mac} mais de uma vez"),
    "same_subscription": (
        "subscription {subscription} fits {others} too",
        "a assinatura {subscription} serve também para {others}",
    ),
    "no_plan": ("no single plan has the speed {rate}", "nenhum plano único tem a velocidade {rate}"),
    "no_rate": ("no row says a speed", "nenhuma linha diz a velocidade"),
    "password_unseen": (
        "the router does not show the password: its API user lacks the policy `sensitive`",
        "o roteador não mostra a senha: falta ao usuário da API a política `sensitive`",
    ),
    "no_subnet": (
        "no subnet holds {address}: add one (catraca subnet add) before it can be given",
        "nenhuma sub-rede contém {address}: cadastre uma (catraca subnet add) antes de atribuí-lo",
    ),
    "no_address": ("neither the router nor the facts say an address", "nem o roteador nem os fatos dizem um endereço"),
    "served_elsewhere": ("served by {routers} too", "atendida também por {routers}"),
    "two_documents": ("more than one document: {documents}", "mais de um documento: {documents}"),
    "by_document": ("{name}, by the document", "{name}, pelo documento"),
    "by_name": ("{name}, by the name alone", "{name}, só pelo nome"),
    "new_document": ("the document {document} is nobody's yet", "o documento {document} ainda não é de ninguém"),
    "no_subscriber": ("nothing says whose it is", "nada diz de quem é"),
    "differs": (
        "{field}: {router} on the router, {facts} by the facts",
        "{field}: {router} no roteador, {facts} pelos fatos",
    ),
    "unmarked": (
        "stays as it is: the facts demand no such row for this subscription here",
        "fica como está: os fatos não pedem esta linha para esta assinatura aqui",
    ),
    "unmarked_queue": (
        "stays as it is and goes on limiting: the facts demand no such queue here (router: speed_by)",
        "fica como está e continua limitando: os fatos não pedem esta fila aqui (roteador: speed_by)",
    ),
    "unserved": (
        "stays as it is: the router does not serve this subscription",
        "fica como está: o roteador não atende esta assinatura",
    ),
    "marked": ("marked", "marcada"),
    "changed": (
        "changed at the router since the report: {field}",
        "mudou no roteador desde o relatório: {field}",
    ),
    "gone": ("gone from the router since the report", "não está mais no roteador"),
    "taken": ("another row has this mark: {key}", "outra linha já tem esta marca: {key}"),
    "refused": ("the router refused: {words}", "o roteador recusou: {words}"),
}
_VERDICTS = {
    Verdict.MATCHED: ("{count} match and differ in nothing", "{count} conferem sem diferença"),
    Verdict.DIFFERS: ("{count} match but differ", "{count} conferem, com diferenças"),
    Verdict.NEW: ("{count} are new: nobody has them", "{count} são novos: ninguém os tem"),
    Verdict.CONFLICT: ("{count} are in conflict", "{count} estão em conflito"),
    Verdict.IGNORED: ("{count} are disabled and nobody has them", "{count} estão desativados e ninguém os tem"),
}
_NOTHING = ("nothing", "nada")
_FIELDS = {
    "password": "senha", "address": "endereço", "pool": "pool", "mac": "MAC", "rate": "velocidade",
}  # fmt: skip


def words_of(remark: Mapping[str, str], language: str = "en") -> str:
    """A stored remark as a sentence."""
    return WORDS[remark["code"]][_place(language)].format(**remark)


def difference_words(name: str, router: str, facts: str, language: str = "en") -> str:
    """One field that differs; passwords come masked already."""
    nothing = _NOTHING[_place(language)]
    label = _FIELDS.get(name, name) if _place(language) else name
    return WORDS["differs"][_place(language)].format(field=label, router=router or nothing, facts=facts or nothing)


def row_words(why: Mapping[str, str] | None, mark: str, key: str, detail: str, language: str = "en") -> str:
    """Why a row is no subscriber's, or what became of marking it; "" where there is nothing to say."""
    if why is not None:
        return words_of(why, language)
    return words_of({"code": mark, "key": key, "field": detail, "words": detail}, language) if mark else ""


def summary(counts: Mapping[str, int], left: int, language: str = "en") -> list[str]:
    """The report in a few lines: how many of each verdict, and how many rows are no subscriber's."""
    lines = [words[_place(language)].format(count=counts.get(verdict, 0)) for verdict, words in _VERDICTS.items()]
    rest = ("{count} rows are no subscriber's", "{count} linhas não são de assinante")
    return [*lines, rest[_place(language)].format(count=left)]


def sheet(rows: Iterable[Sequence[object]]) -> str:
    """The rows under `COLUMNS` as CSV (RFC 4180, with commas), safe to open in a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return text.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text


def _place(language: str) -> int:
    return 0 if language == "en" else 1
