"""What each vendor is told, and what a CoA can change."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given

from radius.attributes import VENDOR_MIKROTIK, VENDOR_WISPR
from radius.codec import Attribute, encode, parse, vendor_attribute
from radius.policy import Policy
from radius.vendors import VENDORS, SessionIdentity
from tests.factories_auth import policies

FULL = Policy(
    download_bps=100_000_000,
    upload_bps=50_000_000,
    address_list="active",
    pool="clients",
    group="fiber",
    interim_seconds=600,
)
INTERIM, POOL, FILTER = 85, 88, 11


def mikrotik(kind: int, text: str) -> Attribute:
    return vendor_attribute(VENDOR_MIKROTIK, kind, text.encode())


def wispr(kind: int, bps: int) -> Attribute:
    return vendor_attribute(VENDOR_WISPR, kind, bps.to_bytes(4))


def attributes(vendor: str, policy: Policy) -> list[Attribute]:
    """As they come out of a packet again."""
    return list(parse(encode(2, 1, bytes(16), VENDORS[vendor].reply(policy))).attributes)


REPLIES = {
    "mikrotik, all": (
        "mikrotik",
        FULL,
        [
            (INTERIM, (600).to_bytes(4)),
            (POOL, b"clients"),
            mikrotik(8, "50M/100M"),
            mikrotik(19, "active"),
            mikrotik(3, "fiber"),
        ],
    ),
    "mikrotik, nothing but the interval": ("mikrotik", Policy(), [(INTERIM, (300).to_bytes(4))]),
    "generic, all": (
        "generic",
        FULL,
        [
            (INTERIM, (600).to_bytes(4)),
            (POOL, b"clients"),
            wispr(7, 50_000_000),
            wispr(8, 100_000_000),
            (FILTER, b"fiber"),
            (FILTER, b"active"),
        ],
    ),
    "generic, nothing but the interval": ("generic", Policy(), [(INTERIM, (300).to_bytes(4))]),
    "generic, more than 32 bits of rate": (
        "generic",
        Policy(download_bps=10_000_000_000),
        [(INTERIM, (300).to_bytes(4)), wispr(8, 2**32 - 1)],
    ),
}


@pytest.mark.parametrize(("vendor", "policy", "expected"), REPLIES.values(), ids=REPLIES.keys())
def test_replies(vendor: str, policy: Policy, expected: list[Attribute]) -> None:
    assert attributes(vendor, policy) == expected


RATES = {
    "upload comes first": (Policy(download_bps=100_000_000, upload_bps=10_000_000), "10M/100M"),
    "thousands": (Policy(download_bps=1_500_000, upload_bps=256_000), "256k/1500k"),
    "single bits": (Policy(download_bps=1_000_001, upload_bps=999), "999/1000001"),
    "gigabit": (Policy(download_bps=1_000_000_000, upload_bps=500_000_000), "500M/1000M"),
    "only download is limited": (Policy(download_bps=10_000_000), "0/10M"),
    "only upload is limited": (Policy(upload_bps=10_000_000), "10M/0"),
}


@pytest.mark.parametrize(("policy", "text"), RATES.values(), ids=RATES.keys())
def test_mikrotik_rate_limit_is_rx_tx_from_the_router(policy: Policy, text: str) -> None:
    assert mikrotik(8, text) in attributes("mikrotik", policy)


CHANGES = {
    "speed": ({"download_bps": 5_000_000, "upload_bps": 1_000_000}, (mikrotik(8, "1M/5M"),)),
    "group": ({"group": "slow"}, (mikrotik(3, "slow"),)),
    "speed and group": ({"download_bps": 5_000_000, "group": "slow"}, (mikrotik(8, "50M/5M"), mikrotik(3, "slow"))),
    "nothing": ({}, ()),
    "interim alone waits": ({"interim_seconds": 60}, ()),
    "address list": ({"address_list": "suspended"}, None),
    "address list and speed": ({"address_list": "suspended", "download_bps": 1}, None),
    "pool": ({"pool": "other"}, None),
    "limit taken away": ({"download_bps": None, "upload_bps": None}, None),
    "group taken away": ({"group": ""}, None),
}


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES.keys())
def test_what_a_coa_changes_on_mikrotik(change: dict[str, object], expected: object) -> None:
    assert VENDORS["mikrotik"].coa_changes(FULL, replace(FULL, **change)) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "expected"),
    [({}, ()), ({"interim_seconds": 60}, ()), ({"download_bps": 1}, None), ({"group": "slow"}, None)],
    ids=str,
)
def test_a_generic_nas_is_not_trusted_with_a_coa(change: dict[str, object], expected: object) -> None:
    assert VENDORS["generic"].coa_changes(FULL, replace(FULL, **change)) == expected  # type: ignore[arg-type]


@given(policies, policies)
def test_no_policy_is_beyond_words_and_no_change_without_a_difference(old: Policy, new: Policy) -> None:
    for vendor in VENDORS.values():
        parse(encode(2, 1, bytes(16), vendor.reply(old)))
        changes = vendor.coa_changes(old, new)
        enforced = [replace(policy, interim_seconds=300) for policy in (old, new)]
        assert (changes == ()) == (enforced[0] == enforced[1])


SESSION = SessionIdentity(b"ana", b"81a00001", IPv4Address("100.64.0.9"), IPv4Address("10.0.0.1"))
IDENTIFICATION = {
    "mikrotik": (
        "mikrotik",
        SESSION,
        ((1, b"ana"), (44, b"81a00001"), (8, bytes((100, 64, 0, 9))), (4, bytes((10, 0, 0, 1)))),
    ),
    "mikrotik, addresses unknown": (
        "mikrotik",
        SessionIdentity(b"ana", b"81a00001"),
        ((1, b"ana"), (44, b"81a00001")),
    ),
    "generic": ("generic", SESSION, ((1, b"ana"), (44, b"81a00001"), (4, bytes((10, 0, 0, 1))))),
}


@pytest.mark.parametrize(("vendor", "session", "expected"), IDENTIFICATION.values(), ids=IDENTIFICATION.keys())
def test_which_attributes_find_a_session(vendor: str, session: SessionIdentity, expected: object) -> None:
    assert VENDORS[vendor].identification(session) == expected
