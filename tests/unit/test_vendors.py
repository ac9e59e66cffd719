"""What each vendor is told, what a CoA can change, and that FreeRADIUS reads in it what is meant."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from radius.attributes import VENDOR_MIKROTIK, VENDOR_WISPR
from radius.codec import Attribute, encode, parse, vendor_attribute
from radius.policy import Policy
from radius.vendors import VENDORS, SessionIdentity
from radius.vendors.aspects import FIELDS, Aspect, Change
from radius.vendors.page import vendors_page
from tests.factories_auth import policies
from tests.radius_words import read_words

FULL = Policy(
    download_bps=100_000_000,
    upload_bps=50_000_000,
    address_list="active",
    pool="clients",
    group="fiber",
    interim_seconds=600,
    ipv6_pool="v6-link",
    delegated_ipv6_pool="v6-house",
)
BARE = Policy()
OTHER: dict[Aspect, dict[str, Any]] = {
    Aspect.RATE: {"download_bps": 5_000_000, "upload_bps": 1_000_000},
    Aspect.ADDRESS_LIST: {"address_list": "suspended"},
    Aspect.GROUP: {"group": "slow"},
    Aspect.POOL: {"pool": "other"},
    Aspect.IPV6_POOL: {"ipv6_pool": "other"},
    Aspect.DELEGATED_IPV6_POOL: {"delegated_ipv6_pool": "other"},
    Aspect.INTERIM: {"interim_seconds": 60},
}
"""Another value of each aspect that a policy has."""

WORDS: dict[str, list[str]] = {
    "mikrotik": [
        "Acct-Interim-Interval = 600",
        'Framed-Pool = "clients"',
        'Framed-IPv6-Pool = "v6-link"',
        'Mikrotik-Delegated-IPv6-Pool = "v6-house"',
        'Mikrotik-Rate-Limit = "50M/100M"',
        'Mikrotik-Address-List = "active"',
        'Mikrotik-Group = "fiber"',
    ],
    "accel-ppp": [
        "Acct-Interim-Interval = 600",
        'Framed-Pool = "clients"',
        'Stateful-IPv6-Address-Pool = "v6-link"',
        'Delegated-IPv6-Prefix-Pool = "v6-house"',
        'Filter-Id = "100000/50000"',
        'Mikrotik-Address-List = "active"',
        'Mikrotik-Group = "fiber"',
    ],
    "huawei": [
        "Acct-Interim-Interval = 600",
        'Framed-Pool = "clients"',
        'Framed-IPv6-Pool = "v6-link"',
        'Huawei-Delegated-IPv6-Prefix-Pool = "v6-house"',
        "Huawei-Input-Average-Rate = 50000000",
        "Huawei-Input-Peak-Rate = 50000000",
        "Huawei-Output-Average-Rate = 100000000",
        "Huawei-Output-Peak-Rate = 100000000",
        'Filter-Id = "active"',
        'Huawei-Qos-Profile-Name = "fiber"',
    ],
    "juniper": [
        "Acct-Interim-Interval = 600",
        'Framed-Pool = "clients"',
        'Framed-IPv6-Pool = "v6-link"',
        'ERX-IPv6-Delegated-Pool-Name = "v6-house"',
        'ERX-Service-Activate:1 = "catraca-rate(100000000,50000000)"',
        'ERX-Service-Activate:2 = "active"',
        'ERX-Client-Profile-Name = "fiber"',
    ],
    "cisco": [
        "Acct-Interim-Interval = 600",
        'Cisco-AVPair = "ip:addr-pool=clients"',
        'Framed-IPv6-Pool = "v6-link"',
        'Delegated-IPv6-Prefix-Pool = "v6-house"',
        'Cisco-AVPair = "ip:sub-qos-policy-in=catraca-50M"',
        'Cisco-AVPair = "ip:sub-qos-policy-out=catraca-100M"',
        'Cisco-Account-Info = "Aactive"',
        'Cisco-Account-Info = "Afiber"',
    ],
    "ubiquiti": [
        "Acct-Interim-Interval = 600",
        "WISPr-Bandwidth-Max-Up = 50000000",
        "WISPr-Bandwidth-Max-Down = 100000000",
        'Filter-Id = "active"',
    ],
    "generic": [
        "Acct-Interim-Interval = 600",
        'Framed-Pool = "clients"',
        'Framed-IPv6-Pool = "v6-link"',
        'Delegated-IPv6-Prefix-Pool = "v6-house"',
        "WISPr-Bandwidth-Max-Up = 50000000",
        "WISPr-Bandwidth-Max-Down = 100000000",
        'Filter-Id = "fiber"',
        'Filter-Id = "active"',
    ],
}
"""`FULL` as FreeRADIUS's own dictionaries read it."""


