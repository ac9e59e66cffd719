"""The one form of an identity, and what a certificate shows."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius.nas_table import NasClient, NasTable
from radius.radsec_identity import presented, read_identity
from tests.factories_auth import nas

DIGITS = "0123456789abcdef" * 4
WRITTEN = {
    "bras-1.provedor.example": "bras-1.provedor.example",
    "  BRAS-1.Provedor.Example ": "bras-1.provedor.example",
    "bras-1.provedor.example.": "bras-1.provedor.example",
    "BRAS 1, Centro": "bras 1, centro",
    "192.0.2.1": "192.0.2.1",
    "2001:DB8:0:0::1": "2001:db8::1",
    "SHA256:" + DIGITS.upper(): "sha256:" + DIGITS,
    "sha256:" + ":".join(DIGITS[at : at + 2] for at in range(0, 64, 2)): "sha256:" + DIGITS,
    "x" * 200: "x" * 200,
    ".": ".",
}


@pytest.mark.parametrize(("written", "read"), WRITTEN.items())
def test_identities_in_any_spelling(written: str, read: str) -> None:
    assert read_identity(written) == read
    assert read_identity(read) == read


@pytest.mark.parametrize(
    "written", ["", "  ", "*", "*.provedor.example", "x" * 201, "a\nb", "sha256:", "sha256:12", "sha256:" + "g" * 64]
)
def test_what_no_certificate_could_show(written: str) -> None:
    assert read_identity(written) is None


@given(st.text(max_size=300))
def test_reading_is_stable(written: str) -> None:
    once = read_identity(written)
    assert once is None or read_identity(once) == once


DER = b"a certificate"
OWN = "sha256:" + sha256(DER).hexdigest()
SUBJECT = ((("countryName", "BR"),), (("commonName", "Bras-1"),))
CERTIFICATES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "nothing": ({}, ()),
    "a Common Name": ({"subject": SUBJECT}, ("bras-1",)),
    "names in order": (
        {
            "subject": SUBJECT,
            "subjectAltName": (("IP Address", "192.0.2.1"), ("DNS", "B.example"), ("DNS", "a.example")),
        },
        ("b.example", "a.example", "192.0.2.1"),
    ),
    "names of other kinds only": (
        {"subject": SUBJECT, "subjectAltName": (("URI", "https://a.example"), ("email", "a@a.example"))},
        ("bras-1",),
    ),
    "a wildcard only": ({"subject": SUBJECT, "subjectAltName": (("DNS", "*.example"),)}, ()),
    "a name that looks like a fingerprint": ({"subjectAltName": (("DNS", "sha256:" + DIGITS),)}, ()),
}


@pytest.mark.parametrize(("certificate", "names"), CERTIFICATES.values(), ids=CERTIFICATES.keys())
def test_what_a_certificate_shows(certificate: dict[str, Any], names: tuple[str, ...]) -> None:
    assert presented(certificate, DER) == (OWN, *names)


def test_the_first_identity_that_any_nas_has_decides() -> None:
    table = NasTable(
        NasClient(each)
        for each in (
            nas(1, "192.0.2.1", radsec_identity="a"),
            nas(2, "192.0.2.2", radsec_identity="b"),
            nas(3, "192.0.2.3", radsec_identity="c", enabled=False),
            nas(5, "192.0.2.5", radsec_identity="a"),
            nas(4, "192.0.2.4"),
        )
    )
    found = {names: table.find_identity(names.split()) for names in ("a", "b a", "c", "x b", "x", "")}
    assert {names: client and client.entry.id for names, client in found.items()} == {
        "a": 1,
        "b a": 2,
        "c": None,
        "x b": 2,
        "x": None,
        "": None,
    }
    assert table.find_identity([""]) is None


def test_over_tls_a_nas_has_the_secret_that_all_have_and_signs_nothing() -> None:
    entry = nas(1, radsec_identity="a", require_message_authenticator=True, mac_auth=True)
    table = NasTable([NasClient(entry)])
    udp, tls = table.find("192.0.2.1"), table.find_identity(["a"])
    assert udp is not None
    assert tls is not None
    assert (udp.over_tls, udp.require_message_authenticator, udp.mac_auth) == (False, True, True)
    assert (tls.over_tls, tls.require_message_authenticator, tls.mac_auth) == (True, False, True)
    assert udp.authenticators.hmac(b"x") != tls.authenticators.hmac(b"x")
    assert tls.entry is udp.entry
