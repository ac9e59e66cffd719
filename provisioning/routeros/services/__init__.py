"""Whom a router serves, and how."""
