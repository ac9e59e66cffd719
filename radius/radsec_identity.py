"""Which NAS a certificate belongs to: the names that it shows, and the one form in which names are compared. Pure.

Over TLS the certificate says who speaks, not the source address (RFC 6614 §2.5). A NAS has one identity; a certificate
may show several names. They are tried in this order, and the first that a NAS has decides:

1. `sha256:` and the fingerprint of the whole certificate: pins one certificate;
2. each subjectAltName of type DNS, as it stands (a wildcard is no identity);
3. each subjectAltName of type IP address;
4. the subject's Common Name, only where there is none of 2 and 3 (RFC 6125 §6.4.4).

Case does not count, nor does the spelling of an IP address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from ipaddress import ip_address
from typing import Any

FINGERPRINT = "sha256:"
LONGEST = 200
"""Characters of an identity, no more than a text field of the API takes."""
_HEX = re.compile(r"[0-9a-f]{64}")

Certificate = Mapping[str, Any]
"""A verified certificate as `ssl.SSLSocket.getpeercert()` gives it."""


def read_identity(text: str) -> str | None:
    """An identity as somebody wrote it, in the form that is compared; None when no certificate could show it."""
    plain = text.strip().lower()
    if plain.startswith(FINGERPRINT):
        digits = plain[len(FINGERPRINT) :].replace(":", "")
        return FINGERPRINT + digits if _HEX.fullmatch(digits) else None
    if not 1 <= len(plain) <= LONGEST or not plain.isprintable() or "*" in plain:
        return None
    return _as_address(plain)


def presented(certificate: Certificate, der: bytes) -> tuple[str, ...]:
    """The identities that a verified certificate shows, in the order in which they count; `der` is all of it."""
    names = [*_alternative(certificate, "DNS"), *_alternative(certificate, "IP Address")] or [
        *_common_names(certificate)
    ]
    read = (read_identity(name) for name in names if not name.lower().startswith(FINGERPRINT))
    return (FINGERPRINT + sha256(der).hexdigest(), *(name for name in read if name is not None))


def _alternative(certificate: Certificate, kind: str) -> Iterator[str]:
    return (value for each, value in certificate.get("subjectAltName", ()) if each == kind)


def _common_names(certificate: Certificate) -> Iterator[str]:
    return (value for part in certificate.get("subject", ()) for kind, value in part if kind == "commonName")


def _as_address(name: str) -> str:
    """An IP address in its canonical spelling, any other name as it is."""
    try:
        return str(ip_address(name))
    except ValueError:
        return name.rstrip(".") or name
