"""Where a CoA goes, and over what."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import Any

import pytest

from core.secrets import Secret
from core.settings import Settings
from radius.dynauth import Target
from radius.dynauth_send import SENDERS, ask, target_of
from radius.models import Nas

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ADDRESS = IPv4Address("192.0.2.1")
TARGETS: dict[str, tuple[dict[str, Any], Target]] = {
    "udp": ({"coa_transport": "udp"}, Target(ADDRESS, 3799, b"a secret", "udp")),
    "radsec": (
        {"coa_transport": "radsec", "radsec_identity": "pop.example"},
        Target(ADDRESS, 2083, b"a secret", "radsec", "pop.example"),
    ),
    "udp of a NAS that has a certificate": (
        {"coa_transport": "udp", "radsec_identity": "pop.example"},
        Target(ADDRESS, 3799, b"a secret", "udp", "pop.example"),
    ),
}


@pytest.mark.parametrize(("given", "target"), TARGETS.values(), ids=TARGETS.keys())
def test_targets(given: dict[str, Any], target: Target) -> None:
    nas = Nas(name="pop", coa_port=3799, radsec_port=2083, secret=Secret("a secret"), **given)
    assert target_of(nas, ADDRESS) == target
    assert "a secret" not in repr(target_of(nas, ADDRESS))


def test_the_sender_of_the_transport_gets_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []

    def carry(*request: Any) -> Any:
        told.append(request)
        return "the result"

    monkeypatch.setitem(SENDERS, "pigeon", carry)
    target, settings = Target(ADDRESS, 1, b"a secret", "pigeon"), Settings()
    assert ask(settings, target, ((1, b"ana"),), None, NOW) == "the result"  # type: ignore[comparison-overlap]
    assert told == [(settings, target, ((1, b"ana"),), None, NOW)]


def test_a_transport_that_nobody_has_is_an_error() -> None:
    with pytest.raises(ValueError, match="smoke"):
        ask(Settings(), Target(ADDRESS, 1, b"a secret", "smoke"), ((1, b"ana"),), None, NOW)
