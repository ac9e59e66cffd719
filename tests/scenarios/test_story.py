"""One subscriber's months, through the API, on the embedded default and on PostgreSQL with Redis and prefork workers.

At each step radclient asks with PAP, CHAP and MS-CHAP, and FreeRADIUS is the router that the product speaks to: what
it received, with authenticators that it found right, is what counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.postgres import PostgresServer
from tests.radclient import ACCEPT, REJECT, Answer
from tests.redis_server import own_redis
from tests.scenarios.installation import NAS_SECRET, PROOF_SECONDS, Installation, installed, workers
from tests.scenarios.line import METHODS, NAS_IP_ADDRESS, Line
from tests.scenarios.provider import Customer, Provider, found, invoice, sign_up
from tests.scenarios.receiver import COA, DISCONNECT, UNSUPPORTED_ATTRIBUTE, CoaReceiver, Request
from tests.scenarios.waiting import until

REFUSING = "teimosa@lab"
IDENTIFICATION = {"User-Name", "Acct-Session-Id", "Framed-IP-Address", "NAS-IP-Address"}
ON_EVERY_REQUEST = {"Event-Timestamp", "Message-Authenticator"}


@dataclass(frozen=True)
class Service:
    """What a state means on the network. The rate limit is from the router's side: upload/download."""

    state: str
    rate_limit: str
    address_list: str = ""


ACTIVE = Service("ACTIVE", "250M/500M")
REDUCED = Service("REDUCED", "1M/2M")
SUSPENDED = Service("SUSPENDED", "256k/256k", "catraca-suspended")
PAUSED = Service("PAUSED", "256k/256k", "catraca-paused")
QUICKER = Service("ACTIVE", "300M/600M")


@pytest.fixture(scope="module", params=["embedded", "distributed"])
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """`embedded`: SQLite and a worker inside; `distributed`: PostgreSQL, Redis, and Celery's own processes."""
    data_dir: Path = tmp_path_factory.mktemp(request.param)
    if request.param == "embedded":
        with installed(data_dir) as made:
            yield made
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    with postgres.database() as url, own_redis() as redis:
        settings = {"CATRACA_DATABASE_URL": url, "CATRACA_BROKER_URL": redis.url}
        with installed(data_dir, settings) as made, workers(data_dir, settings):
            yield made


@pytest.fixture(scope="module")
def receiver(installation: Installation) -> Iterator[CoaReceiver]:
    """A new one for each installation: both have subscribers of the same names."""
    made = CoaReceiver(NAS_SECRET, refuse_coa={REFUSING: UNSUPPORTED_ATTRIBUTE})
    with made.server:
        yield made


@pytest.fixture(scope="module")
def provider(installation: Installation, receiver: CoaReceiver) -> Provider:
    return found(installation.api, receiver.server.port)


