"""UDP endpoints over real sockets: many datagrams at a time and, where that cannot be, one by one."""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from radius import endpoint as module
from radius.datagrams import SLOT_BYTES, SLOTS, Receiver, Sender, available
from radius.endpoint import Arrived, Endpoint, ManyEndpoint, OneByOneEndpoint, open_endpoint, open_endpoints
from radius.nas_table import read_address

TIMEOUT = 10.0


@pytest.fixture(params=["many", "one by one"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test holds for both ways."""
    if request.param == "one by one":
        monkeypatch.setattr(module, "available", lambda: False)
    else:
        assert available(), "recvmmsg(2) is there wherever these tests run"
    return str(request.param)


@contextmanager
def opened(address: str = "127.0.0.1", port: int = 0) -> Iterator[Endpoint]:
    with closing(open_endpoint(address, port)) as endpoint:
        yield endpoint


@contextmanager
def client(endpoint: Endpoint, address: str = "127.0.0.1", *, connected: bool = True) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(TIMEOUT)
        if connected:
            one.connect((address, endpoint.name()[1]))
        yield one


def taken(endpoint: Endpoint, count: int) -> list[Arrived]:
    """This many datagrams, in as many calls as it takes."""
    found: list[Arrived] = []
    while len(found) < count:
        assert select.select([endpoint], [], [], TIMEOUT)[0], f"only {len(found)} came"
        found += endpoint.receive()
    return found


def test_the_way_is_the_one_that_is_tested(way: str) -> None:
    with opened() as endpoint:
        assert type(endpoint) is (ManyEndpoint if way == "many" else OneByOneEndpoint)


@pytest.mark.parametrize(
    ("bound", "asked"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("0.0.0.0", "127.0.0.1"),
        ("0.0.0.0", "127.1.2.3"),
        ("::", "::1"),
        ("::", "127.1.2.3"),
    ],
)
def test_a_reply_goes_back_from_the_address_that_was_asked(bound: str, asked: str) -> None:
    with opened(bound) as endpoint, client(endpoint, asked) as one:  # connected: it hears nobody else
        one.send(b"question")
        [(datagram, source)] = taken(endpoint, 1)
        assert datagram == b"question"
        assert str(read_address(source[0])) == one.getsockname()[0]
        assert source[1] == one.getsockname()[1]
        assert endpoint.send([(b"answer", source)]) == []
        assert one.recv(100) == b"answer"


def test_nothing_has_come() -> None:
    with opened() as endpoint:
        assert endpoint.receive() == []


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "0.0.0.0"])
@pytest.mark.parametrize("count", [1, SLOTS - 1, SLOTS, SLOTS + 1, 3 * SLOTS + 7])
def test_a_burst_is_taken_in_order_and_answered_whole(address: str, count: int) -> None:
    sent = [b"%d " % number * (number % 200) for number in range(count)]  # an empty one first
    with opened(address) as endpoint, client(endpoint, "127.0.0.1" if address == "0.0.0.0" else address) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        for each in sent:
            one.send(each)
        arrived = taken(endpoint, count)
        assert [datagram for datagram, _ in arrived] == sent
        assert len({source for _, source in arrived}) == 1, "one sender is one source"
        assert endpoint.send([(datagram[::-1], source) for datagram, source in arrived]) == []
        assert [one.recv(4096) for _ in sent] == [each[::-1] for each in sent]
        assert endpoint.receive() == []


def test_each_hears_its_own_answer() -> None:
    with ExitStack() as stack:
        endpoint = stack.enter_context(opened("0.0.0.0"))
        clients = [stack.enter_context(client(endpoint, f"127.0.0.{1 + number % 3}")) for number in range(40)]
        for number, one in enumerate(clients):
            one.send(b"%d" % number)
        replies = [(b"for " + datagram, source) for datagram, source in taken(endpoint, 40)]
        assert len({source for _, source in replies}) == 40
        assert endpoint.send(replies[::-1]) == []
        assert [one.recv(100) for one in clients] == [b"for %d" % number for number in range(40)]


@pytest.mark.parametrize("size", [0, 1, SLOT_BYTES - 1, SLOT_BYTES])
def test_up_to_4096_octets_there_and_back(size: int) -> None:
    with opened() as endpoint, client(endpoint) as one:
        one.send(bytes(size))
        [(datagram, source)] = taken(endpoint, 1)
        assert datagram == bytes(size)
        assert endpoint.send([(datagram, source)]) == []
        assert one.recv(5000) == datagram


def test_what_is_beyond_4096_octets_is_dropped_and_harms_nobody() -> None:
    with opened() as endpoint, client(endpoint) as one:
        for each in (b"a" * 9_000, b"b", b"c" * 60_000, b"d" * 4096):
            one.send(each)
        assert [datagram for datagram, _ in taken(endpoint, 4)] == [b"a" * 4096, b"b", b"c" * 4096, b"d" * 4096]


def test_a_shorter_datagram_does_not_show_what_was_in_its_place_before() -> None:
    with opened() as endpoint, client(endpoint) as one:
        for each in (b"x" * 1000, b"y", b""):
            one.send(each)
            assert [datagram for datagram, _ in taken(endpoint, 1)] == [each]


def test_peers_that_are_gone_disturb_nobody() -> None:
    with opened() as endpoint, client(endpoint) as stays:
        with client(endpoint) as goes:
            goes.send(b"bye")
            stays.send(b"hello")
            sources = dict(taken(endpoint, 2))
        for _ in range(3):  # the first one brings an ICMP error upon the socket
            assert endpoint.send([(b"lost", sources[b"bye"])] * 3 + [(b"heard", sources[b"hello"])]) == []
            assert stays.recv(100) == b"heard"
            assert endpoint.receive() == []


def test_a_reply_that_cannot_be_sent_is_told_and_the_others_go() -> None:
    with opened() as endpoint, client(endpoint) as one, client(endpoint, connected=False) as broadcast:
        one.send(b"question")
        [(_, source)] = taken(endpoint, 1)
        broadcast.bind(("127.0.0.1", 0))
        broadcast.sendto(b"question", ("127.0.0.1", endpoint.name()[1]))
        [(_, other)] = taken(endpoint, 1)
        refused = towards_broadcast(other)
        failures = endpoint.send([(b"1", source), (b"2", refused), (b"3", refused), (b"4", source), (b"5", refused)])
        assert [error.errno for error in failures] == [errno.EACCES] * 3
        assert [one.recv(100), one.recv(100)] == [b"1", b"4"]


def towards_broadcast(source: tuple[object, ...]) -> tuple[object, ...]:
    """A source that the kernel does not let us answer without SO_BROADCAST."""
    address, port, way, descriptor = source
    if isinstance(way, bytes):
        return address, port, way[:4] + b"\xff" * 4 + way[8:], descriptor
    return address, port, (("255.255.255.255", port), ()), descriptor


def test_a_full_send_buffer_is_told_and_not_waited_for() -> None:
    with opened() as endpoint, client(endpoint) as one:
        endpoint._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        one.send(b"question")
        [(_, source)] = taken(endpoint, 1)
        count = 3 * SLOTS
        failures = endpoint.send([(bytes(4096), source)] * count)
        one.settimeout(0.2)
        heard = 0
        try:
            while True:
                heard += len(one.recv(5000)) == 4096
        except TimeoutError:
            pass
        assert heard + len(failures) == count
        assert all(isinstance(error, BlockingIOError) for error in failures)


def test_sources_that_are_forgotten_are_met_again_as_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SOURCES", 2)
    with ExitStack() as stack:
        endpoint = stack.enter_context(opened())
        clients = [stack.enter_context(client(endpoint)) for _ in range(5)]
        rounds = []
        for _ in range(2):
            for number, one in enumerate(clients):
                one.send(b"%d" % number)
            rounds.append(dict(taken(endpoint, 5)))
        assert rounds[0] == rounds[1]


def test_when_the_first_one_came(way: str) -> None:
    with opened() as endpoint, client(endpoint) as one:
        before = time.time()
        one.send(b"first")
        arrived = taken(endpoint, 1)
        after = time.time()
        assert len(arrived) == 1
        if way == "many":
            assert before - 0.001 <= endpoint.arrived_at() <= after + 0.001  # the kernel may round, and stamp late
        else:
            assert endpoint.arrived_at() == 0.0


@pytest.mark.parametrize(("bound", "asked"), [("0.0.0.0", "127.1.2.3"), ("127.0.0.1", "127.0.0.1")])
def test_what_the_kernel_left_out_once_has_its_room_again(way: str, bound: str, asked: str) -> None:
    with opened(bound) as endpoint, client(endpoint, asked) as one:
        for stamped in (1, 0, 1) if way == "many" else ():
            endpoint._socket.setsockopt(socket.SOL_SOCKET, 35, stamped)  # SO_TIMESTAMPNS
            one.send(b"question")
            [(_, source)] = taken(endpoint, 1)
            assert bool(endpoint.arrived_at()) is bool(stamped)
            if stamped:
                assert endpoint.send([(b"answer", source)]) == []
                assert one.recv(100) == b"answer"


def test_several_addresses_have_one_port_and_ipv6_leaves_ipv4_to_its_own() -> None:
    with ExitStack() as stack:
        four, six = (stack.enter_context(closing(each)) for each in open_endpoints("0.0.0.0, ::", 0))
        assert four.name()[1] == six.name()[1]
        for endpoint, address in ((four, "127.0.0.1"), (six, "::1")):
            one = stack.enter_context(client(endpoint, address))
            one.send(b"question")
            [(_, source)] = taken(endpoint, 1)
            assert source[0] == address
            assert endpoint.send([(b"answer", source)]) == []
            assert one.recv(100) == b"answer"
        assert four.receive() == six.receive() == []


def test_when_one_address_cannot_be_had_none_is_kept() -> None:
    with pytest.raises(OSError, match="assign"):
        open_endpoints("127.0.0.1,192.0.2.1", 0)


@pytest.mark.parametrize("addresses", ["", "localhost", "127.0.0.1,", "127.0.0.1;::1"])
def test_what_is_no_list_of_addresses(addresses: str) -> None:
    with pytest.raises(ValueError, match="IPv4 or IPv6"):
        open_endpoints(addresses, 0)


@pytest.mark.parametrize("count", [0, SLOTS + 1])
def test_no_more_datagrams_than_there_are_slots(count: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound, pytest.raises(ValueError, match="datagrams"):
        Sender(bound, 0, 16).send([b""] * count, [bytes(16)] * count)


def test_no_datagram_is_longer_than_its_slot() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound, pytest.raises(ValueError, match="4097"):
        Sender(bound, 0, 16).send([bytes(SLOT_BYTES + 1)], [bytes(16)])


def test_an_error_of_the_socket_is_an_error() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        receiver = Receiver(bound, 0, 16)
    with pytest.raises(OSError, match="Bad file"):
        receiver.receive()
