"""`docs/vendors.md`, written from the vendors' tables."""

from __future__ import annotations

from radius.vendors import VENDORS, Vendor
from radius.vendors.aspects import Aspect, Change

_HEAD = """\
# Vendors

What each kind of NAS is told, and what a change of it takes on a live session. This page is written from the tables
in `radius/vendors`; the convergence of live sessions decides by the same rows.

- **CoA**: the live session changes. Where the NAS refuses the CoA, it gets a Disconnect after all.
- **new session**: a Disconnect; the subscriber's next session has it.
- **later**: the next session has it, and nobody is disconnected for it.
- **—**: this vendor has no word for it.

*Changed* is another value, or one where there was none; *taken away* is a value that is gone. An ACK is never taken as
proof: a session counts as changed when its accounting shows the new Class, or when a new session shows it.
"""
_COLUMNS = "| aspect | attribute | changed | taken away | source |\n|---|---|---|---|---|\n"
_SET_UPS = """\
## Set-up

`198.51.100.10` stands for Catraca, `198.51.100.20` for the payment page, `SECRET` for the NAS's shared secret. Add the
NAS first: `catraca nas add --name pop-centro --network 203.0.113.1 --vendor mikrotik --secret …`. These are
beginnings, to be fitted into what a router already does; commands differ between releases.
"""


def vendors_page() -> str:
    """The whole page."""
    summary = _summary()
    tables = "\n".join(_section(vendor) for vendor in VENDORS.values())
    set_ups = "\n".join(f"### {vendor.title}\n\n{vendor.set_up}" for vendor in VENDORS.values() if vendor.set_up)
    return f"{_HEAD}\n{summary}\n{tables}\n{_SET_UPS}\n{set_ups}"


def _summary() -> str:
    """Every vendor against every aspect: what it takes to change it."""
    head = "| aspect | " + " | ".join(f"`{vendor.name}`" for vendor in VENDORS.values()) + " |\n"
    rule = "|---" * (len(VENDORS) + 1) + "|\n"
    lines = [
        f"| {aspect} | {' | '.join(_both(vendor, aspect) for vendor in VENDORS.values())} |\n" for aspect in Aspect
    ]
    return head + rule + "".join(lines)


def _both(vendor: Vendor, aspect: Aspect) -> str:
    """How it changes, and where taking it away is another matter, that too."""
    row = vendor.rows[aspect]
    return row.change.value if row.change is row.removal else f"{row.change} (away: {row.removal})"


def _section(vendor: Vendor) -> str:
    lines = []
    for aspect in Aspect:
        row = vendor.rows[aspect]
        lines.append(f"| {aspect} | {row.shown or Change.NEVER} | {row.change} | {row.removal} | {row.source} |\n")
    named = "Its CoA port is" if vendor.class_by_coa else "A CoA to it carries no Class. Its CoA port is"
    return (
        f"## {vendor.title}: `{vendor.name}`\n\n{_COLUMNS}{''.join(lines)}\n"
        f"Walled garden: {vendor.walled_garden} {named} {vendor.coa_port} unless the NAS entry says otherwise.\n"
    )
