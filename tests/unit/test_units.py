"""Rates and money: how people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.units import HIGHEST_BPS, format_money, format_rate, parse_rate

RATES = [
    pytest.param("0", 0, id="zero"),
    pytest.param("64000", 64_000, id="plain bits per second"),
    pytest.param("50M", 50_000_000, id="megabits"),
    pytest.param("50m", 50_000_000, id="small letter"),
    pytest.param("512k", 512_000, id="kilobits"),
    pytest.param("1G", 1_000_000_000, id="gigabits"),
    pytest.param("1.5M", 1_500_000, id="fraction"),
    pytest.param("2.125k", 2_125, id="fraction down to the bit"),
    pytest.param(" 10 M ", 10_000_000, id="blanks"),
    pytest.param("10Mbps", 10_000_000, id="bps"),
    pytest.param("10 Mbit/s", 10_000_000, id="bit/s"),
    pytest.param("10000000000", 10_000_000_000, id="more than 32 bits"),
    pytest.param("1000000G", HIGHEST_BPS, id="highest"),
]
UNREADABLE = ["", "M", "-5M", "+5M", "5T", "5MM", "1,5M", "1.M", ".5M", "1.2345M", "1e6", "5 0M", "50M/10M", "٥٠M!"]
REFUSED = [
    *[pytest.param(text, id=f"unreadable {text!r}") for text in UNREADABLE],
    pytest.param("1.5", id="half a bit"),
    pytest.param("1000001G", id="beyond any link"),
    pytest.param("9" * 18, id="beyond any link in bits"),
    pytest.param("9" * 5000, id="more digits than int() takes"),
]
MONEY = [
    (0, "R$ 0,00"),
    (5, "R$ 0,05"),
    (9990, "R$ 99,90"),
    (100_000, "R$ 1.000,00"),
    (123_456_789_01, "R$ 123.456.789,01"),
    (-1, "-R$ 0,01"),
    (-250_000, "-R$ 2.500,00"),
]


@pytest.mark.parametrize(("text", "bps"), RATES)
def test_rates_are_read(text: str, bps: int) -> None:
    assert parse_rate(text) == bps


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_rate_is_refused_with_an_example_that_passes(text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse_rate(text, "download")
    assert error.value.field == "download"
    assert parse_rate(str(error.value.example)) > 0


@pytest.mark.parametrize(
    ("bps", "text"),
    [(0, "0"), (1, "1"), (1_000, "1k"), (1_500, "1500"), (512_000, "512k"), (50_000_000, "50M"), (10**9, "1G")],
)
def test_rates_are_written_with_the_largest_unit_that_is_exact(bps: int, text: str) -> None:
    assert format_rate(bps) == text


@given(st.integers(0, HIGHEST_BPS) | st.integers(0, 10**6).map(lambda n: n * 10**6))
def test_what_is_written_reads_the_same(bps: int) -> None:
    assert parse_rate(format_rate(bps)) == bps


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        bps = parse_rate(text)
    except InvalidInput:
        return
    assert 0 <= bps <= HIGHEST_BPS


@pytest.mark.parametrize(("cents", "text"), MONEY)
def test_money_is_written_as_brazil_does(cents: int, text: str) -> None:
    assert format_money(cents) == text


@given(st.integers(-(10**15), 10**15))
def test_money_loses_no_cent(cents: int) -> None:
    digits = "".join(sign for sign in format_money(cents) if sign.isdigit() or sign == "-")
    assert int(digits) == cents
