"""CoA and Disconnect over TLS, against NAS that behave and NAS that do not."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

import pytest

from core.settings import Settings
from radius import dynauth_tls
from radius.attributes import CLASS, COA_REQUEST, DISCONNECT_REQUEST
from radius.authenticators import Authenticators
from radius.codec import encode_attributes
from radius.dynauth import Ack, DynauthResult, Nak, Target, TimedOut
from radius.dynauth_packets import read_request, reply_to
from radius.dynauth_send import ask
from radius.nas_table import RADSEC_SECRET
from radius.radsec_tls import TlsUnusable
from radius.vendors import VENDORS, SessionIdentity
from tests.factories_tls import Authority
from tests.wire.radsec_server import NAME
from tests.wire.tls_peer import Script, TlsPeer

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
OWNER = Authenticators(RADSEC_SECRET)
CHANGES = encode_attributes([(CLASS, b"c1.7.x")])
ANA = VENDORS["mikrotik"].identification(
    SessionIdentity(b"ana", b"81000001", IPv4Address("100.64.0.9"), IPv4Address("10.0.0.1"))
)


@pytest.fixture(autouse=True)
def _no_lines_left() -> Iterator[None]:
    yield
    dynauth_tls.close_lines()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "tls")


@pytest.fixture
def settings(authority: Authority, tmp_path: Path) -> Settings:
    own = authority.issue("radius.provedor.example")
    return Settings(
        data_dir=tmp_path,
        radsec_certificate=own.certificate,
        radsec_private_key=own.private_key,
        radsec_ca=authority.ca,
        coa_timeout_seconds=1,
        coa_tries=5,
    )


def answer(request: bytes, cause: int | None = None) -> bytes:
    read = read_request(OWNER, request)
    assert read is not None
    return reply_to(OWNER, read, cause)


def acknowledge(_peer: TlsPeer, request: bytes) -> bytes:
    return answer(request)


def refuse(_peer: TlsPeer, request: bytes) -> bytes:
    return answer(request, 503)


def peer(authority: Authority, script: Script = acknowledge, name: str = NAME) -> TlsPeer:
    return TlsPeer(authority.files(authority.issue(name, dns=[name])), script)


def target(port: int, name: str = NAME) -> Target:
    return Target(ip_address("127.0.0.1"), port, b"the secret of UDP", "radsec", name)


def tell(settings: Settings, port: int, changes: bytes | None = CHANGES, **more: Any) -> DynauthResult:
    return ask(settings, target(port, **more), ANA, changes, NOW)


def hurried(settings: Settings, seconds: float = 0.3) -> Settings:
    return settings.model_copy(update={"coa_timeout_seconds": seconds, "coa_tries": 1})


@pytest.mark.parametrize(
    ("changes", "code"),
    [pytest.param(CHANGES, COA_REQUEST, id="CoA"), pytest.param(None, DISCONNECT_REQUEST, id="Disconnect")],
)
@pytest.mark.parametrize(
    ("script", "result"),
    [
        pytest.param(acknowledge, Ack(), id="ACK"),
        pytest.param(refuse, Nak(503, "Session-Context-Not-Found"), id="NAK"),
    ],
)
def test_the_three_answers(
    settings: Settings, authority: Authority, changes: bytes | None, code: int, script: Script, result: DynauthResult
) -> None:
    with peer(authority, script) as nas:
        assert tell(settings, nas.port, changes) == result
        [request] = nas.received
    assert request[0] == code
    assert read_request(OWNER, request) is not None, "signed with the secret that everybody has over TLS"


def test_silence_is_a_timeout_after_one_transmission(settings: Settings, authority: Authority) -> None:
    with peer(authority, lambda _peer, _request: None) as nas:
        assert tell(hurried(settings), nas.port) == TimedOut(1)
        assert len(nas.received) == 1


def test_a_closed_port_leaves_its_hint(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    result = tell(settings, port)
    assert isinstance(result, TimedOut)
    assert result.refused


def test_a_port_that_says_nothing_is_not_waited_for_beyond_the_time(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        result = tell(hurried(settings), silent.getsockname()[1])
    assert result == TimedOut(1)


def somebody_else(authority: Authority, _other: Authority) -> TlsPeer:
    return peer(authority, name="bras-2.example")


def of_another_authority(authority: Authority, other: Authority) -> TlsPeer:
    return TlsPeer(replace(other.files(other.issue(NAME, dns=[NAME])), ca=authority.ca), acknowledge)


def expired(authority: Authority, _other: Authority) -> TlsPeer:
    return TlsPeer(authority.files(authority.issue(NAME, dns=[NAME], days=-1)), acknowledge)


def without_trust_in_us(authority: Authority, other: Authority) -> TlsPeer:
    return TlsPeer(replace(authority.files(authority.issue(NAME, dns=[NAME])), ca=other.ca), acknowledge)


WRONG = [
    pytest.param(somebody_else, f"bras-2.example and not {NAME}", id="somebody else's certificate"),
    pytest.param(of_another_authority, "refused", id="another CA"),
    pytest.param(expired, "expired", id="expired"),
    pytest.param(without_trust_in_us, "", id="does not trust us"),
]


@pytest.mark.parametrize(("make", "said"), WRONG)
def test_a_nas_that_cannot_show_who_it_is_is_told_nothing(
    settings: Settings, authority: Authority, tmp_path: Path, make: Callable[..., TlsPeer], said: str
) -> None:
    with make(authority, Authority(tmp_path / "other", "Another CA")) as nas:
        result = tell(settings, nas.port)
        assert nas.received == []
    assert isinstance(result, TimedOut)
    assert said in result.detail


def test_without_an_identity_nobody_is_right(settings: Settings, authority: Authority) -> None:
    with peer(authority) as nas:
        assert isinstance(tell(settings, nas.port, name=""), TimedOut)
        assert nas.received == []


def by_one_octet(_peer: TlsPeer, request: bytes) -> bytes:
    """An answer to another request first, and then the right one."""
    other = request[:1] + bytes(((request[1] + 1) % 256,)) + request[2:]
    return OWNER.response(44, other[1], other[4:20], b"") + answer(request)


def with_another_secret(_peer: TlsPeer, request: bytes) -> bytes:
    return Authenticators(b"another").response(44, request[1], request[4:20], b"") + answer(request)


@pytest.mark.parametrize("script", [by_one_octet, with_another_secret])
def test_a_false_answer_is_passed_over(settings: Settings, authority: Authority, script: Script) -> None:
    with peer(authority, script) as nas:
        assert tell(settings, nas.port) == Ack()


def test_what_is_no_packet_ends_the_exchange(settings: Settings, authority: Authority) -> None:
    with peer(authority, lambda _peer, _request: b"HTTP/1.1 400 Bad Request\r\n\r\n") as nas:
        assert tell(settings, nas.port) == TimedOut(1)


def test_one_connection_serves_many_requests(settings: Settings, authority: Authority) -> None:
    with peer(authority) as nas:
        for _ in range(20):
            assert tell(settings, nas.port) == Ack()
        assert (nas.connections, len(nas.received)) == (1, 20)


def test_requests_at_once_do_not_share_a_connection(settings: Settings, authority: Authority) -> None:
    with peer(authority) as nas, ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: tell(settings, nas.port), range(64)))
        assert results == [Ack()] * 64
        assert 1 <= nas.connections <= 8


def test_a_kept_connection_that_the_nas_has_closed_is_replaced(settings: Settings, authority: Authority) -> None:
    with peer(authority) as nas:
        assert tell(settings, nas.port) == Ack()
        nas.hang_up()
        assert tell(settings, nas.port) == Ack()
        assert nas.connections == 2


def test_a_nas_that_hangs_up_on_every_request_is_not_asked_for_ever(settings: Settings, authority: Authority) -> None:
    with peer(authority, lambda _peer, _request: b"") as nas:
        assert tell(settings, nas.port) == TimedOut(1)
        assert len(nas.received) == 1


def test_a_late_answer_is_nobodys(settings: Settings, authority: Authority) -> None:
    """The connection of a request that timed out is not used again."""

    def late(peer: TlsPeer, request: bytes) -> bytes:
        if len(peer.received) == 1:
            time.sleep(0.6)
        return answer(request)

    with peer(authority, late) as nas:
        assert tell(hurried(settings), nas.port) == TimedOut(1)
        assert tell(settings, nas.port) == Ack()
        assert nas.connections == 2


def test_connections_are_kept_for_a_while_only(
    settings: Settings, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynauth_tls, "_KEPT_SECONDS", 0.0)
    with peer(authority) as nas:
        for _ in range(3):
            assert tell(settings, nas.port) == Ack()
        assert nas.connections == 3


def test_a_renewed_certificate_is_shown_by_the_next_request(settings: Settings, authority: Authority) -> None:
    with peer(authority) as nas:
        assert tell(settings, nas.port) == Ack()
        assert settings.radsec_ca is not None
        settings.radsec_ca.write_bytes(authority.pem + Authority(authority.directory / "other").pem)
        assert tell(settings, nas.port) == Ack()
        assert nas.connections == 2


def test_without_certificates_nothing_can_be_sent(tmp_path: Path) -> None:
    with pytest.raises(TlsUnusable, match="radsec_certificate"):
        tell(Settings(data_dir=tmp_path), 2083)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        pytest.param("::1", ValueError, id="another family"),
        pytest.param("192.0.2.1", OSError, id="not of this host"),
    ],
)
def test_a_source_address_that_cannot_be(
    settings: Settings, authority: Authority, source: str, error: type[Exception]
) -> None:
    with peer(authority) as nas, pytest.raises(error):
        tell(settings.model_copy(update={"coa_source_address": source}), nas.port)


def test_a_given_source_address(settings: Settings, authority: Authority) -> None:
    with peer(authority) as nas:
        assert tell(settings.model_copy(update={"coa_source_address": "127.0.0.5"}), nas.port) == Ack()
