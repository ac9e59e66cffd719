"""What adoption says, the lists that it reads and writes, and which marks it chooses."""

from __future__ import annotations

import csv
import io
from string import Formatter

import pytest

from core.errors import InvalidInput
from provisioning.routeros.adoption.listing import check, read_csv
from provisioning.routeros.adoption.marks import changed_since, marks_for
from provisioning.routeros.adoption.words import COLUMNS, WORDS, difference_words, row_words, sheet, summary, words_of
from provisioning.routeros.mark import key_of
from provisioning.routeros.rows import DesiredRow, Menu, ObservedRow
from tests.factories import cpf
from tests.factories_adoption import entry, lease, queue, secret


def fields_of(phrase: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(phrase) if name}


@pytest.mark.parametrize("code", WORDS)
def test_both_languages_say_the_same(code: str) -> None:
    english, portuguese = WORDS[code]
    assert fields_of(english) == fields_of(portuguese)


def test_remarks_in_words() -> None:
    remark = {"code": "suspended_here", "state": "ACTIVE"}
    assert words_of(remark) == "on the router this one is suspended; the facts say ACTIVE"
    assert words_of(remark, "pt-BR") == "no roteador este está suspenso; os fatos dizem ACTIVE"
    assert difference_words("address", "10.0.0.9", "") == "address: 10.0.0.9 on the router, nothing by the facts"
    assert difference_words("password", "•••", "•••", "pt-BR") == "senha: ••• no roteador, ••• pelos fatos"
    assert row_words(None, "changed", "", "profile") == "changed at the router since the report: profile"
    assert row_words({"code": "no_mac"}, "", "", "") == "has no MAC address"
    assert row_words(None, "", "", "") == ""


def test_a_remark_with_braces_is_only_text() -> None:
    assert words_of({"code": "listed", "list": "{name}"}).endswith("in the list {name}, as suspended")


def test_the_report_in_words() -> None:
    counts = {"matched": 310, "differs": 4, "new": 2, "conflict": 1, "ignored": 0}
    assert summary(counts, 12, "en") == [
        "310 match and differ in nothing", "4 match but differ", "2 are new: nobody has them", "1 are in conflict",
        "0 are disabled and nobody has them", "12 rows are no subscriber's",
    ]  # fmt: skip


@pytest.mark.parametrize("cell", ["=1+1", "+55 19 9", "-2", "@sum(a1)", "\tx", "\rx", '=HYPERLINK("http://x")'])
def test_no_cell_is_a_formula(cell: str) -> None:
    [head, row] = csv.reader(io.StringIO(sheet([["x", cell, 3, None]])))
    assert tuple(head) == COLUMNS
    assert row == ["x", f"'{cell}", "3", ""]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"login,document,name,plan\nana,{cpf(1)},Ana Lima,Fibra\n", id="commas"),
        pytest.param(f"\ufefflogin;CPF/CNPJ;nome;plano\n\nana ;{cpf(1)};Ana Lima;Fibra\n", id="a spreadsheet's"),
        pytest.param(f'Plano,Usuário,Documento,Cidade,Nome\nFibra,ana,"{cpf(1)}",Itu,Ana Lima', id="another order"),
    ],
)
def test_lists_are_read(text: str) -> None:
    [[good], bad] = check(read_csv(text))
    assert (good.login, good.document, good.name, good.plan, bad) == ("ana", cpf(1), "Ana Lima", "Fibra", [])


@pytest.mark.parametrize("text", ["", "a,b\n1,2", "login,name\nana,Ana"])
def test_lists_without_headings_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="headings"):
        read_csv(text)


