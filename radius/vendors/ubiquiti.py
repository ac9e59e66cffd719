"""Ubiquiti EdgeRouter (EdgeOS): its PPPoE server, which is pppd with scripts of the vendor's around it.

EdgeOS reads WISPr rates since 1.5 and ends sessions on a Disconnect-Request, by the script
`start-pppoe-radius-disconnect` on port 3779 (Splynx, "Ubiquiti EdgeRouters pppoe Radius support"). Nothing says that it
takes a CoA, a pool, a profile or IPv6 over RADIUS, so nothing of the kind is sent or trusted. UISP is no NAS: it
configures devices and asks no RADIUS server.
"""

from __future__ import annotations

from radius.attributes import ACCT_SESSION_ID, FILTER_ID, FRAMED_IP_ADDRESS, USER_NAME
from radius.vendors.aspects import Aspect, Change, Row, interim, subscription_rows, text
from radius.vendors.generic import wispr_rate
from radius.vendors.vendor import Vendor

_DISCONNECT = "Splynx, Ubiquiti EdgeRouters pppoe Radius support: a Disconnect only"
_NO_WORD = "not confirmed: EdgeOS documents none"

UBIQUITI = Vendor(
    name="ubiquiti",
    title="Ubiquiti EdgeRouter",
    rows={
        Aspect.INTERIM: interim(_DISCONNECT),
        Aspect.POOL: Row("", Change.NEVER, Change.NEVER, _NO_WORD),
        Aspect.IPV6_POOL: Row("", Change.NEVER, Change.NEVER, _NO_WORD),
        Aspect.DELEGATED_IPV6_POOL: Row("", Change.NEVER, Change.NEVER, _NO_WORD),
        Aspect.RATE: Row(
            "WISPr-Bandwidth-Max-Up, WISPr-Bandwidth-Max-Down", Change.SESSION, Change.SESSION, _DISCONNECT, wispr_rate
        ),
        Aspect.ADDRESS_LIST: Row(
            "Filter-Id",
            Change.SESSION,
            Change.SESSION,
            "not confirmed: only scripts of your own in `/config/scripts/ppp/ip-up.d` would read it",
            text(FILTER_ID, "address_list"),
        ),
        Aspect.GROUP: Row("", Change.NEVER, Change.NEVER, _NO_WORD),
        **subscription_rows(_DISCONNECT),
    },
    identified_by=(USER_NAME, ACCT_SESSION_ID, FRAMED_IP_ADDRESS),
    walled_garden="None of its own: a suspended subscriber gets the low speed. Use an upstream router for the rest.",
    coa_port=3779,
)
