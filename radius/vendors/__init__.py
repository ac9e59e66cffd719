"""The table of vendors: how a policy is put in each one's words, and what each can change on a live session."""

from __future__ import annotations

from radius.vendors.accel_ppp import ACCEL_PPP
from radius.vendors.cisco import CISCO
from radius.vendors.generic import GENERIC
from radius.vendors.huawei import HUAWEI
from radius.vendors.juniper import JUNIPER
from radius.vendors.mikrotik import MIKROTIK
from radius.vendors.ubiquiti import UBIQUITI
from radius.vendors.vendor import SessionIdentity, Vendor

VENDORS: dict[str, Vendor] = {
    vendor.name: vendor for vendor in (MIKROTIK, ACCEL_PPP, HUAWEI, JUNIPER, CISCO, UBIQUITI, GENERIC)
}
"""By the name that a NAS entry carries."""

__all__ = ["VENDORS", "SessionIdentity", "Vendor"]
