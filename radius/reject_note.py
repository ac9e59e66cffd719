"""What a worker tells of one Access-Reject. Pure."""

from __future__ import annotations

from typing import NamedTuple


class RejectNote(NamedTuple):
    """`at` is the instant that the record was asked for (epoch seconds); `subscription_id` is 0 where none is known.

    `login` and `calling_station_id` are the octets that the NAS sent, b"" where it sent none. `detail` is for people
    and holds no secret.
    """

    at: float
    reason: str
    detail: str
    login: bytes
    subscription_id: int
    nas_id: int
    calling_station_id: bytes
