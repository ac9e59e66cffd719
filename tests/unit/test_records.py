"""Access records and NAS entries: what is packed is what a worker reads at every instant."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.secrets import KeyMissing
from radius.attributes import (
    CLASS,
    DELEGATED_IPV6_PREFIX,
    FRAMED_IP_ADDRESS,
    FRAMED_IPV6_PREFIX,
    FRAMED_IPV6_ROUTE,
    FRAMED_ROUTE,
)
from radius.codec import encode_attributes
from radius.nas_records import UnreadableNas, nas_key, pack_nas, unpack_nas
from radius.policy import Denial, Grant, Policy, Span, answer_at
from radius.records import (
    ANSWER,
    DENIAL,
    GRANT,
    GRANT_WITH_ADDRESS,
    MOST_ROUTES,
    SUBSCRIPTION,
    USUAL,
    WITH_DELEGATED_PREFIX,
    WITH_FRAMED_PREFIX,
    AccessRecord,
    Limits,
    answer_of,
    class_value,
    limits_of,
    login_key,
    mac_key,
    pack,
    password_of,
    policy_key,
    read_class,
    subscription_of,
    unpack,
)
from tests.factories_auth import MAC, NOW, PLAN, always, fixed, keyring, mac_record, nas, policies, record

RING = keyring()
TINY = Policy(download_bps=256_000, upload_bps=256_000, address_list="suspended")

addresses = st.none() | st.integers(0, 2**32 - 1).map(IPv4Address)
networks = st.builds(
    lambda number, length: IPv4Network((number, length), strict=False), st.integers(0, 2**32 - 1), st.integers(0, 32)
)
prefixes = st.builds(
    lambda number, length: IPv6Network((number, length), strict=False), st.integers(0, 2**128 - 1), st.integers(0, 128)
)
routes = st.lists(networks | prefixes, max_size=MOST_ROUTES).map(tuple)
grants = st.builds(Grant, policies, addresses, st.none() | prefixes, st.none() | prefixes, routes)
answers = grants | st.builds(Denial, st.sampled_from(["cancelled", "pending_install"]))
limits = st.builds(
    Limits,
    st.integers(0, 100),
    st.none() | st.binary(min_size=6, max_size=6),
    st.none() | st.integers(1, 2**63 - 1),
    st.text(alphabet=st.characters(codec="utf-8"), max_size=50),
)
instants = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def spans(draw: st.DrawFn) -> tuple[Span, ...]:
    bounds = [None, *sorted(draw(st.sets(instants, max_size=5))), None]
    return tuple(Span(since, until, draw(answers)) for since, until in pairwise(bounds))


@given(spans(), st.integers(1, 2**63 - 1), st.binary(min_size=1, max_size=128), st.just(USUAL) | limits)
def test_a_record_comes_back_as_it_was(
    timeline: tuple[Span, ...], subscription_id: int, password: bytes, within: Limits
) -> None:
    given_record = AccessRecord(subscription_id, "joão@isp", password, None, timeline, within)
    key = login_key("joão@isp".encode())
    packed = pack(given_record, RING.seal)
    assert unpack(key, packed, RING.unseal) == given_record
    assert subscription_of(packed[key]) == int.from_bytes(packed[key][SUBSCRIPTION]) == subscription_id


@given(spans(), st.lists(instants, max_size=4))
def test_a_worker_reads_the_answer_of_every_instant(timeline: tuple[Span, ...], others: list[datetime]) -> None:
    entries = pack(record(spans=timeline), RING.seal)
    value = entries[b"uana"]
    step = timedelta(microseconds=1)
    edges = [each.until for each in timeline if each.until is not None]
    for now in [*others, *edges, *(edge - step for edge in edges)]:
        kind, policy_id, body = answer_of(value, now.timestamp())
        expected = answer_at(timeline, now)
        if isinstance(expected, Denial):
            assert (kind, body) == (DENIAL, expected.reason.encode())
            continue
        assert kind & ANSWER == (GRANT if expected.framed_ip_address is None else GRANT_WITH_ADDRESS)
        assert bool(kind & WITH_FRAMED_PREFIX) == (expected.framed_ipv6_prefix is not None)
        assert bool(kind & WITH_DELEGATED_PREFIX) == (expected.delegated_ipv6_prefix is not None)
        assert Policy.from_json(entries[policy_key(policy_id.hex())]) == expected.policy
        assert class_value(7, expected) in body


def test_the_end_of_a_span_belongs_to_the_next_one() -> None:
    timeline = (Span(None, NOW, Grant(PLAN)), Span(NOW, None, Denial("suspended")))
    value = pack(record(spans=timeline), RING.seal)[b"uana"]
    assert answer_of(value, NOW.timestamp() - 0.001)[0] == GRANT
    assert answer_of(value, NOW.timestamp())[0] == DENIAL


def test_the_octets_of_a_grant_are_ready_for_the_wire() -> None:
    grant = fixed("100.64.0.9")
    _, policy_id, body = answer_of(pack(record(spans=always(grant)), RING.seal)[b"uana"], 0.0)
    assert policy_id.hex() == PLAN.policy_id
    assert body == encode_attributes(
        [(FRAMED_IP_ADDRESS, bytes((100, 64, 0, 9))), (CLASS, b"c1.7." + grant.fingerprint.encode())]
    )


def test_prefixes_and_routes_are_said_as_the_rfcs_have_them() -> None:
    """RFC 3162 §2.3 and §2.5, RFC 4818 §3, RFC 2865 §5.22."""
    grant = Grant(
        PLAN,
        None,
        IPv6Network("2001:db8:0:1::/64"),
        IPv6Network("2001:db8:100::/56"),
        (IPv4Network("203.0.113.0/29"), IPv6Network("2001:db8:f::/48")),
    )
    kind, _, body = answer_of(pack(record(spans=always(grant)), RING.seal)[b"uana"], 0.0)
    assert kind == GRANT | WITH_FRAMED_PREFIX | WITH_DELEGATED_PREFIX
    assert body == encode_attributes(
        [
            (FRAMED_IPV6_PREFIX, bytes.fromhex("0040 20010db8000000010000000000000000")),
            (DELEGATED_IPV6_PREFIX, bytes.fromhex("0038 20010db8010000000000000000000000")),
            (FRAMED_ROUTE, b"203.0.113.0/29 0.0.0.0 1"),
            (FRAMED_IPV6_ROUTE, b"2001:db8:f::/48 :: 1"),
            (CLASS, class_value(7, grant)),
        ]
    )


def test_as_many_routes_as_are_allowed_fit_into_a_reply() -> None:
    longest = tuple(ip_network(f"2001:db8:ffff:ffff:ffff:ffff:ffff:fff{n:x}/128") for n in range(MOST_ROUTES))
    body = answer_of(pack(record(spans=always(Grant(PLAN, routes=longest))), RING.seal)[b"uana"], 0.0)[2]
    assert len(body) < 1_200


def test_the_usual_limits_cost_one_octet() -> None:
    usual, limited = (pack(record(limits=each), RING.seal)[b"uana"] for each in (USUAL, Limits(sessions=2)))
    assert limits_of(usual) is USUAL
    assert usual[-1] == 0
    assert (limits_of(limited), len(limited) - len(usual)) == (Limits(sessions=2), 11)


def test_a_record_of_version_1_is_answered_with_the_usual_limits() -> None:
    """What a replica holds while an installation is upgraded: the same, without limits and their length."""
    packed = pack(record(spans=always(fixed("100.64.0.9"))), RING.seal)
    old = b"\x01" + packed[b"uana"][1:-1]
    assert answer_of(old, 0.0) == answer_of(packed[b"uana"], 0.0)
    assert limits_of(old) is USUAL
    assert unpack(b"uana", {**packed, b"uana": old}, RING.unseal) == record(spans=always(fixed("100.64.0.9")))


def test_a_password_opens_only_in_its_own_record() -> None:
    value = pack(record(), RING.seal)[b"uana"]
    assert b"segredo" not in value
    assert password_of(b"uana", value, RING.unseal) == b"segredo"
    with pytest.raises(KeyMissing):
        password_of(b"ueva", value, RING.unseal)


def test_a_mac_record_is_filed_by_its_octets_and_has_no_password() -> None:
    entries = pack(mac_record(mac="1:2:0:5e:10:0:1"), RING.seal)
    key = mac_key(bytes.fromhex("02005e100001"))
    assert key in entries
    assert unpack(key, entries, RING.unseal).mac == MAC
    with pytest.raises(KeyMissing):
        password_of(key, entries[key], RING.unseal)


UNFIT = {
    "no spans": record(spans=()),
    "first span begins somewhere": record(spans=(Span(NOW, None, Denial("x")),)),
    "last span ends": record(spans=(Span(None, NOW, Denial("x")),)),
    "gap": record(spans=(Span(None, NOW, Denial("x")), Span(NOW + timedelta(1), None, Denial("y")))),
    "backwards": record(
        spans=(
            Span(None, NOW, Denial("x")),
            Span(NOW, NOW - timedelta(1), Denial("y")),
            Span(NOW - timedelta(1), None, Denial("z")),
        )
    ),
    "empty login": record(login=""),
    "login over 253 octets": record(login="a" * 254),
    "empty password": record(password=b""),
    "no password and no MAC": record(password=None),
    "no password and no readable MAC": mac_record(mac="02:00:5e"),
    "more routes than a reply carries": record(
        spans=always(Grant(PLAN, routes=tuple(ip_network(f"10.0.{n}.0/24") for n in range(MOST_ROUTES + 1))))
    ),
    "bound to half a MAC address": record(limits=Limits(mac=b"abc")),
    "a port that is too long": record(limits=Limits(nas_port="x" * 245)),
}


@pytest.mark.parametrize("unfit", UNFIT.values(), ids=UNFIT.keys())
def test_a_record_that_could_not_be_answered_from_is_refused(unfit: AccessRecord) -> None:
    with pytest.raises(ValueError):
        pack(unfit, RING.seal)


@pytest.mark.parametrize("size", [0, 3, 11, 30, 60])
def test_a_record_cut_short_raises_and_never_answers(size: int) -> None:
    value = pack(record(), RING.seal)[b"uana"]
    with pytest.raises((struct.error, IndexError)):
        answer_of(value[:size], NOW.timestamp())


def test_a_record_of_another_version_raises_and_never_answers() -> None:
    value = pack(record(), RING.seal)[b"uana"]
    with pytest.raises(ValueError, match="version 3"):
        answer_of(b"\x03" + value[1:], NOW.timestamp())


def test_the_password_is_not_shown() -> None:
    assert "segredo" not in repr(record())
    assert "xyzzy" not in repr(nas())


def test_class_names_subscription_and_fingerprint() -> None:
    grant = fixed("100.64.0.9")
    value = class_value(42, grant)
    assert value == f"c1.42.{PLAN.policy_id}.64400009".encode()
    assert read_class(value) == (42, grant.fingerprint)
    assert read_class(class_value(1, Grant(PLAN))) == (1, f"{PLAN.policy_id}.-")
    routed = Grant(PLAN, delegated_ipv6_prefix=IPv6Network("2001:db8::/56"))
    assert read_class(class_value(1, routed)) == (1, routed.fingerprint)
    assert read_class(b"c1.1.0011223344556677.64400009~0a1b2c3d") == (1, "0011223344556677.64400009~0a1b2c3d")


NOT_OURS = [
    b"",
    b"c1",
    b"c2.42.0011223344556677.-",
    b"c1.x.0011223344556677.-",
    b"c1.42.00112233.-",
    b"c1.42.0011223344556677.-x",
    b"c1.42.0011223344556677.-~0a1b",
]


@pytest.mark.parametrize("value", NOT_OURS)
def test_a_class_of_another_server_is_none(value: bytes) -> None:
    assert read_class(value) is None


def test_equal_policies_have_one_id_and_others_another() -> None:
    same = Policy.from_json(PLAN.to_json())
    assert same == PLAN
    assert same.policy_id == PLAN.policy_id
    assert len({PLAN.policy_id, TINY.policy_id, Policy().policy_id, Policy(interim_seconds=301).policy_id}) == 4


@pytest.mark.parametrize(
    "values",
    [
        {"download_bps": 0},
        {"upload_bps": -1},
        {"pool": "p" * 241},
        {"group": "ç" * 121},
        {"interim_seconds": 0},
        {"interim_seconds": 2**32},
    ],
    ids=str,
)
def test_a_policy_that_no_reply_can_carry_is_refused(values: dict[str, int]) -> None:
    with pytest.raises(ValueError):
        Policy(**values)  # type: ignore[arg-type]


def test_a_nas_comes_back_as_it_was() -> None:
    given_nas = nas(12, "2001:db8::/48", mac_auth=True, require_message_authenticator=False, coa_port=1700)
    ((key, value),) = pack_nas(given_nas, RING.seal).items()
    assert key == nas_key(12) == b"n12"
    assert b"xyzzy" not in value
    assert unpack_nas(key, value, RING.unseal) == given_nas


NAS_DAMAGE = {
    "no JSON": lambda key, value: (key, b"{"),
    "not an object": lambda key, value: (key, b"[]"),
    "another key": lambda key, value: (b"n99", value),
    "secret not base64": lambda key, value: (key, value.replace(b'"secret":"', b'"secret":"*')),
    "bad network": lambda key, value: (key, value.replace(b"192.0.2.1/32", b"192.0.2.300/32")),
    "unknown field": lambda key, value: (key, value.replace(b'"name"', b'"nome"')),
}


@pytest.mark.parametrize("damage", NAS_DAMAGE.values(), ids=NAS_DAMAGE.keys())
def test_a_damaged_nas_entry_is_unreadable(damage: Callable[[bytes, bytes], tuple[bytes, bytes]]) -> None:
    ((key, value),) = pack_nas(nas(), RING.seal).items()
    key, value = damage(key, value)
    with pytest.raises(UnreadableNas):
        unpack_nas(key, value, RING.unseal)


def test_a_nas_without_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="secret"):
        nas(secret=b"")
