"""Attribute dictionaries in FreeRADIUS syntax, for tools, tests and pyrad; the hot path does not read them."""

from __future__ import annotations

from pathlib import Path

DICTIONARY = Path(__file__).parent / "dictionary"
"""The file that includes all others."""
