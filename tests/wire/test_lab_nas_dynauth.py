"""How the simulated NAS takes CoA and Disconnect: from radclient, from our own client, and with its faults."""

from __future__ import annotations

import socket
import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest

from lab.nas import SimulatedNas
from radius import attributes as a
from radius.authenticators import ZEROES
from radius.codec import Attribute, encode, encode_attributes, integer, parse, vendor_attribute
from radius.dynauth import Ack, Nak, TimedOut
from radius.dynauth_packets import disconnect_request, nak_with, read_reply, sign
from tests.factories_nas import (
    NAS_SECRET,
    OWNER,
    MakeNas,
    accept_anything,
    identity,
    is_a,
    kinds,
    online,
    rate,
    records,
    reject_anything,
    tell_coa,
    tell_disconnect,
)
from tests.freeradius import FreeRadius, need_freeradius
from tests.ticking import FakeClock
from tests.udp_peer import UdpPeer

# CoA and Disconnect from radclient


def radclient(nas: SimulatedNas, command: str, *attributes: str, secret: bytes = NAS_SECRET) -> str:
    need_freeradius()
    where = "{}:{}".format(*nas.coa_address)
    done = subprocess.run(
        ["radclient", "-x", "-r", "1", "-t", "1", where, command, secret.decode()],
        input="\n".join(attributes),
        capture_output=True,
        text=True,
        timeout=20,
    )
    return done.stdout + done.stderr


def test_radclient_changes_a_session(nas: SimulatedNas, access_server: FreeRadius) -> None:
    session = online(nas)
    before = nas.event_count
    output = radclient(
        nas, "coa", 'User-Name = "bia"', 'Mikrotik-Rate-Limit = "512k/1M"', 'Class = "new"', "Session-Timeout = 600"
    )
    assert "Received CoA-ACK" in output
    assert (session.rate_limit, session.download_bps, session.upload_bps) == ("512k/1M", 1_000_000, 512_000)
    assert session.ends_at is not None
    nas.wait_for(is_a("interim"), since=before)
    assert "Class = 0x6e6577" in records(access_server, session)[-1]


def test_radclient_disconnects_a_session_and_the_subscriber_dials_again(
    make_nas: MakeNas, access_server: FreeRadius
) -> None:
    nas = make_nas(redial_seconds=0.05)
    session = online(nas)
    before = nas.event_count
    output = radclient(nas, "disconnect", f'Acct-Session-Id = "{session.acct_session_id}"')
    assert "Received Disconnect-ACK" in output
    assert not session.live
    again = nas.wait_for(is_a("start"), since=before)
    (new,) = nas.sessions
    assert again.detail["session"] == new.acct_session_id != session.acct_session_id
    assert [event.kind for event in nas.events[before:]] == ["disconnect", "stop", "dial", "accept", "start"]
    assert "Acct-Terminate-Cause = Admin-Reset" in records(access_server, session)[-1]


@pytest.mark.parametrize("command", ["coa", "disconnect"])
def test_radclient_is_told_that_a_session_is_unknown(nas: SimulatedNas, command: str) -> None:
    online(nas)
    output = radclient(nas, command, 'User-Name = "nobody"')
    assert "-NAK" in output
    assert "Error-Cause = Session-Context-Not-Found" in output


@pytest.mark.parametrize("command", ["coa", "disconnect"])
def test_radclient_with_another_secret_hears_nothing(nas: SimulatedNas, command: str) -> None:
    session = online(nas)
    output = radclient(nas, command, 'User-Name = "bia"', secret=b"another")
    assert "No reply" in output
    assert nas.wait_for(is_a("ignored")).detail["reason"] == "not authentic"
    assert session.live


# CoA and Disconnect from our own client


@pytest.mark.parametrize(("echoes", "expected"), [(True, b"new"), (False, b"c1.7.x")], ids=["echoes", "does not echo"])
def test_a_class_in_a_coa(make_nas: MakeNas, echoes: bool, expected: bytes, clock: FakeClock) -> None:
    nas = make_nas(echoes_class=echoes)
    session = online(nas, "ana")
    assert tell_coa(nas, session, rate("1M/1M"), (a.CLASS, b"new"), now=clock()) == Ack()
    assert session.class_value == expected
    assert session.download_bps == 1_000_000


def test_an_address_list_in_a_coa_is_acknowledged_and_ignored(nas: SimulatedNas, clock: FakeClock) -> None:
    session = online(nas, "ana")
    listed = vendor_attribute(a.VENDOR_MIKROTIK, a.MIKROTIK_ADDRESS_LIST, b"suspended")
    assert tell_coa(nas, session, listed, now=clock()) == Ack()
    assert session.address_list == "late"
    assert kinds(nas)[-1] == "coa_without_effect"


REFUSALS: list[Any] = [
    pytest.param(43, [(a.USER_NAME, b"bia")], 508, id="two sessions are meant"),
    pytest.param(43, [(a.USER_NAME, b"ana"), (a.NAS_IP_ADDRESS, bytes(4))], 403, id="another NAS's address"),
    pytest.param(40, [(a.USER_NAME, b"ana"), (a.NAS_IDENTIFIER, b"other")], 403, id="another NAS's name"),
    pytest.param(40, [(a.USER_NAME, b"ana"), (a.FILTER_ID, b"late")], 401, id="a Disconnect that wants more"),
    pytest.param(40, [], 402, id="no session is named"),
    pytest.param(40, [(a.USER_NAME, b"ana"), (a.ACCT_SESSION_ID, b"0")], 503, id="only some attributes match"),
    pytest.param(40, [(a.FRAMED_IP_ADDRESS, bytes(4))], 503, id="nobody's address"),
    pytest.param(43, [(a.USER_NAME, b"ana"), rate("fast")], 407, id="a rate that it cannot read"),
]


