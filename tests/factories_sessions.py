"""Sessions as accounting would have left them."""

from __future__ import annotations

import itertools
from ipaddress import ip_address
from typing import Any

from core.database import Transaction
from radius.models import Session

_numbers = itertools.count(1)


def make_session(tx: Transaction, **values: Any) -> Session:
    """An open session that began now, with a number and a user of its own; `stopped_at` closes it."""
    number = next(_numbers)
    given: dict[str, Any] = {
        "key": number.to_bytes(16),
        "instance": 0,
        "nas_id": 1,
        "nas_address": ip_address("192.0.2.1"),
        "acct_session_id": f"{number:08x}",
        "user_name": f"user{number:06d}",
        "started_at": tx.now,
        "updated_at": tx.now,
        "closed_by": "stop" if values.get("stopped_at") else "",
        **values,
    }
    session = Session(**given)
    tx.session.add(session)
    tx.session.flush()
    return session
