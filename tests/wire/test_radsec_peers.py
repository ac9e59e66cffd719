"""Who is let in over TLS, what strangers and dawdlers can do, and certificates that change."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from radius import radsec_connection, radsec_connections
from radius.radsec_tls import TlsFiles, TlsUnusable, WatchedContext, server_context
from tests.factories_auth import entries, record
from tests.factories_tls import Authority, Issued, client_tls
from tests.wire.radsec_server import NAME, Nas, Server, interim, pap, running, tls_nas
from tests.wire.worker_thread import TIMEOUT

FINGERPRINT = "the certificate's own"
KNOWN = {
    "by DNS name": (NAME, {"dns": [NAME]}),
    "by the second DNS name": (NAME, {"dns": ["other.example", NAME]}),
    "by DNS name in capitals": (NAME, {"dns": [NAME.upper()]}),
    "by IPv4 address": ("198.51.100.7", {"ip": ["198.51.100.7"]}),
    "by IPv6 address": ("2001:db8::7", {"dns": ["other.example"], "ip": ["2001:db8:0:0::7"]}),
    "by Common Name": ("bras 1", {"common_name": "BRAS 1"}),
    "by an address in the Common Name": ("198.51.100.7", {"common_name": "198.51.100.7"}),
    "by fingerprint": (FINGERPRINT, {"dns": ["other.example"]}),
}
UNKNOWN = {
    "another name": (NAME, {"dns": ["bras-2.provedor.example"]}),
    "a wildcard": (NAME, {"dns": ["*.provedor.example"]}),
    "a longer name": (NAME, {"dns": ["x." + NAME]}),
    "a Common Name beside a DNS name": (NAME, {"common_name": NAME, "dns": ["other.example"]}),
    "a Common Name that claims a fingerprint": (FINGERPRINT, {}),
}


def certificate_for(authority: Authority, identity: str, names: dict[str, object]) -> tuple[str, Issued]:
    issued = authority.issue(**({"common_name": "x"} | names))  # type: ignore[arg-type]
    return (issued.fingerprint if identity == FINGERPRINT else identity), issued


@pytest.mark.parametrize(("identity", "names"), KNOWN.values(), ids=KNOWN.keys())
def test_a_nas_is_known_by_its_certificate(tmp_path: Path, identity: str, names: dict[str, object]) -> None:
    authority = Authority(tmp_path / "tls")
    identity, issued = certificate_for(authority, identity, names)
    with (
        running(tmp_path, tls_nas(identity=identity), record(), authority=authority) as server,
        Nas(server, client_tls(authority, issued)) as nas,
    ):
        assert nas.ask(pap())[0] == 2


@pytest.mark.parametrize(("identity", "names"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_a_stranger_with_a_good_certificate_is_cut_off(tmp_path: Path, identity: str, names: dict[str, object]) -> None:
    authority = Authority(tmp_path / "tls")
    other = authority.issue("somebody else's")
    names = names or {"common_name": other.fingerprint[:64]}
    identity, issued = certificate_for(authority, other.fingerprint if identity == FINGERPRINT else identity, names)
    with running(tmp_path, tls_nas(identity=identity), record(), authority=authority) as server:
        with Nas(server, client_tls(authority, issued)) as nas:
            assert nas.ended()
        server.wait_until(lambda told: told.get(("connection", "unknown_client")) == 1)


def test_a_disabled_nas_is_a_stranger(tmp_path: Path) -> None:
    with running(tmp_path, tls_nas(enabled=False), record()) as server, server.nas() as nas:
        assert nas.ended()


def test_the_most_particular_identity_counts(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    issued = authority.issue(dns=["b.example", "a.example"], ip=["198.51.100.7"])
    identities = ["a.example", "b.example", "198.51.100.7", issued.fingerprint]
    clients = [tls_nas(number, identity) for number, identity in enumerate(identities, 1)]
    with running(tmp_path, *clients, authority=authority) as server:
        for number in (4, 2, 1, 3):
            with Nas(server, client_tls(authority, issued)) as nas:
                nas.ask(interim())
            assert server.spooled()[-1].nas_id == number
            server.store.apply({b"n%d" % number: None}, 10 + number)


def test_a_stranger_is_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running(tmp_path) as server:
        own, other = server.authority.issue(NAME, dns=[NAME]), server.authority.issue("other")
        for issued in (own, own, other, own):
            with Nas(server, client_tls(server.authority, issued)) as nas:
                assert nas.ended()
        server.wait_until(lambda told: told.get(("connection", "unknown_client")) == 4)
    told = [each.getMessage() for each in caplog.records if "no NAS has" in each.getMessage()]
    assert len(told) == 2
    assert NAME in told[0]
    assert own.fingerprint in told[0]


# without a good certificate


def nothing(authority: Authority, _other: Authority) -> ssl.SSLContext:
    return client_tls(authority, None)


def of_another_authority(authority: Authority, other: Authority) -> ssl.SSLContext:
    return client_tls(authority, other.issue(NAME, dns=[NAME]))


def expired(authority: Authority, _other: Authority) -> ssl.SSLContext:
    return client_tls(authority, authority.issue(NAME, dns=[NAME], days=-1))


def for_servers_only(authority: Authority, _other: Authority) -> ssl.SSLContext:
    return client_tls(authority, authority.issue(NAME, dns=[NAME], usage=[ExtendedKeyUsageOID.SERVER_AUTH]))


REFUSED = {
    "none": (nothing, "no_certificate"),
    "another CA": (of_another_authority, "certificate_refused"),
    "expired": (expired, "certificate_refused"),
    "for servers only": (for_servers_only, "certificate_refused"),
}


@pytest.mark.parametrize(("make", "reason"), REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
def test_without_a_good_certificate_nobody_gets_in(
    tmp_path: Path, make: Callable[..., ssl.SSLContext], reason: str, version: ssl.TLSVersion
) -> None:
    other = Authority(tmp_path / "other")
    with running(tmp_path, tls_nas(), record()) as server:
        context = make(server.authority, other)
        context.minimum_version = context.maximum_version = version
        try:
            nas = Nas(server, context)
        except (ssl.SSLError, ConnectionError):
            pass
        else:
            with nas:  # in TLS 1.3 the client hears of it with the first thing that it reads
                assert nas.ended()
        server.wait_until(lambda told: told.get(("connection", reason)) == 1)
        with server.nas() as good:
            assert good.ask(pap())[0] == 2


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_older_tls_is_refused(tmp_path: Path) -> None:
    with running(tmp_path, tls_nas()) as server:
        context = client_tls(server.authority, server.authority.issue(NAME, dns=[NAME]))
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(OSError, match=r"(?i)alert|version|protocol"):
            Nas(server, context)


OPENSSL = shutil.which("openssl")


def s_client(server: Server, *options: str) -> str:
    """What `openssl s_client` says of a connection that it keeps open for as long as the server does, or a second."""
    if OPENSSL is None:
        if os.environ.get("CI"):
            pytest.fail("this may not be skipped in CI: install openssl")
        pytest.skip("no openssl")
    asked = [OPENSSL, "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile", str(server.authority.ca)]
    with subprocess.Popen(
        [*asked, "-verify_return_error", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as client:
        try:
            printed, _ = client.communicate(timeout=None if options else TIMEOUT)
        except subprocess.TimeoutExpired:
            client.kill()
            printed, _ = client.communicate()
    return printed


def test_openssl_as_the_client(tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    with running(tmp_path, tls_nas(), record()) as server:
        for issued, expected in (
            (None, "alert certificate required"),
            (other.issue(NAME, dns=[NAME]), "alert unknown ca"),
            (server.authority.issue(NAME, dns=[NAME], days=-1), "alert certificate expired"),
        ):
            own = ("-cert", str(issued.certificate), "-key", str(issued.private_key)) if issued else ("-no_ticket",)
            assert expected in s_client(server, *own, "-ign_eof")
        good = server.authority.issue(NAME, dns=[NAME])
        printed = s_client(server, "-cert", str(good.certificate), "-key", str(good.private_key), "-alpn", "radius/1.0")
        assert "Verify return code: 0 (ok)" in printed
        assert "TLSv1.3" in printed
        assert "ALPN protocol: radius/1.0" in printed


# those who dawdle


def test_a_handshake_that_does_not_go_on_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(radsec_connection, "HANDSHAKE_SECONDS", 0.3)
    with running(tmp_path, tls_nas(), record()) as server:
        with socket.create_connection(("127.0.0.1", server.port), TIMEOUT) as silent:
            assert silent.recv(1) == b""
        server.wait_until(lambda told: told.get(("connection", "handshake_slow")) == 1)


def test_more_strangers_than_there_is_room_for_keep_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(radsec_connections, "_HANDSHAKES", 8)
    monkeypatch.setattr(radsec_connections, "_DAWDLING_SECONDS", 0.2)
    with running(tmp_path, tls_nas(), record()) as server:
        strangers = [socket.create_connection(("127.0.0.1", server.port), TIMEOUT) for _ in range(30)]
        with server.nas() as nas:
            assert nas.ask(pap())[0] == 2
        server.wait_until(lambda told: told.get(("connection", "handshake_slow"), 0) >= 23)
        assert max(report.gauges["radsec_handshakes"] for report in server.reports) <= 8
        for stranger in strangers:
            stranger.close()


def test_a_packet_that_never_ends_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Octet after octet keeps a connection from being idle, but not this one alive."""
    monkeypatch.setattr(radsec_connection, "PATIENCE_SECONDS", 0.5)
    with running(tmp_path, tls_nas(), record()) as server, server.nas() as slow, server.nas() as other:
        with pytest.raises((ConnectionError, ssl.SSLError)):  # noqa: PT012
            for octet in pap():
                slow.send(bytes((octet,)))
                assert other.ask(interim(identifier=octet))[0] == 5
                time.sleep(0.1)
        server.wait_until(lambda told: told.get(("connection", "packet_unfinished")) == 1)


