"""FreeRADIUS's radclient dials in from different lines, through a real worker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from radius.line import Line
from radius.records import Limits
from radius.throttle import BURST
from tests.factories_auth import SECRET, nas, record
from tests.factories_calls import connected, heard
from tests.radclient import ACCEPT, REJECT, Answer, Radclient
from tests.wire.auth_server import Server, running

AT_HOME, ELSEWHERE = "02:00:5E:10:00:0A", "02:00:5E:10:00:0B"
BOUND = Limits(mac=bytes.fromhex("02005e10000a"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    people = record(), record(8, "bia", limits=BOUND), record(9, "two", limits=Limits(sessions=2))
    with running(tmp_path, nas(1, "127.0.0.1", name="pop-1"), *people, reject_delay_seconds=0.0) as made:
        yield made


@pytest.fixture
def radclient(server: Server) -> Radclient:
    return Radclient(server.port, 0, SECRET.decode())


def dial(radclient: Radclient, caller: str, login: str = "ana", password: str = "segredo") -> Answer:
    told = {"User-Name": login, "User-Password": password, "Calling-Station-Id": caller, "NAS-Port-Id": "ether2"}
    return radclient.authenticate(told)


def online(server: Server, subscription_id: int, *callers: str) -> None:
    lines = [Line(1, caller.encode(), b"ether2") for caller in callers]
    server.store.apply(heard(time.time()) | connected(subscription_id, *lines), server.store.revision() + 1)


def test_one_session_at_once_and_the_same_line_takes_its_own_place(server: Server, radclient: Radclient) -> None:
    assert dial(radclient, AT_HOME).code == ACCEPT
    online(server, 7, AT_HOME)
    assert dial(radclient, ELSEWHERE).code == REJECT
    assert dial(radclient, AT_HOME.lower().replace(":", "-")).code == ACCEPT, "the Stop was lost"
    assert dial(radclient, ELSEWHERE, password="errado").code == REJECT
    online(server, 7)
    assert dial(radclient, ELSEWHERE).code == ACCEPT, "the session is over"


def test_two_sessions_where_two_are_sold(server: Server, radclient: Radclient) -> None:
    online(server, 9, AT_HOME)
    assert dial(radclient, ELSEWHERE, "two").code == ACCEPT
    online(server, 9, AT_HOME, ELSEWHERE)
    assert dial(radclient, "02:00:5E:10:00:0C", "two").code == REJECT


def test_nobody_is_refused_for_old_news(server: Server, radclient: Radclient) -> None:
    online(server, 7, AT_HOME)
    server.store.apply(heard(time.time() - 60), server.store.revision() + 1)
    assert dial(radclient, ELSEWHERE).code == ACCEPT


def test_a_guesser_is_throttled_and_the_bound_line_comes_in(server: Server, radclient: Radclient) -> None:
    codes = {dial(radclient, ELSEWHERE, "bia", f"guess-{n}").code for n in range(BURST)}
    assert codes == {REJECT}
    assert dial(radclient, ELSEWHERE).code == REJECT, "without a look at the password, which is right"
    assert dial(radclient, AT_HOME, "bia").code == ACCEPT
    for number in range(BURST + 1):  # somebody who took over the address
        dial(radclient, AT_HOME, "bia", f"guess-{number}")
    assert dial(radclient, AT_HOME, "bia").code == ACCEPT


def test_the_worker_counts_why(tmp_path: Path) -> None:
    with running(tmp_path, nas(1, "127.0.0.1"), record(limits=BOUND), reject_delay_seconds=0.0) as server:
        client = Radclient(server.port, 0, SECRET.decode())
        assert dial(client, ELSEWHERE).code == REJECT
        assert dial(client, AT_HOME).code == ACCEPT
    assert server.counters == {("reject", "mac_not_bound"): 1, ("accept", "pap"): 1}
