"""What RADIUS processes show, for the tests of metrics, health and the last rejects."""

from __future__ import annotations

from typing import Any

from radius.metrics import Shown
from radius.reject_note import RejectNote
from radius.worker_report import LATENCY_BOUNDS, Latency, WorkerReport

NOW = 1_772_452_800.0
"""Epoch seconds."""


def report(name: str = "auth-1", **changes: Any) -> WorkerReport:
    """A worker that has accepted 5, rejected 2, ignored a stranger and answered a retransmission."""
    given: dict[str, Any] = {
        "counters": {
            ("accept", "pap"): 5,
            ("reject", "wrong_password"): 2,
            ("silence", "unknown_client"): 1,
            ("silence", "short_datagram"): 4,
            ("duplicate", "answered"): 1,
        },
        "latency": latency(5, 2),
        "gauges": {"held_rejects": 2},
        **changes,
    }
    return WorkerReport(name, **given)


def latency(*buckets: int, seconds: float = 0.002) -> Latency:
    """So many answers in the first buckets."""
    return Latency((*buckets, *[0] * (len(LATENCY_BOUNDS) + 1 - len(buckets))), seconds)


def shown(name: str = "auth-1", at: float = NOW, **changes: Any) -> Shown:
    return Shown(report(name, **changes), pid=1, born=1, started_at=at - 60, at=at, starts=1, cpu_seconds=0.5)


def reject_note(login: bytes = b"ana", reason: str = "wrong_password", **changes: Any) -> RejectNote:
    """A reject of Ana, subscription 7, by NAS 1."""
    given: dict[str, Any] = {
        "at": NOW,
        "detail": "",
        "subscription_id": 7,
        "nas_id": 1,
        "calling_station_id": b"02:00:5E:10:00:01",
        **changes,
    }
    return RejectNote(login=login, reason=reason, **given)
