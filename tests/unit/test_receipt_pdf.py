"""A receipt on paper: what is on it, on both sizes and in both languages."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_bridge.receipts.content import Format, Language, PaperLine, ReceiptPaper
from billing_bridge.receipts.pdf import printable, receipt_pdf

SAO_PAULO = timezone(timedelta(hours=-3))
PAPER = ReceiptPaper(
    number="00000018",
    company_name="Provedor Aurora",
    company_document="12.345.678/0001-95",
    payer_name="João da Conceição",
    payer_document="390.533.447-05",
    amount_cents=27_970,
    method="pix",
    cash_box="Caixa da loja",
    paid_at=datetime(2026, 3, 9, 15, 0, tzinfo=SAO_PAULO),
    received_at=datetime(2026, 3, 9, 15, 1, tzinfo=SAO_PAULO),
    received_by="ana",
    note="no balcão",
    lines=(
        PaperLine("31", date(2026, 3, 10), ("Fibra 500 Mega, 03/2026", "Instalação"), 1000, 17_980),
        PaperLine("32", date(2026, 2, 10), ("Fibra 500 Mega, 02/2026",), 0, 9990),
    ),
)
REVERSED = replace(
    PAPER,
    reversed_at=datetime(2026, 3, 12, 9, 0, tzinfo=SAO_PAULO),
    reversed_by="joana",
    reversal_note="o cheque voltou",
)


def text_of(pdf: bytes) -> str:
    """The texts of the pages in the order they are drawn; brackets lose their backslash."""
    pages = [_unpacked(found) for found in re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL)]
    shown = [text for page in pages for text in re.findall(r"\((.*?)(?<!\\)\) Tj", page)]
    return re.sub(r"\\([()])", r"\1", " ".join(shown))


def _unpacked(stream: bytes) -> str:
    try:
        return zlib.decompress(stream).decode("latin-1")
    except zlib.error:
        return ""


def height_of(pdf: bytes) -> float:
    """The height of the page, in millimetres."""
    found = re.search(rb"/MediaBox \[0 0 [\d.]+ ([\d.]+)\]", pdf)
    assert found
    return float(found[1]) / 72 * 25.4


@pytest.mark.parametrize("size", get_args(Format))
def test_all_of_it_is_on_the_paper(size: Format) -> None:
    text = text_of(receipt_pdf(PAPER, size=size))
    for part in (
        "00000018", "Provedor Aurora", "12.345.678/0001-95", "João da", "390.533.447-05", "R$ 279,70", "pix",
        "Caixa da loja", "09/03/2026 15:00", "ana", "no balcão", "10/03/2026", "R$ 179,80", "R$ 10,00", "R$ 99,90",
        "Fibra 500 Mega, 03/2026", "Instalação",
    ):  # fmt: skip
        assert part in text
    assert "ESTORNADO" not in text


@pytest.mark.parametrize("size", get_args(Format))
@pytest.mark.parametrize(
    ("language", "stamp", "reason"),
    [
        pytest.param("pt-BR", "ESTORNADO", "12/03/2026 09:00 por joana", id="pt-BR"),
        pytest.param("en", "REVERSED", "12/03/2026 09:00 by joana", id="en"),
    ],
)
def test_one_that_was_taken_back_says_so(size: Format, language: Language, stamp: str, reason: str) -> None:
    text = text_of(receipt_pdf(REVERSED, size=size, language=language))
    assert stamp in text
    assert reason in text


@pytest.mark.parametrize(
    ("language", "words"),
    [
        pytest.param("pt-BR", ["Recebemos de João", "Vencimento", "Total recebido", "Desconto"], id="pt-BR"),
        pytest.param("en", ["Received from João", "Due", "Total received", "Discount"], id="en"),
    ],
)
@pytest.mark.parametrize("size", get_args(Format))
def test_languages(size: Format, language: Language, words: list[str]) -> None:
    text = text_of(receipt_pdf(PAPER, size=size, language=language))
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize("size", get_args(Format))
def test_the_same_paper_gives_the_same_bytes(size: Format) -> None:
    first = receipt_pdf(PAPER, size=size)
    assert first == receipt_pdf(PAPER, size=size)
    assert b"20260309150100" in first, "it carries the receipt's instant"
    assert first != receipt_pdf(replace(PAPER, number="00000019"), size=size)


def test_the_roll_is_as_long_as_what_is_on_it() -> None:
    short, long = (height_of(receipt_pdf(replace(PAPER, lines=PAPER.lines * count), size="80mm")) for count in (1, 50))
    assert 60 < short < 150
    assert long > 10 * short
    pdf = receipt_pdf(replace(PAPER, lines=PAPER.lines * 50), size="80mm")
    assert pdf.count(b"/Type /Page\n") == 1


def test_a_long_receipt_takes_more_sheets() -> None:
    pdf = receipt_pdf(replace(PAPER, lines=PAPER.lines * 50))
    assert pdf.count(b"/Type /Page\n") > 1
    assert text_of(pdf).count("R$ 179,80") == 50


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("João Conceição", "João Conceição", id="Latin-1"),
        pytest.param("João", "João", id="an accent of its own"),
        pytest.param("Ștefan Dvořák", "Stefan Dvorák", id="other accents"),
        pytest.param("漢字 😀", "?? ?", id="what no letter comes near"),
        pytest.param("a\tb\nc\x00", "a b c?", id="control characters"),
    ],
)
def test_what_the_fonts_lack_is_replaced(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(name=st.text(max_size=200), note=st.text(max_size=300), size=st.sampled_from(get_args(Format)))
def test_no_text_breaks_it(name: str, note: str, size: Format) -> None:
    paper = replace(REVERSED, payer_name=name, company_name=name, note=note, reversal_note=note)
    assert receipt_pdf(paper, size=size).startswith(b"%PDF")
