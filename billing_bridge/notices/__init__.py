"""Notices that go ahead of a restriction."""
