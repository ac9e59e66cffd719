"""The table of vendors: how a policy is put in each one's words."""

from __future__ import annotations

from radius.vendors.generic import GENERIC
from radius.vendors.mikrotik import MIKROTIK
from radius.vendors.vendor import SessionIdentity, Vendor

VENDORS: dict[str, Vendor] = {vendor.name: vendor for vendor in (MIKROTIK, GENERIC)}
"""By the name that a NAS entry carries."""

__all__ = ["VENDORS", "SessionIdentity", "Vendor"]
