"""Money in integer cents, rates in bits per second, and how people write them."""

from __future__ import annotations

import re

from core.errors import InvalidInput

_RATE = re.compile(r"(\d{1,18})(?:\.(\d{1,3}))?\s*([kmg]?)(?:bps|bit/s)?", re.IGNORECASE)
HIGHEST_BPS = 10**15
"""More than any link carries, and safe in 64 bits after any sum."""
_FACTOR = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}


def parse_rate(text: str, field: str = "rate") -> int:
    """`"50M"` → 50_000_000 bits per second; k, M and G are powers of ten. InvalidInput when unreadable."""
    match = _RATE.fullmatch(text.strip())
    if not match:
        raise InvalidInput(field, "a number with k, M or G, in bits per second", "50M")
    whole, fraction, unit = match.groups()
    factor = _FACTOR[unit.lower()]
    if fraction and factor == 1:
        raise InvalidInput(field, "a whole number of bits per second, or one with k, M or G", "1.5M")
    rate = int(whole) * factor + int((fraction or "0").ljust(3, "0")) * factor // 1000
    if rate > HIGHEST_BPS:
        raise InvalidInput(field, f"at most {format_rate(HIGHEST_BPS)}", "50M")
    return rate


def format_rate(bps: int) -> str:
    """50_000_000 → `"50M"`; exact, with the largest unit that divides it."""
    for unit in ("g", "m", "k"):
        if bps and bps % _FACTOR[unit] == 0:
            return f"{bps // _FACTOR[unit]}{unit.upper() if unit != 'k' else unit}"
    return str(bps)


def format_money(cents: int) -> str:
    """9990 → `"R$ 99,90"`, thousands with a point, as Brazil writes it."""
    sign = "-" if cents < 0 else ""
    whole, rest = divmod(abs(cents), 100)
    return f"{sign}R$ {whole:,}".replace(",", ".") + f",{rest:02d}"
