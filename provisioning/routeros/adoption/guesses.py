"""Guesses for rows that nobody has: whose they may be, and which plan. Pure; a person decides.

A CPF or CNPJ with fitting check digits in a comment or name says most; the whole comment being one subscriber's name
says something. Two answers are none.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from core.errors import InvalidInput
from provisioning.documents import Document, parse_document
from provisioning.routeros.adoption.facts import Group, KnownPlan, KnownSubscriber, Remark

_CPF = r"\d{3}\.?\d{3}\.?\d{3}-?\d{2}"
_CNPJ = r"[0-9A-Z]{2}\.?[0-9A-Z]{3}\.?[0-9A-Z]{3}/?[0-9A-Z]{4}-?\d{2}"
_DOCUMENT = re.compile(rf"(?<![0-9A-Za-z])(?:{_CNPJ}|{_CPF})(?![0-9A-Za-z])", re.IGNORECASE)
_LABEL = re.compile(r"\b(?:cpf|cnpj|doc(?:umento)?)\b\s*[:=]?", re.IGNORECASE)
_EDGES = " \t-–—:;,|/()[]"


@dataclass(frozen=True, slots=True)
class Whose:
    """Who it may be: a subscriber, or else the document and name that stand at the row."""

    subscriber_id: int | None = None
    document: str = ""
    name: str = ""
    remarks: tuple[Remark, ...] = ()


class Subscribers:
    """The subscribers, by document and by name."""

    def __init__(self, known: Iterable[KnownSubscriber]) -> None:
        self._by_document: dict[str, KnownSubscriber] = {}
        self._by_name: dict[str, list[KnownSubscriber]] = defaultdict(list)
        for one in known:
            self._by_document[one.document] = one
            self._by_name[folded(one.name)].append(one)

    def guess(self, texts: Sequence[str]) -> Whose:
        """By the texts that stand at a subscriber's rows, comments first."""
        documents = {found.number: found for text in texts for found in documents_in(text)}
        if len(documents) > 1:
            return Whose(remarks=(Remark("two_documents", {"documents": ", ".join(_shown(documents.values()))}),))
        name = next((name for name in map(name_in, texts) if name), "")
        for document in documents.values():
            if (one := self._by_document.get(document.number)) is not None:
                return Whose(one.id, document.number, one.name, (Remark("by_document", {"name": one.name}),))
            return Whose(None, document.number, name, (Remark("new_document", {"document": document.formatted}),))
        same = [one for text in texts for one in self._by_name.get(folded(name_in(text)), ())]
        if len({one.id for one in same}) == 1:
            return Whose(same[0].id, same[0].document, same[0].name, (Remark("by_name", {"name": same[0].name}),))
        return Whose(name=name, remarks=(Remark("no_subscriber"),))


def documents_in(text: str) -> Iterator[Document]:
    """Every CPF and CNPJ in a text whose check digits fit."""
    for found in _DOCUMENT.finditer(text):
        try:
            yield parse_document(found[0])
        except InvalidInput:
            continue


def name_in(text: str) -> str:
    """What is left of a comment without documents and their labels, if it can be a name."""
    rest = " ".join(_LABEL.sub(" ", _DOCUMENT.sub(" ", text)).split()).strip(_EDGES)
    return rest[:200] if " " in rest and not any(letter.isdigit() for letter in rest) else ""


def folded(name: str) -> str:
    """Names that differ in case, accents and blanks only are one."""
    plain = unicodedata.normalize("NFKD", name)
    return " ".join("".join(letter for letter in plain if not unicodedata.combining(letter)).casefold().split())


def guess_plan(group: Group, plans: Iterable[KnownPlan]) -> KnownPlan | None:
    """The one plan of that speed; of several, the one that the PPP profile is named after."""
    fitting = [plan for plan in plans if group.rate is not None and plan.rate == group.rate]
    if len(fitting) == 1:
        return fitting[0]
    named = [plan for plan in fitting if folded(plan.name) == folded(group.profile)]
    return named[0] if len(named) == 1 else None


def _shown(documents: Iterable[Document]) -> list[str]:
    return [document.formatted for document in documents]
