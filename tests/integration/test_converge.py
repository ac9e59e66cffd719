"""Convergence of live sessions: real datagrams to a NAS that does what the case scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import IPv4Address

import pytest
from sqlalchemy import select

from core.job_queue import Job
from core.jobs import run_job, sweep
from core.outcomes import Applied, Outcome, Retry
from core.runtime import Runtime
from core.secrets import Secret
from provisioning import jobs as _handlers  # noqa: F401
from provisioning.cancellation import cancel
from provisioning.debts import record_debt
from provisioning.models import Divergence, Subscription
from provisioning.prefixes import give_prefix
from radius.attributes import ACCT_SESSION_ID, CLASS, COA_REQUEST, DISCONNECT_REQUEST, USER_NAME
from radius.authenticators import Authenticators
from radius.codec import parse
from radius.dynauth_packets import read_request, reply_to
from radius.models import Nas, ReplicaEntry, Session
from radius.nas import add_nas
from radius.presence import presence_key
from radius.presence_feed import publish_presence
from radius.records import read_class
from tests.factories import ANA, make_subscription, restrict
from tests.ticking import FakeClock
from tests.udp_peer import Script, UdpPeer, silent

SECRET = "a secret of the NAS"
OWNER = Authenticators(SECRET.encode())


def obedient(_peer: UdpPeer, datagram: bytes, _sender: object) -> bytes | None:
    request = read_request(OWNER, datagram)
    return None if request is None else reply_to(OWNER, request, None)


def refusing(code: int, cause: int) -> Script:
    """NAKs requests of this code, ACKs the other kind."""

    def answer(_peer: UdpPeer, datagram: bytes, _sender: object) -> bytes | None:
        request = read_request(OWNER, datagram)
        if request is None:
            return None
        return reply_to(OWNER, request, cause if request.code == code else None)

    return answer


class Network:
    """One NAS with one live session of one active subscription."""

    def __init__(self, runtime: Runtime, peer: UdpPeer, *, adopts_class: bool, vendor: str = "mikrotik") -> None:
        self.runtime, self.peer = runtime, peer
        with runtime.database.transaction(ANA) as tx:
            nas = add_nas(
                tx, name="borda-1", network="127.0.0.1", secret=Secret(SECRET), coa_port=peer.port,
                coa_echoes_class=adopts_class, vendor=vendor,
            )  # fmt: skip
            subscription = make_subscription(tx)
            tx.session.refresh(subscription)
            session = Session(
                key=b"k" * 16, nas_id=nas.id, nas_address=IPv4Address("127.0.0.1"), acct_session_id="81c00001",
                user_name=subscription.login, subscription_id=subscription.id, started_at=tx.now, updated_at=tx.now,
                granted_fingerprint=subscription.desired_fingerprint, granted_at=tx.now,
            )  # fmt: skip
            tx.session.add(session)
            tx.session.flush()
            self.nas_id, self.subscription_id, self.session_id = nas.id, subscription.id, session.id

    def another_session(self, number: int) -> tuple[int, int]:
        """(subscription, session) of one more subscriber on this NAS."""
        with self.runtime.database.transaction(ANA) as tx:
            subscription = make_subscription(tx)
            tx.session.refresh(subscription)
            session = Session(
                key=number.to_bytes(16), nas_id=self.nas_id, nas_address=IPv4Address("127.0.0.1"), acct_session_id="",
                user_name=subscription.login, subscription_id=subscription.id, started_at=tx.now, updated_at=tx.now,
                granted_fingerprint=subscription.desired_fingerprint, granted_at=tx.now,
            )  # fmt: skip
            tx.session.add(session)
            tx.session.flush()
            session.acct_session_id = f"s{session.id}"
            return subscription.id, session.id

    def restrict(self, level: str) -> None:
        with self.runtime.database.transaction(ANA) as tx:
            restrict(tx, self.subscription_id, level)

    def converge(self) -> Outcome | None:
        """Run the waiting convergence, whenever it is due."""
        with self.runtime.database.transaction() as tx:
            job = tx.session.scalar(select(Job).where(Job.kind == "converge", Job.status == "waiting"))
            assert job is not None, "nobody asked for convergence"
            job.due_at = tx.now
        return run_job(self.runtime, job.id)

    def accounting_shows(self, fingerprint: str | None, *, seconds: float = 10) -> None:
        """The next accounting record of the session: its Class, or its end (None)."""
        with self.runtime.database.transaction() as tx:
            session = tx.session.get_one(Session, self.session_id)
            session.updated_at = tx.now + timedelta(seconds=seconds)
            if fingerprint is None:
                session.stopped_at = tx.now
            elif fingerprint != session.granted_fingerprint:
                session.granted_fingerprint, session.acked_fingerprint, session.acked_at = fingerprint, "", None

    @property
    def desired(self) -> str:
        with self.runtime.database.reading() as tx:
            return tx.session.get_one(Subscription, self.subscription_id).desired_fingerprint

    def divergence(self) -> tuple[str, str] | None:
        """(action, status) of the session's row."""
        with self.runtime.database.reading() as tx:
            row = tx.session.get(Divergence, self.session_id)
            return None if row is None else (row.action, row.status)

    @property
    def told(self) -> list[int]:
        """Codes of the requests that the NAS got, without retransmissions."""
        distinct = dict.fromkeys(datagram for datagram, _sender in self.peer.received)
        return [datagram[0] for datagram in distinct]


