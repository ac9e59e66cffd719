"""Juniper MX with Junos subscriber management; attributes of Unisphere's ERX (enterprise 4874).

Junos takes no rate as a number. A rate is a *dynamic service profile* that is activated with parameters, named by
`RATE_SERVICE`; the walled garden is one without, named after the address list. A service instance is known by its whole
activation string ("Management of Subscriber Services with Multiple Instances"), and a CoA may carry deactivations
and activations, of which Junos does the former first since 16.1R4 ("Processing multiple activation and deactivation
requests in a single CoA message"). So both can be changed and taken away by CoA.

Which standard attributes a CoA changes is the column "Dynamic CoA Support" of "RADIUS IETF Attributes Supported by
the AAA Service Framework": Filter-Id and Framed-Route yes; Class, addresses and timeouts no. A CoA with an
attribute that is not supported is refused (Error-Cause 401), hence no Class in ours; and Framed-Route is not used
that way, because a session's Class only tells that its routes are others, not which.
"""

from __future__ import annotations

from radius.attributes import (
    ACCT_SESSION_ID,
    ERX_CLIENT_PROFILE_NAME,
    ERX_IPV6_DELEGATED_POOL_NAME,
    ERX_SERVICE_ACTIVATE,
    ERX_SERVICE_DEACTIVATE,
    FRAMED_IPV6_POOL,
    FRAMED_POOL,
    USER_NAME,
    VENDOR_ERX,
)
from radius.codec import Attribute
from radius.policy import Policy
from radius.vendors.aspects import Aspect, Change, Row, interim, own, subscription_rows, text, vendor_text
from radius.vendors.vendor import Vendor

RATE_SERVICE = "catraca-rate({download},{upload})"
"""The dynamic service profile and its parameters, bits per second."""
HIGHEST_RATE = 100_000_000_000
"""What stands for "no limit" in one direction: the most that a Junos policer takes."""
_RATE_TAG, _LIST_TAG = "\x01", "\x02"
"""Service-Activate is tagged (RFC 2868 §3.1): each service of a message has a tag of its own."""
_SERVICES = "Junos, Juniper Networks VSAs Supported by the AAA Service Framework: 26-65 and 26-66, CoA yes"
_IETF = "Junos, RADIUS IETF Attributes Supported by the AAA Service Framework"


def _rate_service(policy: Policy) -> str:
    if policy.download_bps is None and policy.upload_bps is None:
        return ""
    rates = (min(bps or HIGHEST_RATE, HIGHEST_RATE) for bps in (policy.download_bps, policy.upload_bps))
    return RATE_SERVICE.format(**dict(zip(("download", "upload"), rates, strict=True)))


def _rate(policy: Policy) -> tuple[Attribute, ...]:
    service = _rate_service(policy)
    return (own(VENDOR_ERX, ERX_SERVICE_ACTIVATE, _RATE_TAG + service),) if service else ()


def _end_rate(policy: Policy) -> tuple[Attribute, ...]:
    service = _rate_service(policy)
    return (own(VENDOR_ERX, ERX_SERVICE_DEACTIVATE, service),) if service else ()


JUNIPER = Vendor(
    name="juniper",
    title="Juniper MX (Junos)",
    rows={
        Aspect.INTERIM: interim("not confirmed: the tables name no CoA for it"),
        Aspect.POOL: Row("Framed-Pool", Change.SESSION, Change.SESSION, f"{_IETF}: CoA no", text(FRAMED_POOL, "pool")),
        Aspect.IPV6_POOL: Row(
            "Framed-IPv6-Pool", Change.SESSION, Change.SESSION, f"{_IETF}: CoA no", text(FRAMED_IPV6_POOL, "ipv6_pool")
        ),
        Aspect.DELEGATED_IPV6_POOL: Row(
            "ERX-IPv6-Delegated-Pool-Name",
            Change.SESSION,
            Change.SESSION,
            "not confirmed: no document says that a CoA moves a session to another pool",
            vendor_text(VENDOR_ERX, ERX_IPV6_DELEGATED_POOL_NAME, "delegated_ipv6_pool"),
        ),
        Aspect.RATE: Row(
            f"ERX-Service-Activate `{RATE_SERVICE.format(download='down', upload='up')}`",
            Change.COA,
            Change.COA,
            _SERVICES,
            _rate,
            _end_rate,
        ),
        Aspect.ADDRESS_LIST: Row(
            "ERX-Service-Activate with the list's name",
            Change.COA,
            Change.COA,
            _SERVICES,
            vendor_text(VENDOR_ERX, ERX_SERVICE_ACTIVATE, "address_list", _LIST_TAG),
            vendor_text(VENDOR_ERX, ERX_SERVICE_DEACTIVATE, "address_list"),
        ),
        Aspect.GROUP: Row(
            "ERX-Client-Profile-Name",
            Change.SESSION,
            Change.SESSION,
            "not confirmed: the client's dynamic profile is instantiated when the session begins",
            vendor_text(VENDOR_ERX, ERX_CLIENT_PROFILE_NAME, "group"),
        ),
        **subscription_rows(f"{_IETF}: addresses no; a route could, but Class only tells that it is another"),
    },
    identified_by=(USER_NAME, ACCT_SESSION_ID),
    walled_garden="The dynamic service profile `catraca-suspended`, with filters of both families in it.",
    class_by_coa=False,
    set_up="""\
The two dynamic profiles that are named by default:

```
dynamic-profiles catraca-rate {
    variables { down; up; uid-in uid; uid-out uid; }
    firewall {
        policer $uid-in { if-exceeding { bandwidth-limit "$up"; burst-size-limit 1m; } then discard; }
        policer $uid-out { if-exceeding { bandwidth-limit "$down"; burst-size-limit 1m; } then discard; }
    }
}
dynamic-profiles catraca-suspended {
    interfaces { pp0 { unit "$junos-interface-unit" {
        family inet { filter { input catraca-suspended-v4 precedence 10; } }
        family inet6 { filter { input catraca-suspended-v6 precedence 10; } }
    } } }
}
```

`catraca-rate` also has to attach its policers with filters of its own, as in "Sample Dynamic-Profile Configuration for
Parameterized Filters"; the order of the parameters is down, up. `set access profile … radius` needs
`accounting-server`, `authentication-server` and `dynamic-request-port 3799`.
""",
)
