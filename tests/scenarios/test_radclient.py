"""What a router asks all day long, by radclient, of the started product on its embedded default."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.radclient import ACCEPT, ACCOUNTED, REJECT, Answer, Attributes, Radclient
from tests.scenarios.installation import Installation, installed
from tests.scenarios.line import METHODS, Line
from tests.scenarios.provider import PASSWORD, Customer, Provider, found, sign_up
from tests.scenarios.waiting import until

ROUTER, STRANGER = "127.0.0.2", "127.0.0.1"
MAC = "02:00:5e:10:00:42"
SIGNED: Attributes = {"Message-Authenticator": b"\0"}
GIGA = 2**32


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    # Rejects are held back long enough to arrive behind an Accept on any machine.
    with installed(tmp_path_factory.mktemp("radclient"), {"CATRACA_REJECT_DELAY_SECONDS": "2"}) as made:
        yield made


@pytest.fixture(scope="module")
def provider(installation: Installation) -> Provider:
    return found(installation.api, network=ROUTER)


@pytest.fixture(scope="module")
def router(installation: Installation) -> Radclient:
    return installation.radclient(source=ROUTER)


@pytest.fixture(scope="module")
def ana(installation: Installation, provider: Provider, router: Radclient) -> Customer:
    """A subscriber whose access record has reached RADIUS."""
    customer = sign_up(installation.api, provider, "ana@lab")
    line = Line(router, customer.login)
    until(lambda: line.asks().code == ACCEPT, "the access record arrives")
    return customer


@pytest.mark.parametrize("port", ["auth_port", "acct_port"])
def test_status_server_is_answered_on_both_ports(router: Radclient, ana: Customer, port: str) -> None:
    answer = router.status(getattr(router, port))
    assert answer.code == {"auth_port": ACCEPT, "acct_port": ACCOUNTED}[port], answer.printed
    assert answer.names[:1] == ["Message-Authenticator"], answer.printed


@pytest.mark.parametrize("method", METHODS)
def test_a_wrong_password_is_rejected(router: Radclient, ana: Customer, method: str) -> None:
    line = Line(router, ana.login)
    assert line.asks(method).code == ACCEPT
    assert line.asks(method, password="errada").code == REJECT


def test_a_reject_waits_while_others_are_answered(router: Radclient, ana: Customer) -> None:
    wrong: Attributes = {"User-Name": ana.login, "User-Password": "errada"}
    right: Attributes = {"User-Name": ana.login, "User-Password": PASSWORD}
    answers = router.together([wrong, right])
    assert [answer.code for answer in answers] == [ACCEPT, REJECT]


def test_a_mac_address_is_enough_where_the_router_may_ask_so(
    installation: Installation, provider: Provider, router: Radclient
) -> None:
    customer = sign_up(installation.api, provider, "IPoE", mac=MAC, fixed=True)
    spellings = (MAC, "1:2:0:5e:10:0:42", "0200.5e10.0042", "02-00-5E-10-00-42")

    def asked(name: str, password: str = "") -> Answer:
        return router.authenticate({"User-Name": name, "User-Password": password, "Calling-Station-Id": name})

    until(lambda: asked(MAC).code == ACCEPT, "the access record arrives")
    for name in spellings:
        answer = asked(name)
        assert (answer.code, answer.get("Framed-IP-Address")) == (ACCEPT, customer.address), answer.printed
    assert asked("02:00:5e:10:00:43").code == REJECT, "nobody has this one"
    assert asked(MAC, "something").code == REJECT, "a password proves something else"


def test_accounting_is_seen_as_a_session(installation: Installation, router: Radclient, ana: Customer) -> None:
    line = Line(router, ana.login)
    line.dial()
    session = until(lambda: the_session(installation, line), "the session is seen")
    assert (session["subscription_id"], session["user_name"]) == (ana.subscription_id, ana.login)
    assert (session["nas_address"], session["framed_ip_address"]) == (ROUTER, line.address)
    assert session["stopped_at"] is None
    fingerprint = bytes.fromhex(line.granted.removeprefix("0x")).decode().split(".", 2)[2]
    assert session["granted_fingerprint"] == fingerprint

    line.account("Interim-Update", counters(sent=5 * GIGA + 11, received=7 * GIGA + 22, seconds=600))
    line.account("Interim-Update", counters(sent=5 * GIGA + 10, received=7 * GIGA + 20, seconds=599))  # came late
    wanted = {"input_octets": 5 * GIGA + 11, "output_octets": 7 * GIGA + 22, "session_seconds": 600}
    until(lambda: wanted.items() <= (the_session(installation, line) or {}).items(), "counters, Gigawords and all")

    line.account("Stop", {**counters(sent=9 * GIGA, received=9 * GIGA, seconds=900), "Acct-Terminate-Cause": 1})
    ended = until(lambda: stopped(the_session(installation, line)), "the session is over")
    assert (ended["terminate_cause"], ended["output_octets"]) == ("User-Request", 9 * GIGA)
    line.interim()
    later = Line(router, ana.login)
    later.dial()
    until(lambda: the_session(installation, later), "what came after is seen")
    assert stopped(the_session(installation, line)), "an Interim after the Stop opens nothing"
    later.hang_up()


def test_a_router_that_restarts_has_no_sessions(installation: Installation, router: Radclient, ana: Customer) -> None:
    line = Line(router, ana.login)
    line.dial()
    until(lambda: the_session(installation, line), "the session is seen")
    assert router.account({"Acct-Status-Type": "Accounting-On", "Acct-Session-Id": "0"}).code == ACCOUNTED
    ended = until(lambda: stopped(the_session(installation, line)), "the session is over")
    assert ended["terminate_cause"] == "NAS-Reboot"


SILENCES = {
    "an unknown client": {"source": STRANGER},
    "a wrong secret": {"secret": "not-the-one-of-this-router"},
}


@pytest.mark.parametrize("wrong", SILENCES.values(), ids=SILENCES.keys())
def test_silence_for(installation: Installation, ana: Customer, wrong: dict[str, str]) -> None:
    stranger = installation.radclient(**{"source": ROUTER, **wrong})
    who = {"User-Name": ana.login, "User-Password": PASSWORD}
    session = {"Acct-Status-Type": "Start", "User-Name": ana.login, "Acct-Session-Id": "stranger"}
    for answer in (stranger.authenticate(who, patient=False), stranger.account(session, patient=False)):
        assert answer.code == "", answer.printed
        assert "No reply from server" in answer.printed
        assert "Received" not in answer.printed, "not even a reply that radclient would not believe"
    assert "stranger" not in {item["acct_session_id"] for item in installation.api.get("/sessions")["items"]}


def test_unsigned_requests_are_met_with_silence(router: Radclient, ana: Customer) -> None:
    who: Attributes = {"User-Name": ana.login, "User-Password": PASSWORD}
    [answer] = router.run("auth", router.auth_port, [who], patient=False)
    assert (answer.code, "No reply from server" in answer.printed) == ("", True), answer.printed


def counters(*, sent: int, received: int, seconds: int) -> dict[str, int]:
    """What the subscriber has sent and received, in the words of a NAS (RFC 2869 §5.1)."""
    return {
        "Acct-Input-Octets": sent % GIGA,
        "Acct-Input-Gigawords": sent // GIGA,
        "Acct-Output-Octets": received % GIGA,
        "Acct-Output-Gigawords": received // GIGA,
        "Acct-Session-Time": seconds,
    }


def the_session(installation: Installation, line: Line) -> dict[str, Any] | None:
    rows: list[dict[str, Any]] = installation.api.get("/sessions", user_name=line.login)["items"]
    return next((row for row in rows if row["acct_session_id"] == line.session_id), None)


def stopped(session: dict[str, Any] | None) -> dict[str, Any] | None:
    return session if session and session["stopped_at"] else None
