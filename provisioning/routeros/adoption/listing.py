"""The list that says whose the new ones are: read from CSV or JSON, checked row by row. Pure.

Columns `login,document,name,plan`; `login` may be the MAC address or the address of one that has no login, `plan` a
plan's name or id. Columns are separated by commas or semicolons; Portuguese headings are understood.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.errors import CatracaError, InvalidInput
from provisioning.checks import required_text
from provisioning.documents import parse_document
from provisioning.routeros.adoption.grouping import plain_mac

MOST_ENTRIES = 20_000
_HEADINGS = {
    "login": "login", "usuario": "login", "usuário": "login", "mac": "login",
    "document": "document", "documento": "document", "cpf": "document", "cnpj": "document", "cpf/cnpj": "document",
    "name": "name", "nome": "name", "plan": "plan", "plano": "plan",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One row, checked: `document` without punctuation, `plan` "" where the guess shall hold."""

    line: int
    login: str
    document: str
    name: str
    plan: str = ""


@dataclass(frozen=True, slots=True)
class BadEntry:
    """A row that cannot be used, and why."""

    line: int
    login: str
    error: str


def read_csv(text: str) -> list[tuple[int, dict[str, str]]]:
    """The rows with the numbers of their lines. InvalidInput when the headings are not understood."""
    first, _, _ = text.lstrip("\ufeff").partition("\n")
    reader = csv.reader(
        io.StringIO(text.lstrip("\ufeff")), delimiter=";" if first.count(";") > first.count(",") else ","
    )
    headings = [_HEADINGS.get(word.strip().casefold(), "") for word in next(reader, [])]
    if "login" not in headings or "document" not in headings:
        raise InvalidInput("csv", "a first line with the headings login, document, name, plan", "login,document,name")
    rows = []
    for cells in reader:
        values = {name: cell.strip() for name, cell in zip(headings, cells, strict=False) if name}
        if any(values.values()):
            rows.append((reader.line_num, values))
    if len(rows) > MOST_ENTRIES:
        raise InvalidInput("csv", f"at most {MOST_ENTRIES} rows at once", "login,document,name,plan")
    return rows


def check(rows: Iterable[tuple[int, Mapping[str, str]]]) -> tuple[list[Entry], list[BadEntry]]:
    """The rows that can be used and those that cannot; a login counts once."""
    good: list[Entry] = []
    bad: list[BadEntry] = []
    seen: dict[str, int] = {}
    for line, values in rows:
        login = whose(values.get("login", ""))
        try:
            entry = _entry(line, login, values)
        except CatracaError as error:
            bad.append(BadEntry(line, login, error.detail))
            continue
        if login in seen:
            bad.append(BadEntry(line, login, f"login: {login} stands in line {seen[login]} already"))
            continue
        seen[login] = line
        good.append(entry)
    return good, bad


def whose(text: str) -> str:
    """The login, or the MAC address in the one spelling that candidates have."""
    return plain_mac(text) or text.strip()


def _entry(line: int, login: str, values: Mapping[str, str]) -> Entry:
    required_text(login, "login", 128, "maria@provedor")
    document = parse_document(values.get("document", "")).number
    name = values.get("name", "").strip()
    if name:
        required_text(name, "name", 200, "Maria da Silva")
    return Entry(line, login, document, name, values.get("plan", "").strip())