@pytest.fixture
def quick(runtime: Runtime) -> Runtime:
    """Short waits for a NAS that does not answer; no RADIUS host to wait for."""
    settings = runtime.settings.model_copy(update={"coa_timeout_seconds": 0.05, "coa_tries": 2})
    return Runtime(settings, runtime.database, runtime.keyring, runtime.clock)


@pytest.fixture
def network(request: pytest.FixtureRequest, quick: Runtime) -> Iterator[Network]:
    script, adopts_class = request.param
    with UdpPeer(script) as peer:
        yield Network(quick, peer, adopts_class=adopts_class)


@pytest.mark.parametrize("network", [(obedient, True)], indirect=True)
def test_a_coa_is_proven_by_the_class_that_accounting_shows(network: Network) -> None:
    network.restrict("partial")
    assert isinstance(network.converge(), Retry)
    assert network.told == [COA_REQUEST]
    request = parse(network.peer.received[0][0])
    assert request.first(USER_NAME) is not None
    assert read_class(request.first(CLASS) or b"") == (network.subscription_id, network.desired)
    assert network.divergence() == ("coa", "acknowledged")
    network.accounting_shows(network.desired)
    assert isinstance(network.converge(), Applied)
    assert network.divergence() is None
    assert network.told == [COA_REQUEST]


@pytest.mark.parametrize("network", [(obedient, True)], indirect=True)
def test_an_ack_is_no_proof(network: Network) -> None:
    """The NAS acknowledges the CoA and its accounting goes on with the old policy: the session is ended."""
    before = network.desired
    network.restrict("partial")
    network.converge()
    network.accounting_shows(before)
    network.converge()
    assert network.told == [COA_REQUEST, DISCONNECT_REQUEST]


@pytest.mark.parametrize("network", [(obedient, False)], indirect=True)
def test_a_nas_that_proves_nothing_stays_on_the_list_and_is_left_alone(network: Network) -> None:
    before = network.desired
    network.restrict("partial")
    assert isinstance(network.converge(), Applied)
    assert network.divergence() == ("coa", "acknowledged")
    network.accounting_shows(before)
    with network.runtime.database.transaction() as tx:
        tx.enqueue("converge", str(network.nas_id))
    network.converge()
    assert network.told == [COA_REQUEST]


@pytest.mark.parametrize("network", [(refusing(COA_REQUEST, 401), True)], indirect=True)
def test_a_refused_coa_becomes_a_disconnect(network: Network) -> None:
    network.restrict("partial")
    network.converge()
    assert network.divergence() == ("coa", "failing")
    network.converge()
    assert network.told == [COA_REQUEST, DISCONNECT_REQUEST]
    assert network.divergence() == ("disconnect", "acknowledged")


@pytest.mark.parametrize("network", [(obedient, True)], indirect=True)
def test_a_disconnect_without_a_stop_is_sent_again(network: Network, clock: FakeClock) -> None:
    network.restrict("total")
    assert isinstance(network.converge(), Retry)
    network.converge()
    assert network.told == [DISCONNECT_REQUEST], "the Stop may still come"
    clock.advance(seconds=61)
    network.converge()
    assert network.told == [DISCONNECT_REQUEST, DISCONNECT_REQUEST]
    network.accounting_shows(None)
    assert isinstance(network.converge(), Applied)
    assert network.divergence() is None


@pytest.mark.parametrize("network", [(refusing(DISCONNECT_REQUEST, 503), True)], indirect=True)
def test_a_session_that_the_nas_does_not_know_is_over(network: Network) -> None:
    network.restrict("total")
    assert isinstance(network.converge(), Applied)
    with network.runtime.database.reading() as tx:
        session = tx.session.get_one(Session, network.session_id)
        assert session.stopped_at is not None
        assert session.terminate_cause == "Session-Context-Not-Found"
    assert network.divergence() is None


@pytest.mark.parametrize("network", [(silent, True)], indirect=True)
def test_a_silent_nas_is_tried_again_with_growing_pauses(network: Network) -> None:
    network.restrict("total")
    pauses = []
    for _ in range(4):
        outcome = network.converge()
        assert isinstance(outcome, Retry)
        pauses.append(outcome.after.total_seconds())
    assert pauses == sorted(pauses)
    assert pauses[-1] > pauses[0] >= 1
    assert network.divergence() == ("disconnect", "failing")