def test_who_does_not_read_is_not_answered_and_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(radsec_connection, "PATIENCE_SECONDS", 1.0)
    with running(tmp_path, tls_nas(), record()) as server, server.nas() as deaf, server.nas() as other:
        deaf.socket.settimeout(0.5)
        requests = b"".join(pap(identifier=number) for number in range(256))
        with pytest.raises((TimeoutError, ConnectionError, ssl.SSLError)):  # noqa: PT012
            for _ in range(10_000):
                deaf.send(requests)
        assert other.ask(pap())[0] == 2
        server.wait_until(lambda told: told.get(("connection", "too_slow")) == 1)
        assert other.ask(pap(identifier=6))[0] == 2


def test_who_reads_late_gets_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over 64 KiB of unread replies the NAS is not read either; once it reads, both go on."""

    def small_buffers(accepted: socket.socket) -> None:
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

    monkeypatch.setattr(radsec_connection, "_keep_alive", small_buffers)
    rounds = 60
    requests = [pap(identifier=number, authenticator=bytes((number,)) * 16) for number in range(256)]
    with running(tmp_path, tls_nas(), record()) as server, server.nas() as nas:
        nas.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sending = threading.Thread(target=nas.send, args=(b"".join(requests) * rounds,))
        sending.start()
        server.wait_until(lambda told: told.get(("accept", "pap"), 0) >= 256)
        assert server.told()[("accept", "pap")] < 256 * rounds, "more than any buffer holds"
        replies = [nas.receive()[1] for _ in range(256 * rounds)]
        sending.join()
    assert replies == [request[1] for request in requests] * rounds


def test_who_is_silent_for_long_is_let_go(tmp_path: Path) -> None:
    with running(tmp_path, tls_nas(), record(), idle_seconds=0.5) as server, server.nas() as nas:
        assert nas.ask(pap())[0] == 2
        assert nas.ended()
        server.wait_until(lambda told: told.get(("connection", "idle")) == 1)


def test_a_nas_that_forgets_its_connections_loses_the_stale_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(radsec_connections, "_OF_ONE_NAS", 3)
    with running(tmp_path, tls_nas(), record()) as server:
        connected = [server.nas() for _ in range(3)]
        for nas in (connected[1], connected[0], connected[2]):
            assert nas.ask(pap())[0] == 2
        with server.nas() as newest:
            assert newest.ask(pap())[0] == 2
            assert connected[1].ended()
            for nas in (connected[0], connected[2]):
                assert nas.ask(pap(identifier=6))[0] == 2
        for nas in connected:
            nas.socket.close()


# certificates that change


def replace_by(new: Issued, old: Issued) -> None:
    """As a certificate manager does it: key first, each file put in place by a rename."""
    for source, target in ((new.private_key, old.private_key), (new.certificate, old.certificate)):
        copy = target.with_suffix(".new")
        shutil.copy(source, copy)
        copy.replace(target)


def shown(server: Server) -> bytes:
    with server.nas() as nas:
        return nas.socket.getpeercert(binary_form=True) or b""


def test_a_new_certificate_is_shown_without_a_restart(tmp_path: Path) -> None:
    with running(tmp_path, tls_nas(), record()) as server, server.nas() as nas:
        assert shown(server) == server.own.der
        new = server.authority.issue("renewed")
        replace_by(new, server.own)
        deadline = time.monotonic() + TIMEOUT
        while shown(server) != new.der:
            assert time.monotonic() < deadline
        assert nas.ask(pap())[0] == 2, "who is in already stays"


def test_half_a_new_certificate_leaves_the_old_one_in_force(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    authority = Authority(tmp_path)
    own, new = authority.issue("own"), authority.issue("new")
    watched = WatchedContext(authority.files(own), server_context)
    before = watched.context
    with caplog.at_level(logging.ERROR):
        own.private_key.write_bytes(new.private_key.read_bytes())
        assert [watched.refresh(), watched.refresh()] == [False, False]
        own.certificate.unlink()
        assert not watched.refresh()
    assert watched.context is before
    assert len(caplog.records) == 2
    own.certificate.write_bytes(new.certificate.read_bytes())
    assert [watched.refresh(), watched.refresh()] == [True, False]
    assert watched.context is not before


def test_who_was_let_in_by_a_ca_that_counts_no_more_has_to_come_again(tmp_path: Path) -> None:
    other = Authority(tmp_path / "other", "Another CA")
    with running(tmp_path, tls_nas(), record()) as server:
        server.authority.ca.write_bytes(server.authority.pem + other.pem)
        foreign = client_tls(server.authority, other.issue(NAME, dns=[NAME]))
        deadline = time.monotonic() + TIMEOUT
        while True:
            assert time.monotonic() < deadline
            with suppress(OSError):
                nas = Nas(server, foreign)
                with suppress(OSError):
                    if nas.ask(pap()):
                        break
                nas.socket.close()
        with nas, server.nas() as own:
            server.authority.ca.write_bytes(server.authority.pem)
            assert nas.ended()
            assert own.ended()
        with server.nas() as own:
            assert own.ask(pap())[0] == 2


def test_a_revoked_certificate_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    revoked = authority.issue(NAME, dns=[NAME])
    trusted = authority.pem
    authority.ca.write_bytes(trusted + authority.crl(revoked))
    with running(tmp_path, tls_nas(), record(), authority=authority) as server:
        with Nas(server, client_tls(authority, revoked, version=ssl.TLSVersion.TLSv1_3)) as nas:
            assert nas.ended()
        server.wait_until(lambda told: told.get(("connection", "certificate_refused")) == 1)
        with server.nas() as good:
            assert good.ask(pap())[0] == 2


def test_a_connection_ends_with_the_certificate_that_opened_it(tmp_path: Path) -> None:
    with running(tmp_path, tls_nas(), record()) as server:
        short = server.authority.issue(NAME, dns=[NAME], seconds=3)
        with Nas(server, client_tls(server.authority, short)) as nas:
            assert nas.ask(pap())[0] == 2
            assert nas.ended()
        server.wait_until(lambda told: told.get(("connection", "certificate_expired")) == 1)


def test_no_session_is_resumed(tmp_path: Path) -> None:
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with running(tmp_path / version.name, tls_nas(), record()) as server:
            context = client_tls(server.authority, server.authority.issue(NAME, dns=[NAME]), version=version)
            with Nas(server, context) as first:
                first.ask(pap())
                session = first.socket.session
            plain = socket.create_connection(("127.0.0.1", server.port), TIMEOUT)
            with context.wrap_socket(plain, session=session) as second:
                assert not second.session_reused


# files that cannot be used

Spoil = Callable[[TlsFiles, Authority], TlsFiles]
UNUSABLE: dict[str, tuple[Spoil, str]] = {
    "no certificate": (lambda files, _: replace(files, certificate=Path("/nowhere.pem")), "/nowhere.pem"),
    "no key": (lambda files, _: replace(files, private_key=Path("/nowhere.key")), "/nowhere.key"),
    "no CA": (lambda files, _: replace(files, ca=Path("/nowhere-ca.pem")), "/nowhere-ca.pem"),
    "another's key": (lambda files, ca: replace(files, private_key=ca.issue("x").private_key), "KEY_VALUES_MISMATCH"),
    "a key in the place of the certificate": (
        lambda files, _: replace(files, certificate=files.private_key),
        "no certificate and its key",
    ),
    "a key in the place of the CA": (lambda files, _: replace(files, ca=files.private_key), "radsec_ca"),
}


@pytest.mark.parametrize(("spoil", "said"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_files_that_cannot_be_used_are_named(tmp_path: Path, spoil: Spoil, said: str) -> None:
    authority = Authority(tmp_path)
    files = spoil(authority.files(authority.issue("own")), authority)
    with pytest.raises(TlsUnusable, match=said):
        WatchedContext(files, server_context)


def test_an_encrypted_key_is_refused_and_asks_nobody(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = authority.files(authority.issue("own"))
    assert OPENSSL is not None
    locked = tmp_path / "locked.key"
    subprocess.run(
        [OPENSSL, "pkcs8", "-topk8", "-in", files.private_key, "-out", locked, "-passout", "pass:geheim"], check=True
    )
    with pytest.raises(TlsUnusable, match="encrypted"):
        WatchedContext(replace(files, private_key=locked), server_context)


def test_entries_that_are_published_again_keep_connections(tmp_path: Path) -> None:
    with running(tmp_path, tls_nas(), record()) as server, server.nas() as nas:
        assert nas.ask(pap())[0] == 2
        server.store.apply(entries(tls_nas()), 2)
        assert nas.ask(pap(identifier=6))[0] == 2
