"""One spelling of each value, whatever a release of RouterOS makes of it; rows as they are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from provisioning.routeros import notation
from provisioning.routeros.connection import RouterVersion
from provisioning.routeros.menus import MENUS, observed_row, proplist
from provisioning.routeros.menus_page import menus_page
from provisioning.routeros.rows import Menu
from provisioning.routeros.versions import has
from tests.factories_desired import V6, V7


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (notation.limits, "250M/500M", "250000000/500000000"),
        (notation.limits, "250000000/500000000", "250000000/500000000"),
        (notation.limits, "1500k/2G", "1500000/2000000000"),
        (notation.limits, "10M", "10000000"),
        (notation.limits, "unlimited", "unlimited"),
        (notation.rate_limit, "250000000/500000000", "250M/500M"),
        (notation.rate_limit, "10m", "10M/10M"),
        (notation.rate_limit, "1500000/999", "1500k/999"),
        (notation.rate_limit, "10M/10M 20M/20M  8M/8M", "10M/10M 20M/20M  8M/8M"),
        (notation.rate_limit, "fast", "fast"),
        (notation.address, "198.51.100.7/32", "198.51.100.7"),
        (notation.address, "198.51.100.0/28", "198.51.100.0/28"),
        (notation.address, "2001:DB8::1/128", "2001:db8::1"),
        (notation.address, "pix.bank.example", "pix.bank.example"),
        (notation.address, "10.0.0.1-10.0.0.9", "10.0.0.1-10.0.0.9"),
        (notation.address, "pool-a", "pool-a"),
        (notation.network, "198.51.100.7", "198.51.100.7/32"),
        (notation.network, "2001:0db8::/48", "2001:db8::/48"),
        (notation.targets, "203.0.113.0/28,198.51.100.7", "198.51.100.7/32,203.0.113.0/28"),
        (notation.targets, "<pppoe-maria>", "<pppoe-maria>"),
        (
            notation.networks,
            "203.0.113.16/28, 198.51.100.0/24 10.0.0.1 1",
            "198.51.100.0/24 10.0.0.1 1,203.0.113.16/28",
        ),
        (notation.mac, "00:00:5e:00:53:0a", "00:00:5E:00:53:0A"),
        (notation.mac, "0-0-5e-0-53-a", "00:00:5E:00:53:0A"),
        (notation.mac, "*", "*"),
        (notation.duid, "00:03:00:01:AA", "0x00030001aa"),
        (notation.duid, "0x00030001aa", "0x00030001aa"),
        (notation.duid, "unknown", "unknown"),
        (notation.yes_no, "true", "yes"),
        (notation.yes_no, "false", "no"),
        (notation.yes_no, "default", "default"),
        (notation.time, "26:03:00", "1d2h3m"),
        (notation.time, "1d2h3m", "1d2h3m"),
        (notation.time, "90", "1m30s"),
        (notation.time, "1w", "1w"),
        (notation.time, "0s", "0s"),
        (notation.time, "never", "never"),
        (notation.optional, "none", ""),
        (notation.text, "007", "007"),
    ],
)
def test_one_spelling(read: Callable[[str], str], value: str, expected: str) -> None:
    assert read(value) == expected
    assert read(expected) == expected, "said again, it is the same"


@pytest.mark.parametrize("value", ["", " ", "0.0.0.0/0", "::/0", "198.51.100.1,0.0.0.0/0", "0.0.0.0", "all", "a,,b"])
def test_everybody_and_nobody(value: str) -> None:
    assert notation.too_wide(value)


@pytest.mark.parametrize("value", ["198.51.100.1", "0.0.0.0/8", "<pppoe-maria>", "pix.bank.example", "page/0"])
def test_somebody(value: str) -> None:
    assert not notation.too_wide(value)


def test_a_row_of_any_release_reads_alike() -> None:
    old = {".id": "*1", "name": "maria", "max-limit": "250M/500M", "target": "198.51.100.7", "disabled": "false"}
    new = {".id": "*1", "name": "maria", "max-limit": "250000000/500000000", "target": "198.51.100.7/32"}
    rows = [observed_row(Menu.SIMPLE_QUEUE, raw, 0, version) for raw, version in ((old, V6), (new, V7))]
    assert rows[0] == rows[1]
    assert rows[0].fields["disabled"] == "no"


def test_what_the_router_does_not_show_is_missing_and_not_empty() -> None:
    assert "password" not in observed_row(Menu.PPP_SECRET, {".id": "*1", "name": "m"}, 0, V7).fields
    assert observed_row(Menu.PPP_SECRET, {".id": "*1", "password": ""}, 0, V7).fields["password"] == ""
    assert "ipv6-routes" not in observed_row(Menu.PPP_SECRET, {".id": "*1"}, 0, V6).fields
    assert "ipv6-routes" not in proplist(Menu.PPP_SECRET, V6)
    assert "ipv6-routes" in proplist(Menu.PPP_SECRET, V7)


def test_a_dynamic_row_is_nobodys() -> None:
    raw = {".id": "*1", "comment": "catraca:s42:lease", "dynamic": "true"}
    assert observed_row(Menu.DHCP_LEASE, raw, 0, V7).key is None
    assert observed_row(Menu.DHCP_LEASE, {**raw, "dynamic": "false"}, 0, V7).key == "s42:lease"


def test_what_a_table_names_is_a_field_of_it() -> None:
    for menu, table in MENUS.items():
        names = {column.name for column in table.columns}
        assert {name for natural in table.naturals for name in natural} <= names, menu
        assert set(table.targets) <= names, menu


@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [
        ("challenge-login", RouterVersion(6, 42, 12), True),
        ("challenge-login", RouterVersion(6, 43), False),
        ("empty-sentence", RouterVersion(7, 17, 9), False),
        ("empty-sentence", RouterVersion(7, 18), True),
        ("/ppp/secret name", V6, True),
    ],
)
def test_what_a_release_has(name: str, version: RouterVersion, expected: bool) -> None:
    assert has(version, name) is expected


def test_the_page_is_what_the_tables_say() -> None:
    page = Path(__file__).parents[2] / "docs" / "routeros.md"
    assert page.read_text() == menus_page(), "write it anew; CONTRIBUTING.md says how"
