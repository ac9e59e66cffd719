"""The rules of a router's fields, of its walled garden and of the services that it is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import InvalidInput
from core.secrets import Secret
from provisioning.routeros.router_fields import DEFAULTS, MANAGES, advice_for, check_together, checked
from provisioning.routeros.rows import Access
from provisioning.routeros.services.rules import Candidate, Selection, Wanted, refusal, service_advice

PRINT = "9F:" * 31 + "9f"
GARDEN = {"portal": "192.0.2.20", "allow": ["192.0.2.0/28"]}


@pytest.mark.parametrize(
    ("field", "given", "stored"),
    [
        ("name", " borda 1 ", "borda 1"),
        ("address", "Borda.Provedor.example.", "borda.provedor.example"),
        ("address", "2001:DB8:0::1", "2001:db8::1"),
        ("tls_fingerprint", PRINT, "9f" * 32),
        ("password", "x", Secret("x")),
        ("manages", ["queues", "ppp", "ppp"], ["ppp", "queues"]),
        ("manages", [], []),
        ("ppp_local_address", "010.0.0.1", "010.0.0.1"),
        ("ppp_local_address", "2001:DB8::1", "2001:db8::1"),
        ("cut_connections", False, False),
        ("removal_cap", None, None),
        ("removal_cap", 0, 0),
        ("garden", None, None),
        ("garden", GARDEN, {"portal": "192.0.2.20", "portal_port": 80, "allow": ["192.0.2.0/28"], "dns": True}),
        (
            "garden",
            {**GARDEN, "portal_port": 8080, "dns": False, "allow": ["Pix.Bank.example", "192.0.2.9/32", "192.0.2.9"]},
            {"portal": "192.0.2.20", "portal_port": 8080, "allow": ["pix.bank.example", "192.0.2.9"], "dns": False},
        ),
    ],
)
def test_stored(field: str, given: Any, stored: Any) -> None:
    assert checked({field: given}) == {field: stored}


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("name", ""), ("name", "17"), ("name", "a/b"), ("name", "x" * 65), ("name", "a\x00"), ("name", 5),
        ("address", ""), ("address", "0.0.0.0"), ("address", "224.0.0.1"), ("address", "fe80::1%ether1"),
        ("address", "-a.example"), ("address", "192.0.2.300"), ("address", "a b"), ("address", None),
        ("port", 0), ("port", 65536), ("port", True), ("port", "8728"),
        ("tls", "on"), ("tls_fingerprint", "9f" * 31), ("tls_fingerprint", "zz" * 32), ("tls_fingerprint", None),
        ("login", ""), ("login", " x"), ("login", "x" * 65),
        ("password", ""), ("password", "x" * 129), ("password", "a\x00b"), ("password", None),
        ("charset", "utf-16"), ("speed_by", "queue"), ("manages", ["ppp", "dns"]), ("manages", "ppp"),
        ("ppp_service", "pppo"), ("ppp_local_address", "a b"), ("dhcp_server", "x" * 65),
        ("reduced_list", "a,b"), ("warned_list", "a b"), ("warned_list", None),
        ("garden", {}), ("garden", {**GARDEN, "dsn": True}), ("garden", [GARDEN]),
        ("garden", {**GARDEN, "portal": "2001:db8::1"}), ("garden", {**GARDEN, "portal": "0.0.0.0"}),
        ("garden", {**GARDEN, "portal_port": 0}), ("garden", {**GARDEN, "dns": 1}),
        ("garden", {**GARDEN, "allow": ["0.0.0.0/0"]}), ("garden", {**GARDEN, "allow": ["10.0.0.0/7"]}),
        ("garden", {**GARDEN, "allow": ["0.0.0.0"]}), ("garden", {**GARDEN, "allow": [""]}),
        ("garden", {**GARDEN, "allow": ["192.0.2.1/24"]}), ("garden", {**GARDEN, "allow": ["x"] * 201}),
        ("drift", "ignore"), ("check_minutes", 0), ("check_minutes", 1441), ("writes_per_second", -1),
        ("removal_cap", -1), ("timeout_seconds", 0), ("timeout_seconds", 61), ("enabled", "yes"),
        ("cut_connections", 1), ("nonsense", 1),
    ],
)  # fmt: skip
def test_refused_with_an_example(field: str, given: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        checked({field: given})
    assert caught.value.field.partition(".")[0] == field


def test_the_examples_and_the_defaults_pass() -> None:
    assert checked(dict(DEFAULTS)) == DEFAULTS
    for field in ("name", "address", "tls_fingerprint", "login", "password", "manages", "ppp_local_address"):
        with pytest.raises(InvalidInput) as caught:
            checked({field: object()})
        assert checked({field: caught.value.example})


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, None),
        ({"tls": "pinned", "tls_fingerprint": "9f" * 32}, None),
        ({"tls": "pinned"}, "tls_fingerprint"),
        ({"tls": "ca", "tls_fingerprint": "9f" * 32}, "tls_fingerprint"),
        ({"speed_by": "queue-tree", "manages": ["ppp"]}, "manages"),
        ({"speed_by": "none", "manages": ["ppp"]}, None),
        ({"reduced_list": "late", "warned_list": "soon"}, None),
        ({"reduced_list": "suspended"}, "reduced_list"),
        ({"warned_list": "paused"}, "warned_list"),
        ({"reduced_list": "late", "warned_list": "late"}, "warned_list"),
    ],
)
def test_together(given: dict[str, Any], field: str | None) -> None:
    values = {**DEFAULTS, **given}
    if field is None:
        check_together(values, ("suspended", "paused"))
        return
    with pytest.raises(InvalidInput) as caught:
        check_together(values, ("suspended", "paused"))
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("given", "radius", "answers", "words"),
    [
        ({"address": "192.168.88.1"}, 0, False, []),
        ({"address": "100.64.0.1"}, 0, False, []),
        ({"address": "8.8.8.8"}, 0, False, ["in the clear"]),
        ({"address": "8.8.8.8", "tls": "ca"}, 0, False, []),
        ({"address": "borda.example", "manages": []}, 0, False, ["only read"]),
        ({"address": "10.0.0.1"}, 7, False, ["RADIUS serves 7 of", "owns the speed of 7 of"]),
        ({"address": "10.0.0.1", "speed_by": "none"}, 7, True, []),
    ],
)
def test_advice(given: dict[str, Any], radius: int, answers: bool, words: list[str]) -> None:
    found = advice_for({**DEFAULTS, **given}, radius, answers)
    assert len(found) == len(words)
    assert all(word in text for word, text in zip(words, found, strict=True))


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (("ppp", "", ""), ("ppp", "", "")),
        (("dhcp", " dhcp1 ", "00:03:00:01:D4:CA"), ("dhcp", "dhcp1", "0x00030001d4ca")),
        (("static", "", "0x0003"), ("static", "", "0x0003")),
        (("pppoe", "", ""), "access"),
        (("ppp", "dhcp1", ""), "dhcp_server"),
        (("dhcp", "x" * 65, ""), "dhcp_server"),
        (("radius", "", "0x0003"), "duid"),
        (("ppp", "", "0x003"), "duid"),
        (("ppp", "", "xyzw"), "duid"),
        (("ppp", "", "00" * 129), "duid"),
    ],
)
def test_what_is_wanted(given: tuple[str, str, str], stored: tuple[str, str, str] | str) -> None:
    if isinstance(stored, tuple):
        assert tuple(Wanted.of(*given).stored.values()) == stored
        return
    with pytest.raises(InvalidInput) as caught:
        Wanted.of(*given)
    assert caught.value.field == stored


@pytest.mark.parametrize(
    ("access", "candidate", "reason"),
    [
        ("ppp", Candidate(1, "maria", None), ""),
        ("ppp", Candidate(1, None, "02:00:5e:10:00:01"), "without a login, which ppp needs"),
        ("ppp", Candidate(1, "maria", None, cancelled=True), "cancelled"),
        ("dhcp", Candidate(1, "maria", None), ""),
        ("static", Candidate(1, None, "02:00:5e:10:00:01"), ""),
        ("radius", Candidate(1, None, "02:00:5e:10:00:01"), ""),
    ],
)
def test_refusal(access: str, candidate: Candidate, reason: str) -> None:
    assert refusal(candidate, Access(access)) == reason


LOGIN, LINE = Candidate(1, "maria", None), Candidate(1, None, "02:00:5e:10:00:01")


@pytest.mark.parametrize(
    ("access", "candidate", "router", "fixed", "answers", "words"),
    [
        ("ppp", LOGIN, {}, False, False, []),
        ("ppp", LOGIN, {"manages": []}, False, False, ["does not manage ppp"]),
        ("ppp", LOGIN, {"speed_by": "queue-simple"}, False, False, ["queue needs a fixed address"]),
        ("ppp", LOGIN, {"speed_by": "queue-simple"}, True, False, []),
        ("ppp", LOGIN, {}, False, True, ["asks RADIUS too"]),
        ("ppp", LOGIN, {"speed_by": "none"}, False, True, []),
        ("dhcp", LOGIN, {}, False, False, ["MAC address", "fixed address"]),
        ("dhcp", LINE, {}, True, False, []),
        ("static", LINE, {}, False, False, ["fixed address"]),
        ("hotspot", LOGIN, {}, False, False, ["neither"]),
        ("hotspot", LINE, {}, False, False, []),
        ("radius", LOGIN, {}, False, True, []),
        ("radius", LOGIN, {}, False, False, ["is no NAS"]),
    ],
)
def test_advice_on_a_service(
    access: str, candidate: Candidate, router: dict[str, Any], fixed: bool, answers: bool, words: list[str]
) -> None:
    given = {"name": "borda-1", "manages": MANAGES, "speed_by": "profile", **router}
    found = service_advice(Wanted(Access(access)), candidate, given, fixed=fixed, nas_answers=answers)
    assert len(found) == len(words)
    assert all(word in text for word, text in zip(words, found, strict=True))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ((None, None, "", False), "unplaced"),
        (([], None, "Itu", False), "subscription_ids"),
        ((list(range(20_001)), None, "", False), "subscription_ids"),
    ],
)
def test_a_selection_of_everything_is_none(given: tuple[Any, Any, Any, bool], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Selection.of(*given)
    assert caught.value.field == field
