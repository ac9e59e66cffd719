"""Subscriptions that were warned of a coming restriction."""
