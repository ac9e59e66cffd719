"""What an Access-Accept carries."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Network
from pathlib import Path

import pytest

from radius.attributes import (
    ACCESS_ACCEPT,
    CLASS,
    DELEGATED_IPV6_PREFIX,
    FRAMED_IP_ADDRESS,
    FRAMED_IPV6_PREFIX,
    FRAMED_POOL,
    FRAMED_PROTOCOL,
    MS_CHAP2_SUCCESS,
    MS_MPPE_ENCRYPTION_POLICY,
    MS_MPPE_ENCRYPTION_TYPES,
    MS_MPPE_RECV_KEY,
    MS_MPPE_SEND_KEY,
    SERVICE_TYPE,
    VENDOR_MICROSOFT,
    VENDOR_MIKROTIK,
)
from radius.codec import vendor_attribute
from radius.policy import Grant, Policy
from radius.records import class_value, prefix_value
from radius.vendors import VENDORS
from tests.factories_auth import (
    ANA,
    PLAN,
    Rig,
    always,
    datagram,
    entries,
    fixed,
    ms_chap,
    nas,
    opened,
    pap_request,
    record,
)
from tests.factories_calls import CLIENT_ID, GENERIC, IPOE, mac_request


def test_an_accept_carries_the_policy_in_the_vendors_words(rig: Rig) -> None:
    request = pap_request(b"ana", b"segredo", (FRAMED_PROTOCOL, (1).to_bytes(4)))
    packet = opened(rig.send(request), request)
    assert packet.code == ACCESS_ACCEPT
    assert packet.attributes[1:] == (
        (SERVICE_TYPE, (2).to_bytes(4)),
        (FRAMED_PROTOCOL, (1).to_bytes(4)),
        (85, (300).to_bytes(4)),
        (FRAMED_POOL, b"clients"),
        vendor_attribute(VENDOR_MIKROTIK, 8, b"50M/100M"),
        vendor_attribute(VENDOR_MIKROTIK, 19, b"active"),
        (CLASS, class_value(7, Grant(PLAN))),
    )


def test_a_fixed_address_stands_in_place_of_the_pool(rig: Rig) -> None:
    request = pap_request(b"fixed")
    packet = opened(rig.send(request), request)
    assert packet.first(FRAMED_IP_ADDRESS) == bytes((100, 64, 0, 9))
    assert packet.first(FRAMED_POOL) is None
    assert packet.first(CLASS) == class_value(4, fixed("100.64.0.9"))
    assert opened(rig.send(pap_request(identifier=6)), pap_request(identifier=6)).first(FRAMED_POOL) == b"clients"


def test_each_vendor_hears_its_own_words(rig: Rig) -> None:
    request = pap_request()
    packet = opened(rig.send(request, (GENERIC, 40_000)), request)
    assert packet.vendor(VENDOR_MIKROTIK, 8) is None
    assert packet.vendor(14122, 8) == (100_000_000).to_bytes(4)


def test_a_mac_session_is_not_told_that_it_is_ppp(rig: Rig) -> None:
    request = mac_request(CLIENT_ID, b"", (FRAMED_PROTOCOL, (1).to_bytes(4)))
    packet = opened(rig.send(request, (IPOE, 40_000)), request)
    assert packet.first(FRAMED_PROTOCOL) is None
    assert packet.first(SERVICE_TYPE) is None


def test_a_hotspot_login_is_not_told_that_it_is_ppp(rig: Rig) -> None:
    request = pap_request(b"ana", b"segredo", (SERVICE_TYPE, (1).to_bytes(4)))
    assert opened(rig.send(request), request).first(FRAMED_PROTOCOL) is None


def test_ms_chap_v2_is_answered_with_success_and_keys(rig: Rig) -> None:
    request = datagram([ANA, *ms_chap(2)])
    packet = opened(rig.send(request), request)
    success = packet.vendor(VENDOR_MICROSOFT, MS_CHAP2_SUCCESS)
    assert success is not None
    assert (success[:1], success[1:3], len(success)) == (b"\1", b"S=", 43)
    told = [packet.vendor(VENDOR_MICROSOFT, kind) for kind in (MS_MPPE_ENCRYPTION_POLICY, MS_MPPE_ENCRYPTION_TYPES)]
    assert told == [(1).to_bytes(4), (6).to_bytes(4)], "allowed, RC4 with 40 or 128 bits"
    keys = [packet.vendor(VENDOR_MICROSOFT, kind) for kind in (MS_MPPE_SEND_KEY, MS_MPPE_RECV_KEY)]
    assert all(key is not None and len(key) == 34 and key[0] & 0x80 for key in keys)


def test_ms_chap_v1_has_no_40_bit_key(rig: Rig) -> None:
    request = datagram([ANA, *ms_chap(1)])
    packet = opened(rig.send(request), request)
    assert packet.vendor(VENDOR_MICROSOFT, MS_MPPE_ENCRYPTION_TYPES) == (4).to_bytes(4)


POOLS = Policy(pool="v4", ipv6_pool="v6", delegated_ipv6_pool="pd")
FRAMED, DELEGATED = IPv6Network("2001:db8:0:1::/64"), IPv6Network("2001:db8:100::/56")
GRANTS = {
    "nothing fixed": (Grant(POOLS), {b"v4", b"v6", b"pd"}),
    "address": (Grant(POOLS, IPv4Address("100.64.0.9")), {b"v6", b"pd"}),
    "framed prefix": (Grant(POOLS, None, FRAMED), {b"v4", b"pd"}),
    "delegated prefix": (Grant(POOLS, None, None, DELEGATED), {b"v4", b"v6"}),
    "all": (Grant(POOLS, IPv4Address("100.64.0.9"), FRAMED, DELEGATED), set()),
}


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_what_is_fixed_stands_in_place_of_its_pool(tmp_path: Path, vendor: str) -> None:
    rig = Rig(tmp_path, nas(vendor=vendor))
    for number, (grant, pools) in enumerate(GRANTS.values()):
        rig.apply(entries(record(spans=always(grant))))
        request = pap_request(identifier=number)
        packet = opened(rig.send(request), request)
        said = [value for _, value in packet.attributes]
        assert {pool for pool in (b"v4", b"v6", b"pd") if any(value.endswith(pool) for value in said)} <= pools
        assert packet.first(FRAMED_IP_ADDRESS) == (grant.framed_ip_address and grant.framed_ip_address.packed)
        assert packet.first(FRAMED_IPV6_PREFIX) == (grant.framed_ipv6_prefix and prefix_value(FRAMED))
        assert packet.first(DELEGATED_IPV6_PREFIX) == (grant.delegated_ipv6_prefix and prefix_value(DELEGATED))
    rig.close()


def test_a_mikrotik_hears_of_every_pool_that_nothing_stands_for(tmp_path: Path) -> None:
    rig = Rig(tmp_path, nas())
    for number, (grant, pools) in enumerate(GRANTS.values()):
        rig.apply(entries(record(spans=always(grant))))
        request = pap_request(identifier=number)
        said = [value for _, value in opened(rig.send(request), request).attributes]
        assert {pool for pool in (b"v4", b"v6", b"pd") if any(value.endswith(pool) for value in said)} == pools
    rig.close()


def test_a_record_of_the_version_before_is_answered(rig: Rig) -> None:
    value = entries(record())[b"uana"]
    rig.apply({b"uana": b"\x01" + value[1:-1]})
    request = pap_request()
    packet = opened(rig.send(request), request)
    assert packet.code == ACCESS_ACCEPT
    assert packet.first(CLASS) == class_value(7, Grant(PLAN))