def test_each_bad_row_of_a_list_is_named() -> None:
    lines = [
        f"ana,{cpf(1)}",
        "bia,123",
        f",{cpf(2)}",
        f"ana,{cpf(3)}",
        f"02-00-5E-10-00-01,{cpf(4)}",
        f"2,{cpf(5)},{'x' * 201}",
    ]
    good, bad = check(read_csv("login,document,name\n" + "\n".join(lines)))
    assert [one.login for one in good] == ["ana", "02:00:5e:10:00:01"]
    assert [(one.line, one.error.partition(":")[0]) for one in bad] == [
        (3, "document"), (4, "login"), (5, "login"), (7, "name"),
    ]  # fmt: skip


def demand(menu: Menu, key: str, **fields: str) -> DesiredRow:
    return DesiredRow(menu, key, {name.replace("_", "-"): value for name, value in fields.items()}, 12)


@pytest.mark.parametrize(
    ("rows", "demanded", "keys"),
    [
        pytest.param([secret()], [demand(Menu.PPP_SECRET, "s12:secret", name="maria")], ["s12:secret"], id="secret"),
        pytest.param(
            [secret("maria.old")],
            [demand(Menu.PPP_SECRET, "s12:secret", name="maria")],
            ["s12:secret"],
            id="renamed by the next plan",
        ),
        pytest.param(
            [queue("a", "10.0.0.1/32"), queue("b", "10.0.0.2/32")],
            [demand(Menu.SIMPLE_QUEUE, "s12:queue", name="maria", target="10.0.0.2/32")],
            ["", "s12:queue"],
            id="the queue of the address",
        ),
        pytest.param(
            [queue("a", "10.0.0.1"), queue("maria", "10.0.0.2")],
            [demand(Menu.SIMPLE_QUEUE, "s12:queue", name="maria", target="10.0.0.9/32")],
            ["", "s12:queue"],
            id="the queue of the name",
        ),
        pytest.param([queue("a", "10.0.0.1")], [], [""], id="a queue that nobody demands"),
        pytest.param(
            [lease()],
            [demand(Menu.DHCP_LEASE, "s12:lease", address="10.0.0.1", mac_address="02:00:5E:10:00:01")],
            ["s12:lease"],
            id="lease",
        ),
        pytest.param(
            [entry("off", "10.0.0.1"), entry("vip", "10.0.0.1/32")],
            [demand(Menu.ADDRESS_LIST, "s12:list:vip:10.0.0.1", list="vip", address="10.0.0.1")],
            ["", "s12:list:vip:10.0.0.1"],
            id="the entry of the list",
        ),
    ],
)
def test_marks(rows: list[ObservedRow], demanded: list[DesiredRow], keys: list[str]) -> None:
    marks, unmarked = marks_for(rows, demanded)
    by_row = {mark.row.id: mark.key for mark in marks} | {left.row.id: "" for left in unmarked}
    assert [by_row[row.id] for row in rows] == keys


@pytest.mark.parametrize(
    ("comment", "after"),
    [
        ("", "catraca:s12:secret"),
        ("Maria, casa azul", "catraca:s12:secret Maria, casa azul"),
        ("  two  blanks ", "catraca:s12:secret   two  blanks "),
    ],
)
def test_the_old_comment_stands_behind_the_mark(comment: str, after: str) -> None:
    [[mark], _] = marks_for([secret(comment=comment)], [demand(Menu.PPP_SECRET, "s12:secret", name="maria")])
    assert mark.comment == after
    assert key_of(after) == "s12:secret"


@pytest.mark.parametrize(
    ("before", "now", "field"),
    [
        ({"name": "a"}, {"name": "a", "comment": ""}, ""),
        ({"name": "a", "uptime": "1s"}, {"name": "a", "uptime": "2s"}, ""),
        ({"name": "a", "profile": "x"}, {"name": "a", "profile": "y"}, "profile"),
        ({"name": "a", "comment": "x"}, {"name": "a"}, "comment"),
        ({"name": "a"}, {"name": "a", "disabled": "true"}, "disabled"),
    ],
)
def test_what_changed_since_the_report(before: dict[str, str], now: dict[str, str], field: str) -> None:
    assert changed_since(before, now, frozenset({"uptime"})) == field
