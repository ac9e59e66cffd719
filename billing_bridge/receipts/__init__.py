"""Receipts on paper."""
