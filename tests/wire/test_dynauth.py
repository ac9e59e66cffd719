"""The CoA and Disconnect client on real sockets: against FreeRADIUS, and against peers that misbehave."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from ipaddress import IPv4Address, ip_address
from typing import Any

import pytest

from radius.attributes import CLASS, MESSAGE_AUTHENTICATOR
from radius.authenticators import ZEROES, Authenticators
from radius.codec import encode, encode_attributes
from radius.dynauth import Ack, DynauthResult, Nak, Target, TimedOut, change_of_authorization, disconnect
from radius.dynauth_packets import read_request, reply_to
from radius.policy import Policy
from radius.vendors import VENDORS, SessionIdentity
from tests.freeradius import FreeRadius
from tests.udp_peer import Script, UdpPeer, from_the, silent

SECRET = b"s3cret of the NAS"
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
OWNER = Authenticators(SECRET)
MIKROTIK = VENDORS["mikrotik"]
FAST, SLOW = Policy(50_000_000, 10_000_000), Policy(1_000_000, 512_000)
DORAS = b"a class that nobody else gets"
CHANGES = encode_attributes([*(MIKROTIK.coa_changes(FAST, SLOW) or ()), (CLASS, b"c1.7.x")])


def identity(user: bytes) -> tuple[tuple[int, bytes], ...]:
    session = SessionIdentity(user, b"81000001", IPv4Address("100.64.0.9"), IPv4Address("10.0.0.1"))
    return MIKROTIK.identification(session)


def target(port: int, *, address: str = "127.0.0.1", secret: bytes = SECRET) -> Target:
    return Target(ip_address(address), port, secret)


# FreeRADIUS, which checks every authenticator itself


@pytest.fixture(scope="module", params=["127.0.0.1", "::1"], ids=["IPv4", "IPv6"])
def freeradius(request: pytest.FixtureRequest) -> Iterator[FreeRadius]:
    with FreeRadius.coa_listener(
        SECRET.decode(), ack=["ana"], nak={"bia": 503, "caio": 501}, address=request.param
    ) as server:
        yield server


@pytest.mark.parametrize(
    ("user", "answer"),
    [
        pytest.param(b"ana", Ack(), id="acknowledged"),
        pytest.param(b"bia", Nak(503, "Session-Context-Not-Found"), id="session unknown"),
        pytest.param(b"caio", Nak(501, "Administratively-Prohibited"), id="prohibited"),
    ],
)
def test_freeradius_believes_us_and_we_it(freeradius: FreeRadius, user: bytes, answer: Ack | Nak) -> None:
    nas = target(freeradius.port, address=freeradius.address)
    assert change_of_authorization(nas, identity(user), CHANGES, now=NOW, timeout=5) == answer
    assert disconnect(nas, identity(user), now=NOW, timeout=5) == answer


def test_freeradius_reads_what_we_meant(freeradius: FreeRadius) -> None:
    nas = target(freeradius.port, address=freeradius.address)
    changes = encode_attributes([*(MIKROTIK.coa_changes(FAST, SLOW) or ()), (CLASS, DORAS)])
    change_of_authorization(nas, identity(b"dora"), changes, now=NOW, timeout=5)
    request = freeradius.wait_for_log(f"Class = 0x{DORAS.hex()}").split("Received CoA-Request")[-1]
    for line in (
        'User-Name = "dora"',
        'Acct-Session-Id = "81000001"',
        "Framed-IP-Address = 100.64.0.9",
        "NAS-IP-Address = 10.0.0.1",
        'Event-Timestamp = "Mar  2 2026 12:00:00 UTC"',
        'Mikrotik-Rate-Limit = "512k/1M"',
        "Message-Authenticator = 0x",
    ):
        assert line in request


def test_freeradius_stays_silent_for_another_secret(freeradius: FreeRadius) -> None:
    nas = target(freeradius.port, address=freeradius.address, secret=b"not the one")
    assert disconnect(nas, identity(b"ana"), now=NOW, timeout=0.2, tries=2) == TimedOut(2)
    freeradius.wait_for_log("Shared secret is incorrect")


def test_we_stay_deaf_to_freeradius_answering_with_another_secret(freeradius: FreeRadius) -> None:
    """FreeRADIUS answers a request relayed to it re-signed, so the reply that comes back is signed by a stranger."""
    nas_side = Authenticators(b"what we share")

    def relay(_peer: UdpPeer, datagram: bytes, _sender: Any) -> bytes | None:
        ours = read_request(nas_side, datagram)
        assert ours is not None
        family = socket.AF_INET6 if ":" in freeradius.address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as line:
            line.settimeout(5)
            line.connect((freeradius.address, freeradius.port))
            line.send(_signed_by(OWNER, datagram))
            return line.recv(4096)

    with UdpPeer(relay) as peer:
        answer = disconnect(target(peer.port, secret=b"what we share"), identity(b"ana"), now=NOW, timeout=0.3, tries=1)
    assert answer == TimedOut(1)
    assert peer.received


def _signed_by(owner: Authenticators, datagram: bytes) -> bytes:
    bare = datagram[:4] + ZEROES + datagram[20:22] + ZEROES + datagram[38:]
    signed = bare[:22] + owner.hmac(bare) + bare[38:]
    return signed[:4] + owner.request_authenticator(signed) + signed[20:]


# A NAS of our own that does what a test wants


def acknowledge(_peer: UdpPeer, datagram: bytes, _sender: Any) -> bytes | None:
    request = read_request(OWNER, datagram)
    return reply_to(OWNER, request, None) if request else None


def ask(peer: UdpPeer, *, timeout: float = 0.1, tries: int = 3, **more: Any) -> DynauthResult:
    return disconnect(target(peer.port), identity(b"ana"), now=NOW, timeout=timeout, tries=tries, **more)


def test_silence_is_a_timeout_after_equal_transmissions_from_one_port() -> None:
    with UdpPeer(silent) as peer:
        assert ask(peer, tries=3) == TimedOut(3)
        received = peer.wait_for(3)
    assert len(received) == 3
    assert len({datagram for datagram, _ in received}) == 1
    assert len({sender for _, sender in received}) == 1


def test_an_answer_to_the_second_transmission_counts() -> None:
    with UdpPeer(from_the(2, acknowledge)) as peer:
        assert ask(peer, tries=100) == Ack()
        assert len(peer.received) >= 2


def test_the_next_request_is_another_packet_from_another_port() -> None:
    with UdpPeer(acknowledge) as peer:
        assert [ask(peer, timeout=5), ask(peer, timeout=5)] == [Ack(), Ack()]
        (_, one), (_, other) = peer.received
    assert one != other


def false_secret(_peer: UdpPeer, datagram: bytes, _sender: Any) -> bytes:
    return Authenticators(b"a stranger").response(41, datagram[1], datagram[4:20], b"")


def other_identifier(_peer: UdpPeer, datagram: bytes, _sender: Any) -> bytes:
    return OWNER.response(41, (datagram[1] + 1) % 256, datagram[4:20], b"")


def other_kind(_peer: UdpPeer, datagram: bytes, _sender: Any) -> bytes:
    return OWNER.response(44, datagram[1], datagram[4:20], b"")


def false_message_authenticator(_peer: UdpPeer, datagram: bytes, _sender: Any) -> bytes:
    unsigned = encode(41, datagram[1], ZEROES, encode_attributes([(MESSAGE_AUTHENTICATOR, bytes(16))]))
    return unsigned[:4] + OWNER.response_authenticator(unsigned, datagram[4:20]) + unsigned[20:]


def rubbish(_peer: UdpPeer, _datagram: bytes, _sender: Any) -> bytes:
    return b"\x29"


def _from_elsewhere(address: str) -> Script:
    def answer(peer: UdpPeer, datagram: bytes, sender: Any) -> None:
        right = acknowledge(peer, datagram, sender)
        assert right is not None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((address, 0 if address == "127.0.0.1" else peer.port))
            other.sendto(right, sender)

    return answer


FALSE_ANSWERS = [
    pytest.param(false_secret, id="another secret"),
    pytest.param(other_identifier, id="another Identifier"),
    pytest.param(other_kind, id="CoA-ACK to a Disconnect-Request"),
    pytest.param(false_message_authenticator, id="wrong Message-Authenticator"),
    pytest.param(rubbish, id="no packet"),
    pytest.param(_from_elsewhere("127.0.0.1"), id="right answer, another port"),
    pytest.param(_from_elsewhere("127.0.0.2"), id="right answer, another address"),
]


@pytest.mark.parametrize("script", FALSE_ANSWERS)
def test_a_false_answer_is_none(script: Script) -> None:
    with UdpPeer(script) as peer:
        assert ask(peer, tries=2) == TimedOut(2)
        peer.wait_for(2)


@pytest.mark.parametrize("script", FALSE_ANSWERS)
def test_a_true_answer_after_a_false_one_counts(script: Script) -> None:
    def false_then_true(peer: UdpPeer, datagram: bytes, sender: Any) -> bytes | None:
        false = script(peer, datagram, sender)
        if false is not None:
            peer.socket.sendto(false, sender)
        return acknowledge(peer, datagram, sender)

    with UdpPeer(false_then_true) as peer:
        assert ask(peer, timeout=5, tries=1) == Ack()


def test_a_closed_port_is_no_answer_and_leaves_a_hint() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    answer = disconnect(target(port), identity(b"ana"), now=NOW, timeout=0.05, tries=2)
    assert answer == TimedOut(2)
    assert isinstance(answer, TimedOut)
    assert answer.refused


def test_a_silent_peer_leaves_no_hint_of_a_closed_port() -> None:
    with UdpPeer(silent) as peer:
        answer = ask(peer, tries=1)
    assert isinstance(answer, TimedOut)
    assert not answer.refused


def test_a_nas_that_starts_to_listen_meanwhile_is_reached() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    answers: list[DynauthResult] = []

    def ask_the_closed_port() -> None:
        answers.append(disconnect(target(port), identity(b"ana"), now=NOW, timeout=0.1, tries=50))

    asking = threading.Thread(target=ask_the_closed_port)
    asking.start()
    asking.join(0.15)
    with UdpPeer(acknowledge, port=port):
        asking.join()
    assert answers == [Ack()]


def test_an_address_that_cannot_be_reached_is_no_answer() -> None:
    broadcast = target(3799, address="255.255.255.255")
    assert disconnect(broadcast, identity(b"ana"), now=NOW, timeout=0.05, tries=2) == TimedOut(2)


@pytest.mark.parametrize(
    ("source_address", "seen"),
    [
        pytest.param("127.0.0.5", "127.0.0.5", id="a given one"),
        pytest.param("0.0.0.0", "127.0.0.1", id="unspecified"),
        pytest.param("::", "127.0.0.1", id="unspecified in the other family"),
        pytest.param("", "127.0.0.1", id="none"),
    ],
)
def test_source_address(source_address: str, seen: str) -> None:
    with UdpPeer(acknowledge) as peer:
        assert ask(peer, timeout=5, source_address=source_address) == Ack()
        assert peer.received[0][1][0] == seen


@pytest.mark.parametrize(
    ("source_address", "error"),
    [
        pytest.param("::1", ValueError, id="another family"),
        pytest.param("192.0.2.1", OSError, id="not of this host"),
    ],
)
def test_a_source_address_that_cannot_be(source_address: str, error: type[Exception]) -> None:
    with UdpPeer(acknowledge) as peer, pytest.raises(error):
        ask(peer, source_address=source_address)


def test_more_requests_at_once_than_there_are_identifiers() -> None:
    """A NAS that answers nobody before it has heard everybody."""
    everybody = 280
    waiting: dict[Any, bytes] = {}

    def answer_all_at_the_end(peer: UdpPeer, datagram: bytes, sender: Any) -> None:
        waiting[sender] = datagram
        if len(waiting) == everybody:
            for each, request in waiting.items():
                answer = acknowledge(peer, request, each)
                assert answer is not None
                peer.socket.sendto(answer, each)

    with UdpPeer(answer_all_at_the_end) as peer, ThreadPoolExecutor(everybody) as pool:
        answers = list(pool.map(lambda _: ask(peer, timeout=2, tries=10), range(everybody)))
    assert answers == [Ack()] * everybody
