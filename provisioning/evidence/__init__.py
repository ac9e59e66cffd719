"""Signed exports of connection records, and what must be kept for them."""
