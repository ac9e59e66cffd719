"""Routines: what runs by itself, at which hours, and how it went."""
