"""A receipt on paper: A4, or the 80 mm roll of a counter's printer; in Portuguese or English.

Pure: the same paper gives the same bytes, which carry the instant of the receipt and not that of the printing. The
fonts are those that every reader has; they know Latin-1, so what they lack is written without its accents, or as "?".
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from billing_bridge.receipts.content import Format, Language, PaperLine, ReceiptPaper
from core.units import format_money

FONT = "helvetica"
ROLL_MM, ROLL_MARGIN_MM = 80.0, 5.0

_WORDS: Mapping[str, Mapping[str, str]] = {
    "pt-BR": {
        "receipt": "Recibo",
        "number": "nº",
        "from": "Recebemos de",
        "sum": "a importância de",
        "for": "referente a:",
        "invoice": "Fatura",
        "what": "Descrição",
        "due": "Vencimento",
        "discount": "Desconto",
        "paid": "Valor pago",
        "total": "Total recebido",
        "method": "Forma de pagamento",
        "cash_box": "Caixa",
        "paid_at": "Pago em",
        "received_by": "Recebido por",
        "note": "Observação",
        "reversed": "ESTORNADO",
        "reversed_on": "Estornado em",
        "by": "por",
        "signature": "Assinatura",
    },
    "en": {
        "receipt": "Receipt",
        "number": "no.",
        "from": "Received from",
        "sum": "the sum of",
        "for": "for:",
        "invoice": "Invoice",
        "what": "Description",
        "due": "Due",
        "discount": "Discount",
        "paid": "Paid",
        "total": "Total received",
        "method": "Payment method",
        "cash_box": "Cash box",
        "paid_at": "Paid on",
        "received_by": "Received by",
        "note": "Note",
        "reversed": "REVERSED",
        "reversed_on": "Reversed on",
        "by": "by",
        "signature": "Signature",
    },
}


def receipt_pdf(paper: ReceiptPaper, *, size: Format = "a4", language: Language = "pt-BR") -> bytes:
    """The PDF of the receipt; one that was taken back says so across its face."""
    words = _WORDS[language]
    if size == "a4":
        document = _document(paper, words, "A4", 18.0)
        _print_sheet(document, paper, words)
    else:
        height = _roll_height(paper, words)
        document = _document(paper, words, (ROLL_MM, height), ROLL_MARGIN_MM)
        _print_roll(document, paper, words)
    return bytes(document.output())


def printable(text: str) -> str:
    """The text in what the fonts know."""
    return "".join(_letter(char) for char in unicodedata.normalize("NFC", " ".join(text.split())))


def _letter(char: str) -> str:
    for candidate in (char, unicodedata.normalize("NFKD", char)[:1]):
        if candidate.isprintable() and ord(candidate) < 256:
            return candidate
    return "?"


def _document(paper: ReceiptPaper, words: Mapping[str, str], size: str | tuple[float, float], margin: float) -> FPDF:
    document = FPDF(unit="mm", format=size)
    document.set_creation_date(paper.received_at)
    document.set_title(printable(f"{words['receipt']} {paper.number}"))
    document.set_margins(margin, margin)
    document.set_auto_page_break(size == "A4", margin)
    document.add_page()
    return document


def _roll_height(paper: ReceiptPaper, words: Mapping[str, str]) -> float:
    """As long as what is on it: it is printed on a very long roll first."""
    draft = _document(paper, words, (ROLL_MM, 20_000.0), ROLL_MARGIN_MM)
    _print_roll(draft, paper, words)
    return float(draft.get_y()) + ROLL_MARGIN_MM


def _print_sheet(document: FPDF, paper: ReceiptPaper, words: Mapping[str, str]) -> None:
    _sheet_head(document, paper, words)
    document.set_font(FONT, "", 11)
    document.ln(4)
    _text(document, _sentence(paper, words), 6)
    document.ln(2)
    _sheet_table(document, paper, words)
    document.ln(5)
    _details(document, paper, words, 10, 5.5)
    document.ln(16)
    width = 80.0
    document.set_x((document.w - width) / 2)
    document.set_font(FONT, "", 9)
    document.cell(width, 5, printable(paper.company_name or words["signature"]), border="T", align="C")
    if paper.reversed_at is not None:
        _stamp(document, words["reversed"], 64, document.w / 2, 95)


def _sheet_head(document: FPDF, paper: ReceiptPaper, words: Mapping[str, str]) -> None:
    half = document.epw * 0.6
    top = document.get_y()
    document.set_font(FONT, "B", 15)
    document.multi_cell(half, 7, printable(paper.company_name), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    document.set_font(FONT, "", 10)
    if paper.company_document:
        document.cell(half, 5, printable(paper.company_document), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    bottom = document.get_y()
    document.set_xy(document.l_margin + half, top)
    document.set_font(FONT, "B", 15)
    title = f"{words['receipt']} {words['number']} {paper.number}"
    document.cell(document.epw - half, 7, printable(title), align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    document.set_font(FONT, "B", 13)
    document.cell(0, 7, format_money(paper.amount_cents), align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    document.set_y(max(bottom, document.get_y()) + 2)
    document.line(document.l_margin, document.get_y(), document.w - document.r_margin, document.get_y())


def _sheet_table(document: FPDF, paper: ReceiptPaper, words: Mapping[str, str]) -> None:
    widths = (20.0, 25.0, document.epw - 20 - 25 - 25 - 28, 25.0, 28.0)
    document.set_font(FONT, "", 10)
    with document.table(
        col_widths=widths, line_height=6, text_align=("LEFT", "LEFT", "LEFT", "RIGHT", "RIGHT"),
        borders_layout="HORIZONTAL_LINES",
    ) as table:  # fmt: skip
        head = table.row()
        for name in (words["invoice"], words["due"], words["what"], words["discount"], words["paid"]):
            head.cell(printable(name))
        for line in paper.lines:
            row = table.row()
            off = format_money(line.discount_cents) if line.discount_cents else ""
            what = printable("; ".join(line.charges))
            for text in (line.invoice, f"{line.due_on:%d/%m/%Y}", what, off, format_money(line.amount_cents)):
                row.cell(printable(text))
    document.set_font(FONT, "B", 11)
    total = f"{words['total']}: {format_money(paper.amount_cents)}"
    document.cell(0, 9, printable(total), align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _print_roll(document: FPDF, paper: ReceiptPaper, words: Mapping[str, str]) -> None:
    document.set_font(FONT, "B", 11)
    _text(document, paper.company_name, 5, "C")
    document.set_font(FONT, "", 8)
    _text(document, paper.company_document, 4, "C")
    document.set_font(FONT, "B", 10)
    _text(document, f"{words['receipt']} {words['number']} {paper.number}", 6, "C")
    if paper.reversed_at is not None:
        document.set_font(FONT, "B", 18)
        _text(document, f"*** {words['reversed']} ***", 9, "C")
    _rule(document)
    document.set_font(FONT, "", 9)
    _text(document, _sentence(paper, words), 4.2)
    _rule(document)
    for line in paper.lines:
        _roll_line(document, line, words)
    _rule(document)
    document.set_font(FONT, "B", 10)
    _pair(document, words["total"], format_money(paper.amount_cents), 6)
    _details(document, paper, words, 8, 4)


def _roll_line(document: FPDF, line: PaperLine, words: Mapping[str, str]) -> None:
    document.set_font(FONT, "B", 8.5)
    _pair(document, f"{words['invoice']} {line.invoice}", format_money(line.amount_cents), 4.5)
    document.set_font(FONT, "", 8)
    _text(document, f"{words['due']}: {line.due_on:%d/%m/%Y}", 4)
    for charge in line.charges:
        _text(document, charge, 4)
    if line.discount_cents:
        _pair(document, words["discount"], format_money(line.discount_cents), 4)


def _details(document: FPDF, paper: ReceiptPaper, words: Mapping[str, str], size: float, height: float) -> None:
    shown = [
        (words["method"], paper.method),
        (words["cash_box"], paper.cash_box),
        (words["paid_at"], f"{paper.paid_at:%d/%m/%Y %H:%M}"),
        (words["received_by"], paper.received_by),
        (words["note"], paper.note),
    ]
    if paper.reversed_at is not None:
        taken_back = f"{paper.reversed_at:%d/%m/%Y %H:%M} {words['by']} {paper.reversed_by}: {paper.reversal_note}"
        shown.append((words["reversed_on"], taken_back))
    document.set_font(FONT, "", size)
    for name, value in shown:
        if value:
            _text(document, f"{name}: {value}", height)


def _sentence(paper: ReceiptPaper, words: Mapping[str, str]) -> str:
    payer = f"{words['from']} {paper.payer_name} ({paper.payer_document})"
    return f"{payer} {words['sum']} {format_money(paper.amount_cents)}, {words['for']}"


def _text(document: FPDF, text: str, height: float, align: str = "L") -> None:
    if text:
        document.multi_cell(0, height, printable(text), align=align, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _pair(document: FPDF, name: str, value: str, height: float) -> None:
    """A name at the left and its value at the right of one line."""
    document.cell(document.epw * 0.6, height, printable(name))
    document.cell(0, height, printable(value), align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _rule(document: FPDF) -> None:
    y = document.get_y() + 1
    document.line(document.l_margin, y, document.w - document.r_margin, y)
    document.set_y(y + 1)


def _stamp(document: FPDF, word: str, size: float, x: float, y: float) -> None:
    """A word across the sheet that leaves what is under it readable."""
    document.set_font(FONT, "B", size)
    document.set_text_color(200, 30, 30)
    with document.local_context(fill_opacity=0.35), document.rotation(25, x, y):
        document.text(x - document.get_string_width(word) / 2, y, word)
    document.set_text_color(0)
