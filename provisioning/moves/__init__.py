"""Migration to another service, transfer to another subscriber."""