class Months:
    """One subscriber, their line, and the router that FreeRADIUS plays."""

    def __init__(self, installation: Installation, receiver: CoaReceiver, customer: Customer) -> None:
        self.api, self.clock, self.receiver = installation.api, installation.clock, receiver
        self.customer = customer
        self.line = Line(installation.radclient(), customer.login)
        self._told = 0

    def act(self, path: str, **body: Any) -> Any:
        """An operator does something to the subscription."""
        return self.api.post(f"/subscriptions/{self.customer.subscription_id}/{path}", **body)

    def pass_days(self, days: float) -> None:
        """Time goes on; the router reports its session, as it would have done all along."""
        self.clock.advance(timedelta(days=days))
        self.line.interim()

    def expect(self, service: Service, *, at_once: bool = False) -> None:
        """The state, and what each method of authentication is answered; `at_once`: time did it, nobody has to act."""
        explained = self.api.get(f"/subscriptions/{self.customer.subscription_id}/explain")
        assert explained["state"] == service.state, explained["sentence"]
        if not at_once:
            until(lambda: shown(self.line.asks()) == service_shown(service), f"PAP is answered {service}")
        for method in METHODS:
            answer = self.line.asks(method)
            assert shown(answer) == service_shown(service), (method, answer.printed)
            assert answer.get("Framed-IP-Address") == self.customer.address
            assert self.is_ours(answer.get("Class")), answer.printed
            assert answer.names[0] == "Message-Authenticator", answer.printed
            assert ("MS-CHAP-MPPE-Keys" in answer.names) == (method == "MS-CHAP")

    def expect_no_service(self) -> None:
        until(lambda: self.line.asks().code == REJECT, "PAP is rejected")
        for method in METHODS:
            answer = self.line.asks(method)
            told = ["Message-Authenticator"] + ["MS-CHAP-Error"] * (method == "MS-CHAP")
            assert (answer.code, answer.names) == (REJECT, told), (method, answer.printed)

    def is_ours(self, class_: str) -> bool:
        return class_.startswith(f"0x{f'c1.{self.customer.subscription_id}.'.encode().hex()}")

    def told(self, kind: str) -> Request:
        """The one request about the live session that the router got for this step, as FreeRADIUS read it."""
        request = self.receiver.next_request(self.customer.login, self._told)
        self._told += 1
        assert request.kind == kind, request
        known = {name: request.attributes.get(name, "") for name in IDENTIFICATION}
        assert known == {
            "User-Name": self.line.login,
            "Acct-Session-Id": self.line.session_id,
            "Framed-IP-Address": self.line.address,
            "NAS-IP-Address": NAS_IP_ADDRESS,
        }
        assert request.attributes.keys() >= ON_EVERY_REQUEST
        return request

    def changed_by_coa(self, service: Service) -> None:
        """The session goes on with another rate; its next Interim, with the Class that the CoA brought, proves it."""
        request = self.told(COA)
        assert request.answer == "CoA-ACK"
        assert request.attributes["Mikrotik-Rate-Limit"] == service.rate_limit
        assert self.is_ours(request.attributes["Class"])
        assert request.attributes["Class"] != self.line.granted
        assert request.attributes["Class"] == self.line.asks().get("Class"), "a new session would get the same"
        assert request.attributes.keys() == IDENTIFICATION | ON_EVERY_REQUEST | {"Mikrotik-Rate-Limit", "Class"}
        self.diverges("acknowledged", "coa")
        self.line.interim(granted=request.attributes["Class"])
        self.converged()

    def ended_by_disconnect(self) -> None:
        """The session ends: the router says so, and only then the product believes it."""
        self.disconnected()
        self.line.hang_up()
        self.converged()

    def disconnected(self) -> None:
        request = self.told(DISCONNECT)
        assert request.answer == "Disconnect-ACK"
        assert request.attributes.keys() == IDENTIFICATION | ON_EVERY_REQUEST, "it identifies and changes nothing"
        self.diverges("acknowledged", "disconnect")

    def redials(self, service: Service) -> None:
        assert shown(self.line.dial()) == service_shown(service)
        until(lambda: self.open_sessions() == [self.line.session_id], "the new session is seen")

    def open_sessions(self) -> list[str]:
        of_mine = {"subscription_id": self.customer.subscription_id, "only_open": True}
        return [session["acct_session_id"] for session in self.api.get("/sessions", **of_mine)["items"]]

    def diverging(self) -> list[dict[str, Any]]:
        rows = self.api.get("/sessions/diverging")["items"]
        return [row for row in rows if row["subscription_id"] == self.customer.subscription_id]

    def next_look(self) -> timedelta:
        """How long it is until the product looks at the router again by itself."""
        waiting = self.api.get("/jobs", kind="converge", status="waiting")["items"]
        assert waiting
        return min(datetime.fromisoformat(job["due_at"]) for job in waiting) - self.clock()

    def diverges(self, status: str, action: str) -> None:
        """The session is on the list for the NOC, with what was tried."""

        def seen() -> bool:
            return [(row["status"], row["action"]) for row in self.diverging()] == [(status, action)]

        until(seen, f"the session is listed as {status} after a {action}")

    def converged(self) -> None:
        until(lambda: not self.diverging(), "the proof takes the session off the list")
        assert len(self.receiver.requests(self.customer.login)) == self._told, "nothing was sent twice"


def shown(answer: Answer) -> tuple[str, str, str]:
    return answer.code, answer.get("Mikrotik-Rate-Limit"), answer.get("Mikrotik-Address-List")


def service_shown(service: Service) -> tuple[str, str, str]:
    return ACCEPT, service.rate_limit, service.address_list


