"""Signatures of what is pushed to us. Pure.

`X-Catraca-Timestamp: <unix seconds>` and `X-Catraca-Signature: v1=<hex>`, where the hex is HMAC-SHA256 with the
source's secret over the timestamp, a full stop and the body as it was sent. A sender that changes its secret may send
two signatures with a comma; we hold two secrets for the same while.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from core.secrets import Secret

WINDOW_SECONDS = 300
MOST_SIGNATURES = 4


def sign(secret: Secret, timestamp: int, body: bytes) -> str:
    """The value of `X-Catraca-Signature`."""
    mac = hmac.new(secret.reveal().encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1={mac.hexdigest()}"


def is_signed(secrets: Sequence[Secret], timestamp: str, signature: str, body: bytes, now: datetime) -> bool:
    """Whether one of the secrets signed this body within five minutes of `now`. The time taken tells nothing."""
    timely = len(timestamp) <= 12 and timestamp.isascii() and timestamp.isdecimal()
    instant = int(timestamp) if timely else 0
    given = [item.strip().encode("ascii", "replace") for item in signature.split(",")[:MOST_SIGNATURES]]
    fits = False
    for secret in secrets:
        expected = sign(secret, instant, body).encode()
        for item in given:
            fits |= hmac.compare_digest(expected, item)
    return fits and timely and abs(now.timestamp() - instant) <= WINDOW_SECONDS
