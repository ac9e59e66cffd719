"""RADIUS over TLS on real sockets: what a NAS gets, however its octets arrive, and what ends its connection."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from radius import attributes as a
from radius.nas_table import RADSEC_SECRET
from radius.policy import Denial
from tests.factories_accounting import acct_answer, acct_attributes, acct_request
from tests.factories_auth import SECRET, always, datagram, entries, opened, pap_request, record
from tests.factories_tls import client_tls
from tests.wire.radsec_server import NAME, Nas, interim, pap, running, tls_nas
from tests.wire.worker_thread import TIMEOUT

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def code(reply: bytes, request: bytes) -> int:
    """The code of an authentic reply to this request."""
    if request[0] == a.ACCOUNTING_REQUEST:
        return acct_answer(reply, request, RADSEC_SECRET).code
    return opened(reply, request, RADSEC_SECRET).code


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["TLS 1.2", "TLS 1.3"])
def test_one_connection_carries_everything(tmp_path: Path, version: ssl.TLSVersion) -> None:
    with running(tmp_path, tls_nas(), record()) as server, server.nas(version=version) as nas:
        for request, expected in (
            (datagram([], code=a.STATUS_SERVER, secret=RADSEC_SECRET, identifier=0), a.ACCESS_ACCEPT),
            (pap(identifier=1), a.ACCESS_ACCEPT),
            (pap(password=b"errado", identifier=2), a.ACCESS_REJECT),
            (interim(identifier=3), a.ACCOUNTING_RESPONSE),
        ):
            assert code(nas.ask(request), request) == expected
        [kept] = server.spooled()
        assert (kept.nas_id, str(kept.source), kept.datagram) == (1, "127.0.0.1", interim(identifier=3))
        nas.socket.close()
        server.wait_until(lambda told: ("connection", "closed") in told)
    assert server.told() == {
        ("connection", "opened"): 1,
        ("connection", "closed"): 1,
        ("status", "mikrotik"): 1,
        ("accept", "pap"): 1,
        ("reject", "wrong_password"): 1,
        ("recorded", "mikrotik"): 1,
    }


def test_message_authenticator_is_not_asked_for_where_tls_protects_all(tmp_path: Path) -> None:
    """Nor beside Proxy-State; but it is in every reply, and Status-Server has to have it."""
    with running(tmp_path, tls_nas(require_message_authenticator=True), record()) as server, server.nas() as nas:
        for request in (
            pap(sign=False),
            pap(b"ana", b"segredo", (a.PROXY_STATE, b"a proxy's"), sign=False, identifier=6),
        ):
            assert code(nas.ask(request), request) == a.ACCESS_ACCEPT
        nas.send(datagram([], code=a.STATUS_SERVER, secret=RADSEC_SECRET, sign=False, identifier=7))
        request = pap(identifier=8)
        assert nas.ask(request)[1] == 8


def test_byte_by_byte(tmp_path: Path) -> None:
    with running(tmp_path, tls_nas(), record()) as server, server.nas() as nas:
        for request in (pap(), interim(identifier=6)):
            for octet in request:
                nas.send(bytes((octet,)))
            code(nas.receive(), request)


def test_many_requests_in_one_record_and_one_over_two(tmp_path: Path) -> None:
    requests = [pap(identifier=number) for number in range(100)] + [interim(b"s", identifier=200)]
    stream = b"".join(requests)
    with running(tmp_path, tls_nas(), record()) as server, server.nas() as nas:
        nas.send(stream[:-30])
        replies = [nas.receive() for _ in range(100)]
        nas.send(stream[-30:])
        replies.append(nas.receive())
    assert [reply[1] for reply in replies] == [request[1] for request in requests]
    for reply, request in zip(replies, requests, strict=True):
        code(reply, request)


def test_what_comes_with_the_last_octets_of_the_handshake_is_read(tmp_path: Path) -> None:
    """TLS takes the first request out of the socket together with Finished: no event will tell of it."""
    with running(tmp_path, tls_nas(), record()) as server:
        context = client_tls(server.authority, server.authority.issue(NAME, dns=[NAME]), version=TLS13)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing)
        with socket.create_connection(("127.0.0.1", server.port), TIMEOUT) as plain:
            done = False
            while not done:
                try:
                    tls.do_handshake()
                    done = True
                except ssl.SSLWantReadError:
                    if outgoing.pending:
                        plain.sendall(outgoing.read())
                    incoming.write(plain.recv(16_384))
            request = pap()
            tls.write(request)
            plain.sendall(outgoing.read())  # Certificate, Finished and the request in one segment
            reply = b""
            while len(reply) < 20:
                incoming.write(plain.recv(16_384))
                try:
                    reply += tls.read(4096)
                except ssl.SSLWantReadError:
                    continue
    assert code(reply, request) == a.ACCESS_ACCEPT


BAD_LENGTH = bytes((1, 9, 0, 19)) + bytes(16)
FATAL = {
    "a length that is too short": BAD_LENGTH,
    "a length that is too long": bytes((1, 9, 16, 1)) + bytes(16),
    "HTTP": b"GET / HTTP/1.1\r\nHost: radius\r\n\r\n",
    "an attribute of length 1": bytes((1, 9, 0, 22)) + bytes(16) + b"\x01\x01",
    "an attribute that overruns": bytes((1, 9, 0, 23)) + bytes(16) + b"\x01\x09x",
    "the secret of UDP": pap_request(identifier=9),
    "accounting with the secret of UDP": acct_request(acct_attributes(), identifier=9, secret=SECRET),
    "Status-Server with the secret of UDP": datagram([], code=a.STATUS_SERVER, identifier=9),
}


@pytest.mark.parametrize("bad", FATAL.values(), ids=FATAL.keys())
def test_who_breaks_the_rules_is_cut_off_after_the_answers_before(tmp_path: Path, bad: bytes) -> None:
    with running(tmp_path, tls_nas(), record()) as server, server.nas() as nas, server.nas() as other:
        nas.send(pap() + bad + pap(identifier=10))
        code(nas.receive(), pap())
        assert nas.ended()
        code(other.ask(pap()), pap())
        assert server.spooled() == []


HARMLESS = {
    "an unknown code": bytes((99, 9, 0, 20)) + bytes(16),
    "an answer": bytes((2, 9, 0, 20)) + bytes(16),
    "a vendor's attribute of another form": bytes((1, 9, 0, 27)) + bytes(16) + b"\x1a\x07\x00\x00\x00\x09\x01",
    "accounting with a Message-Authenticator of its own making": acct_request(
        [(a.MESSAGE_AUTHENTICATOR, bytes(16)), *acct_attributes()], identifier=9, secret=RADSEC_SECRET
    ),
}


@pytest.mark.parametrize("strange", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_is_only_not_wanted_is_passed_over(tmp_path: Path, strange: bytes) -> None:
    with running(tmp_path, tls_nas(), record()) as server, server.nas() as nas:
        code(nas.ask(strange + pap()), pap())


@pytest.mark.parametrize(("asked", "refused"), [(a.COA_REQUEST, a.COA_NAK), (a.DISCONNECT_REQUEST, a.DISCONNECT_NAK)])
def test_nobody_changes_sessions_through_us(tmp_path: Path, asked: int, refused: int) -> None:
    request = acct_request([(a.USER_NAME, b"ana")], code=asked, secret=RADSEC_SECRET)
    with running(tmp_path, tls_nas(), record()) as server, server.nas() as nas:
        reply = opened(nas.ask(request), request, RADSEC_SECRET)
    assert (reply.code, reply.first(a.ERROR_CAUSE)) == (refused, (406).to_bytes(4))


def test_a_request_that_comes_again_is_answered_from_memory_on_its_own_connection(tmp_path: Path) -> None:
    with running(tmp_path, tls_nas(), record()) as server, server.nas() as one, server.nas() as other:
        assert one.ask(pap()) == one.ask(pap())
        code(other.ask(pap()), pap())
        one.ask(interim()), one.ask(interim()), other.ask(interim())
        assert len(server.spooled()) == 2
    assert server.told()[("accept", "pap")] == 2
    assert server.told()[("duplicate", "answered")] == 2


def test_held_back_rejects_go_to_their_own_connection_or_nowhere(tmp_path: Path) -> None:
    wrong = pap(password=b"errado")
    unknown = pap(b"bia", identifier=6)
    with running(tmp_path, tls_nas(), record(), reject_delay_seconds=3) as server, server.nas() as staying:
        with server.nas() as leaving:
            leaving.send(wrong)
            server.wait_until(lambda told: ("reject", "wrong_password") in told)
        staying.send(unknown)
        with server.nas() as coming:
            assert code(coming.ask(pap(identifier=6)), pap(identifier=6)) == a.ACCESS_ACCEPT
            assert code(staying.receive(), unknown) == a.ACCESS_REJECT
            assert code(coming.ask(pap()), pap()) == a.ACCESS_ACCEPT, "the other one's reject is not waiting for it"


def test_a_denial_is_heard_too(tmp_path: Path) -> None:
    with running(tmp_path, tls_nas(), record(spans=always(Denial("cancelled")))) as server, server.nas() as nas:
        assert code(nas.ask(pap()), pap()) == a.ACCESS_REJECT


def test_a_connection_that_is_cut_in_the_middle_of_a_packet_disturbs_nobody(tmp_path: Path) -> None:
    with running(tmp_path, tls_nas(), record()) as server, server.nas() as other:
        with server.nas() as nas:
            nas.send(interim(b"whole") + interim(b"half", identifier=6)[:30])
            code(nas.receive(), interim(b"whole"))
        with server.nas() as nas:
            nas.send(pap()[:10])
            nas.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset, no goodbye
        code(other.ask(pap()), pap())
        assert [kept.datagram for kept in server.spooled()] == [interim(b"whole")]


def test_a_nas_that_is_added_renamed_or_removed_counts_at_once(tmp_path: Path) -> None:
    with running(tmp_path, record()) as server:
        with server.nas() as stranger:
            assert stranger.ended()
        server.store.apply(entries(tls_nas()), 2)
        server.wait_until(lambda told: told.get(("connection", "unknown_client")) == 1)
        with server.nas() as nas:
            code(nas.ask(pap()), pap())
            server.store.apply(entries(tls_nas(secret=b"another one of UDP")), 3)
            code(nas.ask(pap(identifier=6)), pap(identifier=6))
            server.store.apply(entries(tls_nas(identity="bras-2.provedor.example")), 4)
            assert nas.ended()
        with server.nas("bras-2.provedor.example") as nas:
            code(nas.ask(pap()), pap())
            server.store.apply({b"n1": None}, 5)
            assert nas.ended()


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("0.0.0.0", "127.0.0.1"),
        ("::", "127.0.0.1"),
        ("::", "::1"),
        ("127.0.0.1, ::1", "::1"),
        ("::, 0.0.0.0", "127.0.0.1"),
    ],
)
def test_every_address_of_the_host(tmp_path: Path, address: str, host: str) -> None:
    with running(tmp_path, tls_nas(), record(), address=address) as server, server.nas(host=host) as nas:
        code(nas.ask(interim()), interim())
        assert str(server.spooled()[0].source) == host


def test_a_spool_that_cannot_be_written_acknowledges_nothing_and_authentication_goes_on(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the directory should be")
    with running(tmp_path, tls_nas(), record(), spool=blocked / "spool-radsec") as server, server.nas() as nas:
        nas.send(interim(identifier=1))
        server.wait_until(lambda told: told.get(("failure", "SpoolUnavailable")) == 1)
        code(nas.ask(pap()), pap())
        blocked.unlink()
        again = interim(identifier=2)
        assert code(nas.ask(again), again) == a.ACCOUNTING_RESPONSE


def test_two_hundred_connections_at_once(tmp_path: Path) -> None:
    certificate_names = [f"bras-{number}.provedor.example" for number in range(1, 11)]
    clients = [tls_nas(number, name) for number, name in enumerate(certificate_names, 1)]
    with running(tmp_path, *clients, record()) as server:
        contexts = [
            client_tls(server.authority, server.authority.issue(name, dns=[name])) for name in certificate_names
        ]
        connected = [Nas(server, contexts[number % 10]) for number in range(200)]
        for number, nas in enumerate(connected):
            nas.send(pap(identifier=number) + interim(b"s%d" % number, identifier=number))
        for number, nas in enumerate(connected):
            replies = {reply[0]: reply for reply in (nas.receive(), nas.receive())}
            code(replies[a.ACCESS_ACCEPT], pap(identifier=number))
            code(replies[a.ACCOUNTING_RESPONSE], interim(b"s%d" % number, identifier=number))
        assert sorted(kept.nas_id for kept in server.spooled()) == sorted([*range(1, 11)] * 20)
        for nas in connected:
            nas.socket.close()
        server.wait_until(lambda told: told.get(("connection", "closed")) == 200)
