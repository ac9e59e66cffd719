"""The simulated NAS as a client of FreeRADIUS: dialling and accounting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any

import pytest

from lab.nas import Event, NoAnswer, Rejected, Session, SimulatedNas
from radius.dynauth import Ack
from tests.factories_nas import (
    MAC,
    NAS_SECRET,
    OWNER,
    USERS,
    MakeNas,
    accept_anything,
    is_a,
    kinds,
    online,
    records,
    tell_disconnect,
    where,
)
from tests.freeradius import FreeRadius
from tests.ticking import FakeClock
from tests.udp_peer import UdpPeer, from_the, silent

# Dialling


@pytest.mark.parametrize("method", ["pap", "chap", "mschapv2"])
@pytest.mark.parametrize(
    ("user", "password", "accepted"),
    [
        pytest.param("ana", "açaí com banana", True, id="right password"),
        pytest.param("ana", "segredo", False, id="wrong password"),
        pytest.param("nobody", "segredo", False, id="unknown user"),
    ],
)
def test_freeradius_judges_the_password(
    nas: SimulatedNas, method: Any, user: str, password: str, accepted: bool
) -> None:
    answer = nas.dial(user, password, method)
    assert isinstance(answer, Session if accepted else Rejected)
    assert bool(nas.sessions) is accepted


def test_a_mac_dials_with_an_empty_password_as_routeros_does(nas: SimulatedNas, access_server: FreeRadius) -> None:
    session = nas.dial(MAC, "", "mac")
    assert isinstance(session, Session)
    request = access_server.wait_for_log(f'Acct-Session-Id = "{session.acct_session_id}"').split(
        "Received Access-Request"
    )[-1]
    assert f'User-Name = "{MAC}"' in request
    assert 'User-Password = ""' in request
    assert 'Calling-Station-Id = "1:0:e1:7:9:2:fe"' in request
    assert "Framed-Protocol" not in request.partition("Sent Access-Accept")[0]


def test_a_session_is_what_the_accept_says(nas: SimulatedNas, clock: FakeClock) -> None:
    session = online(nas, "ana")
    assert session.framed_ip_address == IPv4Address("10.9.8.7")
    assert (session.download_bps, session.upload_bps) == (50_000_000, 10_000_000)
    assert (session.address_list, session.group, session.pool) == ("late", "home", "pool1")
    assert session.class_value == b"c1.7.x"
    assert session.interim_seconds == 300
    assert session.ends_at is not None
    assert (session.ends_at - clock()).total_seconds() == 3600
    assert nas.sessions == [session]


def test_a_generic_nas_reads_wispr(make_nas: MakeNas) -> None:
    session = online(make_nas(vendor="generic"), "eva")
    assert (session.download_bps, session.upload_bps) == (50_000_000, 10_000_000)


def test_addresses_come_from_the_pool_and_return_to_it(make_nas: MakeNas) -> None:
    nas = make_nas(pool="100.64.0.0/29")
    sessions = [online(nas) for _ in range(5)]
    assert [str(session.framed_ip_address) for session in sessions] == [f"100.64.0.{last}" for last in range(2, 7)]
    assert isinstance(nas.dial("bia", "segredo"), Rejected)
    nas.hang_up(sessions[2])
    assert online(nas).framed_ip_address == IPv4Address("100.64.0.4")


def test_a_rate_that_no_router_reads_is_no_session(nas: SimulatedNas) -> None:
    answer = nas.dial("dora", "segredo")
    assert isinstance(answer, Rejected)
    assert "fast" in answer.reason
    assert nas.sessions == []


def test_mschapv2_refuses_a_server_that_cannot_prove_itself(nas: SimulatedNas) -> None:
    """FreeRADIUS accepts this user by name, so it never shows that it knows the password."""
    assert nas.dial("caio", "segredo", "mschapv2") == Rejected("the server did not prove that it knows the password")
    assert isinstance(nas.dial("caio", "segredo", "pap"), Session)


def test_a_reply_without_message_authenticator_is_believed_only_when_asked_for(make_nas: MakeNas) -> None:
    with FreeRadius.access_server(NAS_SECRET.decode(), USERS, signed=False) as careless:
        assert make_nas(server=where(careless), timeout=0.2, tries=1).dial("bia", "segredo") == NoAnswer()
        credulous = make_nas(server=where(careless), requires_message_authenticator=False)
        assert isinstance(credulous.dial("bia", "segredo"), Session)


def test_no_server_no_answer(make_nas: MakeNas) -> None:
    with UdpPeer(silent) as peer:
        nas = make_nas(server=("127.0.0.1", peer.port, peer.port), timeout=0.1, tries=3)
        assert nas.dial("bia", "segredo") == NoAnswer()
        received = peer.wait_for(3)
    assert len({datagram for datagram, _ in received}) == 1, "a retransmission is the same packet"
    assert kinds(nas) == ["dial", "no_answer"]


def test_over_ipv6(clock: FakeClock) -> None:
    with FreeRadius.access_server(NAS_SECRET.decode(), USERS, address="::1") as freeradius:
        with SimulatedNas(where(freeradius), NAS_SECRET, "::1", clock=clock, redial_seconds=None) as nas:
            assert tell_disconnect(nas, online(nas), now=clock()) == Ack()
            nas.wait_for(is_a("stop"))
        assert "NAS-IPv6-Address = ::1" in freeradius.log


def test_a_method_that_does_not_exist(nas: SimulatedNas) -> None:
    method: Any = "eap"
    with pytest.raises(ValueError, match="pap, chap, mschapv2, mac"):
        nas.dial("bia", "segredo", method)


# Accounting


def test_accounting_from_start_to_stop(nas: SimulatedNas, access_server: FreeRadius, clock: FakeClock) -> None:
    session = online(nas, "ana")
    clock.advance(seconds=90)
    nas.carry(session, octets_down=5 * 2**32 + 7, octets_up=3)
    nas.interim()
    clock.advance(seconds=10)
    nas.hang_up(session)
    nas.hang_up(session)
    start, interim, stop = records(access_server, session)
    for record, lines in (
        (start, ("Acct-Status-Type = Start", "Framed-IP-Address = 10.9.8.7", "Class = 0x63312e372e78")),
        (interim, ("Acct-Status-Type = Interim-Update", "Acct-Session-Time = 90", "Acct-Input-Octets = 3")),
        (interim, ("Acct-Output-Octets = 7", "Acct-Output-Gigawords = 5", "Acct-Input-Gigawords = 0")),
        (stop, ("Acct-Status-Type = Stop", "Acct-Session-Time = 100", "Acct-Terminate-Cause = User-Request")),
        (stop, ('User-Name = "ana"', "NAS-IP-Address = 127.0.0.1", 'NAS-Identifier = "lab-nas"', "Class = 0x6331")),
    ):
        for line in lines:
            assert line in record
    assert "Acct-Session-Time" not in start
    assert not session.live


@pytest.mark.parametrize(
    ("say", "status"),
    [
        pytest.param(SimulatedNas.accounting_on, "Accounting-On", id="on"),
        pytest.param(SimulatedNas.accounting_off, "Accounting-Off", id="off"),
    ],
)
def test_accounting_on_and_off_end_all_sessions_without_a_stop(
    make_nas: MakeNas, access_server: FreeRadius, say: Callable[[SimulatedNas], None], status: str
) -> None:
    nas = make_nas(nas_identifier=f"says {status}")
    session = online(nas)
    say(nas)
    assert nas.sessions == []
    assert not session.live
    assert f"Acct-Status-Type = {status}" in access_server.wait_for_log(f'"says {status}"').split("Received ")[-1]
    assert len(records(access_server, session)) == 1


def test_accounting_is_repeated_until_acknowledged(make_nas: MakeNas) -> None:
    with UdpPeer(accept_anything) as access, UdpPeer(from_the(3, accept_anything)) as accounting:
        nas = make_nas(server=("127.0.0.1", access.port, accounting.port), timeout=0.1, tries=100)
        online(nas)
        received = accounting.received
    assert len(received) >= 3
    assert len({datagram for datagram, _ in received}) == 1
    assert OWNER.request_holds(received[0][0])
    assert kinds(nas)[-1] == "start"


def test_accounting_that_nobody_acknowledges_is_told(make_nas: MakeNas) -> None:
    with UdpPeer(accept_anything) as access, UdpPeer(silent) as accounting:
        nas = make_nas(server=("127.0.0.1", access.port, accounting.port), timeout=0.05, tries=2)
        online(nas)
    assert kinds(nas)[-1] == "accounting_unanswered"


@pytest.mark.parametrize(
    ("settings", "user", "seconds"),
    [
        pytest.param({}, "ana", 300, id="as the Accept says"),
        pytest.param({"interim_seconds": 60}, "ana", 60, id="the NAS's own"),
    ],
)
def test_interims_follow_the_clock(
    make_nas: MakeNas, clock: FakeClock, settings: dict[str, Any], user: str, seconds: int
) -> None:
    nas = make_nas(**settings)
    session = online(nas, user)
    clock.advance(seconds=seconds)
    assert nas.wait_for(is_a("interim")).detail["session"] == session.acct_session_id


def test_a_session_ends_at_its_timeout_and_the_subscriber_dials_again(
    make_nas: MakeNas, access_server: FreeRadius, clock: FakeClock
) -> None:
    nas = make_nas(redial_seconds=0)
    session = online(nas, "ana")
    clock.advance(seconds=3600)
    nas.wait_for(is_a("stop"))
    nas.wait_for(lambda event: event.kind == "start" and event.detail["session"] != session.acct_session_id)
    assert "Acct-Terminate-Cause = Session-Timeout" in records(access_server, session)[-1]


# What happened


def test_waiting_in_vain_says_what_came_instead(nas: SimulatedNas) -> None:
    online(nas)
    with pytest.raises(TimeoutError, match="bia is online"):
        nas.wait_for(is_a("disconnect"), timeout=0.05)
    with pytest.raises(TimeoutError, match="nothing"):
        nas.wait_for(is_a("start"), timeout=0.05, since=nas.event_count)


def test_every_event_is_told_to_the_listener_too(make_nas: MakeNas) -> None:
    heard: list[Event] = []
    nas = make_nas(on_event=heard.append)
    nas.hang_up(online(nas))
    assert heard == nas.events
    assert [event.number for event in heard] == [1, 2, 3, 4]


def test_a_listener_that_fails_does_not_stop_the_nas(make_nas: MakeNas, clock: FakeClock) -> None:
    def fail(_event: Event) -> None:
        raise RuntimeError("a listener's own mistake")

    nas = make_nas(on_event=fail)
    assert tell_disconnect(nas, online(nas), now=clock()) == Ack()
    nas.wait_for(is_a("stop"))


def test_passwords_do_not_show(nas: SimulatedNas) -> None:
    online(nas)
    assert "segredo" not in repr(nas.sessions) + repr(nas.events) + repr(vars(nas))


# Its end


def test_leaving_ends_every_thread_even_while_nobody_answers(clock: FakeClock) -> None:
    """The Stop after the Disconnect would be repeated for an hour."""
    running = set(threading.enumerate())
    with UdpPeer(accept_anything) as access, UdpPeer(only_the_first) as accounting:
        with SimulatedNas(
            ("127.0.0.1", access.port, accounting.port), NAS_SECRET, clock=clock, timeout=60, tries=60
        ) as nas:
            assert tell_disconnect(nas, online(nas), now=clock()) == Ack()
            accounting.wait_for(2)
        assert [each for each in threading.enumerate() if each.name.startswith("simulated-nas")] == []
    assert set(threading.enumerate()) <= running


def only_the_first(peer: UdpPeer, datagram: bytes, sender: Any) -> bytes | None:
    return accept_anything(peer, datagram, sender) if len(peer.received) == 1 else None
