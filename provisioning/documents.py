"""CPF and CNPJ, the alphanumeric CNPJ of 2026 included."""

from __future__ import annotations

from dataclasses import dataclass

from stdnum.br import cnpj, cpf

from core.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Document:
    """`kind` is person (CPF) or company (CNPJ); `number` has no punctuation."""

    kind: str
    number: str

    @property
    def formatted(self) -> str:
        text: str = cpf.format(self.number) if self.kind == "person" else cnpj.format(self.number)
        return text


def parse_document(text: str, field: str = "document") -> Document:
    """A valid document in any usual notation; InvalidInput otherwise."""
    number = "".join(character for character in text.upper() if character.isalnum())
    if len(number) == 11 and cpf.is_valid(number) and len(set(number)) > 1:
        return Document("person", number)
    if len(number) == 14 and cnpj.is_valid(number) and len(set(number)) > 1:
        return Document("company", number)
    raise InvalidInput(field, "a CPF (11 digits) or CNPJ (14 characters) whose check digits fit", "390.533.447-05")