def mikrotik(kind: int, text: str) -> Attribute:
    return vendor_attribute(VENDOR_MIKROTIK, kind, text.encode())


def attributes(vendor: str, policy: Policy) -> list[Attribute]:
    """As they come out of a packet again."""
    return list(parse(encode(2, 1, bytes(16), VENDORS[vendor].reply(policy))).attributes)


@pytest.mark.parametrize("vendor", VENDORS)
def test_freeradius_reads_what_is_meant(vendor: str) -> None:
    assert read_words(VENDORS[vendor].reply(FULL)) == WORDS[vendor]


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_bare_policy_is_only_its_interval(vendor: str) -> None:
    assert attributes(vendor, BARE) == [(85, (300).to_bytes(4))]


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


ODD_RATES: dict[str, tuple[str, Policy, list[str]]] = {
    "accel-ppp never rounds a limit down to none": (
        "accel-ppp", Policy(download_bps=999, upload_bps=1_999), ['Filter-Id = "1/1"'],
    ),
    "accel-ppp, one direction": ("accel-ppp", Policy(download_bps=10_000_000), ['Filter-Id = "10000/0"']),
    "huawei, one direction": (
        "huawei", Policy(upload_bps=8_000), ["Huawei-Input-Average-Rate = 8000", "Huawei-Input-Peak-Rate = 8000"],
    ),
    "huawei, more than 32 bits": (
        "huawei",
        Policy(download_bps=10_000_000_000),
        ["Huawei-Output-Average-Rate = 4294967295", "Huawei-Output-Peak-Rate = 4294967295"],
    ),
    "generic, more than 32 bits": (
        "generic", Policy(download_bps=10_000_000_000), ["WISPr-Bandwidth-Max-Down = 4294967295"],
    ),
    "juniper, one direction": (
        "juniper", Policy(download_bps=8_000), ['ERX-Service-Activate:1 = "catraca-rate(8000,100000000000)"'],
    ),
    "juniper, more than a policer takes": (
        "juniper",
        Policy(download_bps=200_000_000_000, upload_bps=1),
        ['ERX-Service-Activate:1 = "catraca-rate(100000000000,1)"'],
    ),
    "cisco, one direction": (
        "cisco", Policy(upload_bps=1_500_000), ['Cisco-AVPair = "ip:sub-qos-policy-in=catraca-1500k"'],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("vendor", "policy", "words"), ODD_RATES.values(), ids=ODD_RATES.keys())
def test_odd_rates(vendor: str, policy: Policy, words: list[str]) -> None:
    assert read_words(VENDORS[vendor].reply(policy)) == ["Acct-Interim-Interval = 300", *words]


CHANGES: dict[tuple[str, Aspect], tuple[list[str] | None, list[str] | None]] = {
    ("mikrotik", Aspect.RATE): (['Mikrotik-Rate-Limit = "1M/5M"'], None),
    ("mikrotik", Aspect.ADDRESS_LIST): (None, None),
    ("mikrotik", Aspect.GROUP): (['Mikrotik-Group = "slow"'], None),
    ("accel-ppp", Aspect.RATE): (['Filter-Id = "5000/1000"'], None),
    ("accel-ppp", Aspect.ADDRESS_LIST): (None, None),
    ("accel-ppp", Aspect.GROUP): (None, None),
    ("huawei", Aspect.RATE): (
        [
            "Huawei-Input-Average-Rate = 1000000",
            "Huawei-Input-Peak-Rate = 1000000",
            "Huawei-Output-Average-Rate = 5000000",
            "Huawei-Output-Peak-Rate = 5000000",
        ],
        None,
    ),
    ("huawei", Aspect.ADDRESS_LIST): (['Filter-Id = "suspended"'], None),
    ("huawei", Aspect.GROUP): (['Huawei-Qos-Profile-Name = "slow"'], None),
    ("juniper", Aspect.RATE): (
        [
            'ERX-Service-Deactivate = "catraca-rate(100000000,50000000)"',
            'ERX-Service-Activate:1 = "catraca-rate(5000000,1000000)"',
        ],
        ['ERX-Service-Deactivate = "catraca-rate(100000000,50000000)"'],
    ),
    ("juniper", Aspect.ADDRESS_LIST): (
        ['ERX-Service-Deactivate = "active"', 'ERX-Service-Activate:2 = "suspended"'],
        ['ERX-Service-Deactivate = "active"'],
    ),
    ("juniper", Aspect.GROUP): (None, None),
    ("cisco", Aspect.RATE): (
        [
            'Cisco-AVPair = "ip:sub-qos-policy-in=catraca-1M"',
            'Cisco-AVPair = "ip:sub-qos-policy-out=catraca-5M"',
        ],
        None,
    ),
    ("cisco", Aspect.ADDRESS_LIST): (None, None),
    ("cisco", Aspect.GROUP): (None, None),
    ("ubiquiti", Aspect.RATE): (None, None),
    ("ubiquiti", Aspect.ADDRESS_LIST): (None, None),
    ("ubiquiti", Aspect.GROUP): ([], []),
    ("generic", Aspect.RATE): (None, None),
    ("generic", Aspect.ADDRESS_LIST): (None, None),
    ("generic", Aspect.GROUP): (None, None),
}
"""What a CoA says when the aspect of `FULL` changes, and when it is taken away; None: a Disconnect."""
for _name in VENDORS:
    _pooled: list[str] | None = [] if _name == "ubiquiti" else None
    for _aspect in (Aspect.POOL, Aspect.IPV6_POOL, Aspect.DELEGATED_IPV6_POOL):
        CHANGES[_name, _aspect] = (_pooled, _pooled)
    CHANGES[_name, Aspect.INTERIM] = ([], [])

ROWS = [pytest.param(*row, *CHANGES[row], id=f"{row[0]}, {row[1]}") for row in CHANGES]


def test_every_row_of_every_vendor_has_its_line() -> None:
    assert set(CHANGES) == {(vendor, aspect) for vendor in VENDORS for aspect in FIELDS}
    assert all(set(vendor.rows) == set(Aspect) for vendor in VENDORS.values())


def said(vendor: str, old: Policy, new: Policy) -> list[str] | None:
    changes = VENDORS[vendor].coa_changes(old, new)
    if changes is None:
        return None
    return read_words(b"".join(bytes((kind, len(value) + 2)) + value for kind, value in changes))


@pytest.mark.parametrize(("vendor", "aspect", "changed", "_gone"), ROWS)
def test_a_value_that_changes(vendor: str, aspect: Aspect, changed: list[str] | None, _gone: object) -> None:
    assert said(vendor, FULL, replace(FULL, **OTHER[aspect])) == changed


@pytest.mark.parametrize(("vendor", "aspect", "changed", "_gone"), ROWS)
def test_a_value_where_there_was_none(vendor: str, aspect: Aspect, changed: list[str] | None, _gone: object) -> None:
    without = replace(FULL, **{field: getattr(BARE, field) for field in FIELDS[aspect]})
    spoken = said(vendor, without, replace(FULL, **OTHER[aspect]))
    assert spoken == (None if changed is None else [word for word in changed if "Deactivate" not in word])


@pytest.mark.parametrize(("vendor", "aspect", "_changed", "gone"), ROWS)
def test_a_value_that_is_taken_away(vendor: str, aspect: Aspect, _changed: object, gone: list[str] | None) -> None:
    without = replace(FULL, **{field: getattr(BARE, field) for field in FIELDS[aspect]})
    assert said(vendor, FULL, without) == gone


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_rate_of_one_direction_taken_away(vendor: str) -> None:
    """The other direction stays, and yet a limit is gone."""
    half = VENDORS[vendor].coa_changes(FULL, replace(FULL, upload_bps=None))
    assert (half is None) == (CHANGES[vendor, Aspect.RATE][1] is None)


@pytest.mark.parametrize("vendor", VENDORS)
def test_nothing_is_said_when_nothing_changes(vendor: str) -> None:
    assert VENDORS[vendor].coa_changes(FULL, FULL) == ()


@pytest.mark.parametrize("vendor", VENDORS)
def test_one_aspect_that_needs_a_new_session_decides_for_all(vendor: str) -> None:
    new = replace(FULL, download_bps=1_000_000, pool="other", interim_seconds=60)
    changes = VENDORS[vendor].coa_changes(FULL, new)
    # An EdgeRouter has no word for a pool, and a new rate needs a new session there anyway.
    assert changes is None


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("aspect", sorted(set(Aspect) - set(FIELDS)))
def test_what_stands_in_the_record_is_never_changed_by_coa(vendor: str, aspect: Aspect) -> None:
    """A session's Class tells that its address, prefixes or routes are others, not which: see `convergence_plan`."""
    row = VENDORS[vendor].rows[aspect]
    assert (row.change, row.removal, row.words(FULL)) == (Change.SESSION, Change.SESSION, ())


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_row_names_its_source(vendor: str) -> None:
    for aspect, row in VENDORS[vendor].rows.items():
        assert row.source, aspect
        assert bool(row.shown) == (row.change is not Change.NEVER), aspect
        assert (row.change is Change.NEVER) == (row.removal is Change.NEVER), aspect
        if row.removal is Change.COA:
            assert row.undo(FULL), f"{aspect}: a CoA that takes it away has to say so"


@given(policies, policies)
def test_no_policy_is_beyond_words_and_no_change_without_a_difference(old: Policy, new: Policy) -> None:
    for vendor in VENDORS.values():
        parse(encode(2, 1, bytes(16), vendor.reply(old)))
        changes = vendor.coa_changes(old, new)
        heard = [vendor.reply(replace(policy, interim_seconds=300)) for policy in (old, new)]
        assert (changes == ()) == (heard[0] == heard[1])


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_longest_names_fit_into_a_reply(vendor: str) -> None:
    name = "x" * 240
    longest = Policy(10**12, 10**12, name, name, name, ipv6_pool=name, delegated_ipv6_pool=name)
    parse(encode(2, 1, bytes(16), VENDORS[vendor].reply(longest)))


WORDS_OF_EIGHT = ["Huawei-Input-Average-Rate = 8", "Huawei-Input-Peak-Rate = 8"]


@pytest.mark.parametrize(
    ("vendor", "policy", "words"),
    [
        pytest.param("mikrotik", FULL, ['Mikrotik-Rate-Limit = "50M/100M"'], id="mikrotik"),
        pytest.param("mikrotik", BARE, ["Acct-Interim-Interval = 300"], id="mikrotik, without a rate"),
        pytest.param("accel-ppp", FULL, ['Filter-Id = "100000/50000"'], id="accel-ppp"),
        pytest.param("huawei", Policy(upload_bps=8), WORDS_OF_EIGHT, id="huawei"),
        pytest.param("juniper", FULL, ["Acct-Interim-Interval = 600"], id="juniper activates nothing twice"),
        pytest.param("cisco", FULL, ["Acct-Interim-Interval = 600"], id="cisco"),
        pytest.param("ubiquiti", FULL, ["Acct-Interim-Interval = 600"], id="ubiquiti"),
        pytest.param("generic", FULL, ["Acct-Interim-Interval = 600"], id="generic"),
    ],
)
def test_a_coa_that_changes_nothing(vendor: str, policy: Policy, words: list[str]) -> None:
    unchanged = VENDORS[vendor].unchanged(policy)
    assert read_words(b"".join(bytes((kind, len(value) + 2)) + value for kind, value in unchanged)) == words
    assert set(unchanged) <= set(attributes(vendor, policy))


SESSION = SessionIdentity(b"ana", b"81a00001", IPv4Address("100.64.0.9"), IPv4Address("10.0.0.1"))
USER, SESSION_ID, FRAMED, NAS = (1, b"ana"), (44, b"81a00001"), (8, bytes((100, 64, 0, 9))), (4, bytes((10, 0, 0, 1)))
IDENTIFICATION: dict[str, tuple[Attribute, ...]] = {
    "mikrotik": (USER, SESSION_ID, FRAMED, NAS),
    "accel-ppp": (USER, SESSION_ID, FRAMED),
    "huawei": (USER, SESSION_ID),
    "juniper": (USER, SESSION_ID),
    "cisco": (USER, SESSION_ID),
    "ubiquiti": (USER, SESSION_ID, FRAMED),
    "generic": (USER, SESSION_ID, NAS),
}


@pytest.mark.parametrize("vendor", VENDORS)
def test_which_attributes_find_a_session(vendor: str) -> None:
    assert VENDORS[vendor].identification(SESSION) == IDENTIFICATION[vendor]
    assert VENDORS[vendor].identification(SessionIdentity(b"ana", b"81a00001")) == (USER, SESSION_ID)


def test_the_page_is_what_the_tables_say() -> None:
    page = Path(__file__).parents[2] / "docs" / "vendors.md"
    assert page.read_text() == vendors_page(), "write it anew; CONTRIBUTING.md says how"


def test_wispr_rates_are_bits_per_second() -> None:
    assert vendor_attribute(VENDOR_WISPR, 8, (100_000_000).to_bytes(4)) in attributes("generic", FULL)
