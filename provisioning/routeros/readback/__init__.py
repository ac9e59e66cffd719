"""Proving RADIUS sessions by reading the router."""
