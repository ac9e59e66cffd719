"""API-SSL: whom the driver speaks to, and that no word goes to anybody else."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provisioning.routeros.connection import (
    CertificateRefused,
    Command,
    Done,
    RouterLost,
    RouterSilent,
)
from provisioning.routeros.driver.session import connect, presented_fingerprint
from tests.factories_driver import (
    IMPATIENT,
    Peer,
    closed_port,
    hangs,
    scripted,
    tag_of,
    target,
)
from tests.factories_tls import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def issued(authority: Authority) -> Any:
    return authority.issue("borda", dns=["borda.example"], ip=["127.0.0.1"])


@pytest.fixture
def tls(issued: Any) -> ssl.SSLContext:
    return presenting(issued)


def presenting(issued: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.private_key)
    return context


def test_the_fingerprint_is_read_without_a_word(issued: Any, tls: ssl.SSLContext) -> None:
    heard: list[bytes] = []

    def listen(peer: Peer) -> None:
        heard.append(peer.sock.recv(1))

    with scripted(listen, tls=tls) as port:
        assert f"sha256:{presented_fingerprint('127.0.0.1', port, 5)}" == issued.fingerprint
    assert heard == [b""]


PINS = {
    "bare": lambda pin: pin,
    "with its kind and colons": lambda pin: "SHA256:" + ":".join(pin.upper()[at : at + 2] for at in range(0, 64, 2)),
}


@pytest.mark.parametrize("written", PINS.values(), ids=PINS)
def test_the_pinned_certificate_is_taken(issued: Any, tls: ssl.SSLContext, written: Callable[[str], str]) -> None:
    pin = written(issued.fingerprint.removeprefix("sha256:"))
    with scripted(Peer.let_in, tls=tls) as port:
        connect(target(port, tls="pinned", fingerprint=pin)).close()


def test_an_authority_vouches_for_the_address(authority: Authority, tls: ssl.SSLContext) -> None:
    with scripted(Peer.let_in, tls=tls) as port:
        connect(target(port, tls="ca", ca_file=str(authority.ca))).close()


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another one is pinned": ({"tls": "pinned", "fingerprint": "ab" * 32}, "is pinned: if it was renewed"),
    "half of it is pinned": ({"tls": "pinned", "fingerprint": "ab"}, "is pinned"),
    "the system does not know its authority": ({"tls": "ca"}, "is not accepted"),
}


@pytest.mark.parametrize(("how", "words"), REFUSED.values(), ids=REFUSED)
def test_no_word_goes_to_whom_we_do_not_know(tls: ssl.SSLContext, how: dict[str, Any], words: str) -> None:
    heard: list[bytes] = []

    def listen(peer: Peer) -> None:
        heard.append(peer.sock.recv(1))

    with scripted(listen, tls=tls) as port, pytest.raises(CertificateRefused, match=words):
        connect(target(port, **how))
    assert heard in ([], [b""])


def test_a_certificate_for_another_name_is_refused(authority: Authority) -> None:
    other = presenting(authority.issue("outro", dns=["outro.example"], ip=["192.0.2.9"]))
    with scripted(hangs, tls=other) as port, pytest.raises(CertificateRefused, match="mismatch"):
        connect(target(port, tls="ca", ca_file=str(authority.ca)))


def test_an_ended_certificate_is_refused_by_ca_and_taken_by_pin(authority: Authority) -> None:
    ended = authority.issue("borda", ip=["127.0.0.1"], days=-1)
    pin = ended.fingerprint.removeprefix("sha256:")
    with scripted(hangs, Peer.let_in, tls=presenting(ended)) as port:
        with pytest.raises(CertificateRefused, match="expired"):
            connect(target(port, tls="ca", ca_file=str(authority.ca)))
        connect(target(port, tls="pinned", fingerprint=pin)).close()


NOT_THERE: dict[str, dict[str, Any]] = {
    "nothing is pinned": {"tls": "pinned"},
    "no file of authorities": {"tls": "ca", "ca_file": "/nowhere/ca.pem"},
}


@pytest.mark.parametrize("how", NOT_THERE.values(), ids=NOT_THERE)
def test_what_cannot_be_checked_is_refused_before_connecting(how: dict[str, Any]) -> None:
    with pytest.raises(CertificateRefused):
        connect(target(closed_port(), **how))


def test_a_file_without_authorities_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text("")
    with pytest.raises(CertificateRefused, match="cannot be read"):
        connect(target(closed_port(), tls="ca", ca_file=str(empty)))


def test_a_changed_file_of_authorities_counts_at_once(
    authority: Authority, tls: ssl.SSLContext, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    with scripted(hangs, Peer.let_in, tls=tls) as port:
        where = target(port, tls="ca", ca_file=str(file))
        file.write_bytes(Authority(tmp_path / "other").pem)
        with pytest.raises(CertificateRefused):
            connect(where)
        file.write_bytes(authority.pem + b"\n")
        connect(where).close()


def test_tls_on_the_plain_port_is_told() -> None:
    with scripted(lambda peer: peer.send(b"\x05!done\0")) as port, pytest.raises(RouterLost, match=r"API-SSL's port"):
        connect(target(port, tls="pinned", fingerprint="ab" * 32))


def test_a_handshake_that_never_ends_is_given_up() -> None:
    with scripted(Peer.gone) as port, pytest.raises(RouterSilent, match="TLS handshake"):
        connect(target(port, tls="pinned", fingerprint="ab" * 32, timeout=IMPATIENT))


def test_much_goes_both_ways_over_tls(issued: Any, tls: ssl.SSLContext) -> None:
    text = "z" * 20_000

    def chatty(peer: Peer) -> None:
        peer.let_in()
        for _ in range(100):
            peer.say("!done", *tag_of(peer.heard()), f"=ret={text}")

    pin = issued.fingerprint.removeprefix("sha256:")
    with scripted(chatty, tls=tls) as port:
        connection = connect(target(port, tls="pinned", fingerprint=pin))
        results = connection.write([Command("/ppp/secret/set", {".id": "*1", "comment": text})] * 100)
        connection.close()
    assert results == [Done(text)] * 100
