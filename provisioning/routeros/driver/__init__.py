"""The RouterOS driver: the only place that knows librouteros."""