def test_a_subscribers_months(installation: Installation, receiver: CoaReceiver, provider: Provider) -> None:
    api, clock = installation.api, installation.clock
    maria = Months(installation, receiver, sign_up(api, provider, "maria@lab", fixed=True))
    maria.expect(ACTIVE)
    assert maria.line.asks(password="errada").code == REJECT
    maria.redials(ACTIVE)

    bill = invoice(api, clock, maria.customer, due_in_days=3)
    maria.pass_days(9)
    maria.expect(ACTIVE, at_once=True)
    assert maria.receiver.requests("maria@lab") == [], "being late restricts nobody without an order"
    api.post("/dunning/runs")
    maria.expect(REDUCED)
    maria.changed_by_coa(REDUCED)

    maria.pass_days(10)
    api.post("/dunning/runs")
    maria.expect(SUSPENDED)
    maria.ended_by_disconnect()
    maria.redials(SUSPENDED)

    maria.act("trust-unblock", until=(clock() + timedelta(days=2)).isoformat(), note="will pay in two days")
    maria.expect(ACTIVE)
    maria.ended_by_disconnect()
    maria.redials(ACTIVE)

    maria.pass_days(3)
    maria.expect(SUSPENDED, at_once=True)
    maria.ended_by_disconnect()
    maria.redials(SUSPENDED)

    api.post(f"/invoices/{bill}/pay", method="pix")
    maria.expect(ACTIVE)
    maria.ended_by_disconnect()
    maria.redials(ACTIVE)

    maria.act("pause", note="travelling")
    maria.expect(PAUSED)
    maria.ended_by_disconnect()
    maria.redials(PAUSED)

    maria.act("resume", note="back home")
    maria.expect(ACTIVE)
    maria.ended_by_disconnect()
    maria.redials(ACTIVE)

    maria.act("speed", download_bps="600M", upload_bps="300M", until=(clock() + timedelta(days=3)).isoformat())
    maria.expect(QUICKER)
    maria.changed_by_coa(QUICKER)
    maria.pass_days(4)
    maria.expect(ACTIVE, at_once=True)
    maria.changed_by_coa(ACTIVE)

    cancelled = maria.act("cancel", note="moved to another city", confirm=True)
    assert cancelled["state"] == "CANCELLED"
    assert cancelled["protocol"]
    maria.expect_no_service()
    maria.ended_by_disconnect()
    assert maria.open_sessions() == []
    assert states_in_the_timeline(maria) == [
        "PENDING_INSTALL", "ACTIVE", "REDUCED", "SUSPENDED", "ACTIVE", "SUSPENDED", "ACTIVE", "PAUSED", "ACTIVE",
        "CANCELLED",
    ]  # fmt: skip


def states_in_the_timeline(months: Months) -> list[str]:
    """Each state that the subscription had, in order; every one begins where the one before ended."""
    entries = months.api.get(f"/subscriptions/{months.customer.subscription_id}/timeline", limit=200)["items"]
    changes = [(entry["state_before"], entry["state_after"]) for entry in entries if entry["event"] == "state.changed"]
    befores, afters = [before for before, _ in changes], [after for _, after in changes]
    assert befores[1:] == afters[:-1]
    return [befores[0], *afters]


def test_a_refused_coa_becomes_a_disconnect(
    installation: Installation, receiver: CoaReceiver, provider: Provider
) -> None:
    refusing = Months(installation, receiver, sign_up(installation.api, provider, REFUSING))
    refusing.expect(ACTIVE)
    refusing.redials(ACTIVE)
    refusing.act("speed", download_bps="600M", upload_bps="300M")
    refusing.expect(QUICKER)
    request = refusing.told(COA)
    assert request.answer == "CoA-NAK"
    refusing.ended_by_disconnect()
    refusing.redials(QUICKER)


def test_a_disconnect_without_proof_is_asked_for_again(
    installation: Installation, receiver: CoaReceiver, provider: Provider
) -> None:
    silent = Months(installation, receiver, sign_up(installation.api, provider, "muda@lab"))
    silent.expect(ACTIVE)
    silent.redials(ACTIVE)
    silent.act("pause", note="travelling")
    silent.disconnected()
    until(lambda: silent.next_look() > timedelta(seconds=PROOF_SECONDS / 2), "the product leaves the router alone")
    assert len(receiver.requests("muda@lab")) == 1
    installation.clock.advance(timedelta(seconds=PROOF_SECONDS + 1))
    silent.disconnected()
    silent.line.hang_up()
    silent.converged()