@pytest.mark.parametrize(("code", "attributes", "cause"), REFUSALS)
def test_what_the_nas_refuses(nas: SimulatedNas, code: int, attributes: list[Attribute], cause: int) -> None:
    sessions = [online(nas), online(nas), online(nas, "ana")]
    unsigned = encode_attributes([(a.MESSAGE_AUTHENTICATOR, ZEROES), *attributes, (a.PROXY_STATE, b"hop")])
    request = sign(OWNER, encode(code, 9, ZEROES, unsigned))
    answer = send(nas, request)
    assert read_reply(OWNER, request, answer) == nak(cause)
    assert parse(answer).every(a.PROXY_STATE) == [b"hop"]
    assert nas.sessions == sessions
    assert sessions[2].rate_limit == "10M/50M"


def nak(cause: int) -> Nak:
    return nak_with(integer(cause))


def send(nas: SimulatedNas, request: bytes, line: socket.socket | None = None) -> bytes:
    if line is None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            return send(nas, request, line)
    line.settimeout(5)
    line.sendto(request, nas.coa_address)
    return line.recv(4096)


def test_a_retransmission_gets_the_same_octets_and_is_done_once(nas: SimulatedNas, clock: FakeClock) -> None:
    session = online(nas)
    request = disconnect_request(OWNER, 3, identity(session), clock())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        first, second = send(nas, request, line), send(nas, request, line)
    assert first == second
    assert read_reply(OWNER, request, first) == Ack()
    nas.wait_for(is_a("repeated"))
    nas.wait_for(is_a("stop"))
    assert kinds(nas).count("disconnect") == kinds(nas).count("stop") == 1
    assert read_reply(OWNER, request, send(nas, request)) == nak(503), "from another port it is a new request"


@pytest.mark.parametrize(
    ("seconds", "heard"),
    [(-301, False), (-299, True), (299, True), (301, False)],
    ids=["too old", "old", "early", "too early"],
)
def test_event_timestamp_guards_against_replay(nas: SimulatedNas, clock: FakeClock, seconds: int, heard: bool) -> None:
    session = online(nas)
    sent_at = datetime.fromtimestamp(clock().timestamp() + seconds, UTC)
    answer = tell_coa(nas, session, rate("1M/1M"), now=sent_at, timeout=5 if heard else 0.1)
    assert answer == (Ack() if heard else TimedOut(3))
    assert (session.download_bps == 1_000_000) is heard


# Faults


def test_mute(nas: SimulatedNas, clock: FakeClock) -> None:
    session = online(nas)
    nas.faults.mute = True
    assert tell_disconnect(nas, session, now=clock(), timeout=0.1, tries=2) == TimedOut(2)
    assert session.live
    nas.faults.mute = False
    assert tell_disconnect(nas, session, now=clock()) == Ack()


def test_nak_with_a_cause(nas: SimulatedNas, clock: FakeClock) -> None:
    session = online(nas)
    nas.faults.nak = 501
    assert tell_disconnect(nas, session, now=clock()) == Nak(501, "Administratively-Prohibited")
    assert tell_coa(nas, session, rate("1M/1M"), now=clock()) == Nak(501, "Administratively-Prohibited")
    assert session.live
    assert session.rate_limit == ""


def test_an_ack_that_means_nothing(nas: SimulatedNas, clock: FakeClock) -> None:
    session = online(nas, "ana")
    nas.faults.ack_but_ignore = True
    assert tell_coa(nas, session, rate("1M/1M"), (a.CLASS, b"new"), now=clock()) == Ack()
    assert (session.rate_limit, session.class_value) == ("10M/50M", b"c1.7.x")
    assert tell_disconnect(nas, session, now=clock()) == Ack()
    assert not session.live


def test_a_lost_reply_is_repeated_and_the_request_obeyed_once(nas: SimulatedNas, clock: FakeClock) -> None:
    session = online(nas)
    nas.faults.lose_replies = 1
    assert tell_disconnect(nas, session, now=clock(), timeout=0.2, tries=25) == Ack()
    assert kinds(nas).count("disconnect") == 1
    assert {"reply_lost", "repeated"} <= set(kinds(nas))


def test_a_lost_stop(make_nas: MakeNas, access_server: FreeRadius, clock: FakeClock) -> None:
    nas = make_nas(redial_seconds=0)
    nas.faults.lose_stop = True
    session = online(nas)
    before = nas.event_count
    assert tell_disconnect(nas, session, now=clock()) == Ack()
    nas.wait_for(is_a("start"), since=before)
    assert "stop" not in kinds(nas)
    assert "stop_lost" in kinds(nas)
    assert len(records(access_server, session)) == 1


@pytest.mark.parametrize("times", [1, 3])
def test_dialling_again_is_tried_so_many_times(make_nas: MakeNas, clock: FakeClock, times: int) -> None:
    answers = [accept_anything, *[reject_anything] * times, accept_anything]

    def as_listed(peer: UdpPeer, datagram: bytes, sender: Any) -> bytes | None:
        return answers[len(peer.received) - 1](peer, datagram, sender)

    with UdpPeer(as_listed) as access, UdpPeer(accept_anything) as accounting:
        server = ("127.0.0.1", access.port, accounting.port)
        nas = make_nas(server=server, redial_seconds=0, redial_tries=times, timeout=5)
        assert tell_disconnect(nas, online(nas), now=clock()) == Ack()
        nas.wait_for(lambda _: kinds(nas).count("reject") == times)
        nas.redial_seconds = None
        assert tell_disconnect(nas, online(nas), now=clock()) == Ack()
        nas.wait_for(lambda _: kinds(nas).count("stop") == 2)  # chores keep their order: no redial came before it
    assert kinds(nas).count("dial") == times + 2
