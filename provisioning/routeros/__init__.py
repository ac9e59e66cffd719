"""Holding MikroTik routers at their desired state over the RouterOS API: read, plan, apply, read again, record."""