def test_more_service_is_sent_before_less(quick: Runtime) -> None:
    """A payment must not wait behind a mass suspension on the same NAS."""
    with UdpPeer(obedient) as peer:
        network = Network(quick, peer, adopts_class=True)
        others = [network.another_session(number) for number in range(20)]
        network.restrict("total")
        with quick.database.transaction(ANA) as tx:
            for subscription_id, _session_id in others:
                restrict(tx, subscription_id)
            paid, paid_session = others[-1]
            record_debt(tx, subscription_id=paid, invoice_id=4711, due_on=tx.now.date(), open_cents=0)
            tx.session.get_one(Session, paid_session).granted_fingerprint = "0" * 16 + ".-"
        network.converge()
        first = {parse(datagram).first(ACCT_SESSION_ID) for datagram, _sender in peer.received[:8]}
    assert f"s{paid_session}".encode() in first


@pytest.mark.parametrize("network", [(silent, True)], indirect=True)
def test_sessions_that_wait_for_a_silent_nas_are_all_on_the_list(network: Network) -> None:
    for number in range(20):
        subscription_id, _session_id = network.another_session(number)
        with network.runtime.database.transaction(ANA) as tx:
            restrict(tx, subscription_id)
    assert isinstance(network.converge(), Retry)
    with network.runtime.database.reading() as tx:
        statuses = Counter(tx.session.scalars(select(Divergence.status)))
    assert statuses == {"failing": 16, "pending": 4}


@pytest.mark.parametrize("network", [(obedient, True)], indirect=True)
def test_a_cancelled_subscription_is_disconnected(network: Network) -> None:
    with network.runtime.database.transaction(ANA) as tx:
        cancel(tx, subscription_id=network.subscription_id)
    network.converge()
    assert network.told == [DISCONNECT_REQUEST]


@pytest.mark.parametrize("network", [(obedient, True)], indirect=True)
def test_planning_twice_sends_once(network: Network) -> None:
    network.restrict("total")
    network.converge()
    network.converge()
    assert network.told == [DISCONNECT_REQUEST]


@pytest.mark.parametrize("network", [(obedient, True)], indirect=True)
def test_a_disabled_nas_is_told_nothing(network: Network) -> None:
    with network.runtime.database.transaction(ANA) as tx:
        tx.session.get_one(Nas, network.nas_id).enabled = False
    network.restrict("total")
    assert isinstance(network.converge(), Applied)
    assert network.told == []


@pytest.mark.parametrize("network", [(obedient, True)], indirect=True)
def test_news_of_a_session_wakes_convergence_of_its_nas(network: Network) -> None:
    network.restrict("total")
    network.converge()
    network.accounting_shows(None)
    with network.runtime.database.transaction() as tx:
        tx.enqueue("session.changed", str(network.nas_id))
    for job_id in sweep(network.runtime):
        run_job(network.runtime, job_id)
    network.converge()
    assert network.divergence() is None


@pytest.mark.parametrize(
    ("vendor", "told"),
    [
        pytest.param("mikrotik", True, id="mikrotik"),
        pytest.param("accel-ppp", True, id="accel-ppp"),
        pytest.param("juniper", False, id="juniper refuses a CoA with a Class"),
    ],
)
def test_which_nas_is_told_the_new_class(quick: Runtime, vendor: str, told: bool) -> None:
    with UdpPeer(obedient) as peer:
        network = Network(quick, peer, adopts_class=False, vendor=vendor)
        network.restrict("partial")
        network.converge()
        assert network.told == [COA_REQUEST]
        assert (parse(peer.received[0][0]).first(CLASS) is not None) is told


@pytest.mark.parametrize("network", [(obedient, True)], indirect=True)
def test_a_new_prefix_ends_the_session(network: Network) -> None:
    with network.runtime.database.transaction(ANA) as tx:
        give_prefix(tx, subscription_id=network.subscription_id, purpose="delegated", network="2001:db8:700::/56")
    network.converge()
    assert network.told == [DISCONNECT_REQUEST]
    network.accounting_shows(None)
    assert isinstance(network.converge(), Applied)


@pytest.mark.parametrize("network", [(refusing(DISCONNECT_REQUEST, 503), True)], indirect=True)
def test_the_radius_hosts_hear_of_a_session_that_is_gone(network: Network) -> None:
    with network.runtime.database.transaction() as tx:
        publish_presence(tx, [network.subscription_id])
    network.restrict("total")
    network.converge()
    with network.runtime.database.reading() as tx:
        session = tx.session.get_one(Session, network.session_id)
        entry = tx.session.get_one(ReplicaEntry, presence_key(network.subscription_id))
        assert (session.closed_by, entry.value) == ("gone", None)
