"""One turn at a router: read, plan, apply, read again, record."""
