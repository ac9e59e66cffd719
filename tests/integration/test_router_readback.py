"""Sessions of a NAS that proves nothing over RADIUS, proven by its rows: a CoA peer beside an emulated router."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import IPv4Address

import pytest
from sqlalchemy import select

from core.job_queue import Job
from core.jobs import run_job
from core.leases import hold_lease
from core.outcomes import Applied, Outcome, Retry
from core.runtime import Runtime
from core.secrets import Secret
from lab.routeros.emulator import EmulatedRouter
from provisioning import jobs as _handlers  # noqa: F401
from provisioning.models import Divergence, Subscription
from provisioning.routeros.models import Router, RouterStatus
from provisioning.routeros.readback import jobs as readback_jobs  # noqa: F401 - its import registers the job
from provisioning.routeros.readback.models import SessionReadback
from provisioning.routeros.readback.reading import READBACK
from radius.attributes import COA_REQUEST, DISCONNECT_REQUEST
from radius.authenticators import Authenticators
from radius.dynauth_packets import read_request, reply_to
from radius.models import Session
from radius.nas import add_nas
from tests.factories import ANA, restrict
from tests.factories_proof import SECRET, counted, make_online, pay, waits
from tests.factories_routers import make_router
from tests.ticking import FakeClock
from tests.udp_peer import UdpPeer

OWNER = Authenticators(SECRET.encode())
FULL, REDUCED = "250M/500M", "1M/2M"


def obedient(_peer: UdpPeer, datagram: bytes, _sender: object) -> bytes | None:
    request = read_request(OWNER, datagram)
    return None if request is None else reply_to(OWNER, request, None)


class Border:
    """A MikroTik with one live session: `peer` is its CoA port, `router` its API."""

    def __init__(self, runtime: Runtime, peer: UdpPeer, router: EmulatedRouter) -> None:
        self.runtime, self.peer, self.router = runtime, peer, router
        with runtime.database.transaction(ANA) as tx:
            nas = add_nas(
                tx, name="borda-1", network="127.0.0.1", secret=Secret(SECRET), vendor="mikrotik", coa_port=peer.port
            )
            held = make_router(tx, address=router.host, port=router.port, tls="off", nas=nas.id, timeout_seconds=2)
            subscription, session = make_online(tx, nas)
            session.nas_address = IPv4Address("127.0.0.1")
            assert subscription.login is not None
            self.nas_id, self.router_id, self.login = nas.id, held.id, subscription.login
            self.subscription_id, self.session_id = subscription.id, session.id
        self.runs(FULL)

    def runs(self, rate: str) -> None:
        """What the router really does with the session."""
        self.router.hang_up(self.login)
        self.router.dial(self.login, radius={"rate": rate, "address": "100.64.0.9"})

    def restrict(self) -> None:
        with self.runtime.database.transaction(ANA) as tx:
            restrict(tx, self.subscription_id, "partial")

    def pay(self) -> None:
        with self.runtime.database.transaction(ANA) as tx:
            pay(tx, self.subscription_id)

    def carry_out(self, kind: str) -> Outcome | None:
        """Run the waiting job of this kind, whenever it is due; None: nobody asked for one."""
        with self.runtime.database.transaction() as tx:
            job = tx.session.scalar(select(Job).where(Job.kind == kind, Job.status == "waiting"))
            if job is None:
                return None
            job.due_at = tx.now
        return run_job(self.runtime, job.id)

    def interim(self) -> None:
        """Accounting goes on with the Class that the session began with; the NAS is looked at again."""
        with self.runtime.database.transaction() as tx:
            session = tx.session.get_one(Session, self.session_id)
            session.updated_at = tx.now
            session.granted_at = tx.now
            tx.enqueue("converge", str(self.nas_id))
        self.carry_out("converge")

    @property
    def listed(self) -> tuple[str, str] | None:
        """(action, status) of the session on the list of those that differ."""
        with self.runtime.database.reading() as tx:
            row = tx.session.get(Divergence, self.session_id)
            return None if row is None else (row.action, row.status)

    @property
    def told(self) -> list[int]:
        return [datagram[0] for datagram in dict.fromkeys(datagram for datagram, _sender in self.peer.received)]

    @property
    def readings(self) -> int:
        return self.router.sentences["/ppp/active/print"]


@pytest.fixture
def border(runtime: Runtime) -> Iterator[Border]:
    settings = runtime.settings.model_copy(update={"coa_timeout_seconds": 0.5, "coa_tries": 2})
    quick = Runtime(settings, runtime.database, runtime.keyring, runtime.clock)
    with UdpPeer(obedient) as peer, EmulatedRouter() as router:
        yield Border(quick, peer, router)


def test_what_the_router_shows_is_the_proof(border: Border, clock: FakeClock) -> None:
    border.restrict()
    assert isinstance(border.carry_out("converge"), Applied)
    assert (border.told, border.listed) == ([COA_REQUEST], ("coa", "acknowledged"))
    assert waits(border.runtime.database) == {border.subscription_id: "restricted"}
    border.runs(REDUCED)
    clock.advance(seconds=0.4)
    assert isinstance(border.carry_out(READBACK), Applied)
    assert isinstance(border.carry_out("converge"), Applied)
    assert border.listed is None
    assert counted(border.runtime.database) == {("restricted", "radius", 3): 1}
    assert (border.readings, border.router.most_connections) == (1, 1)


def test_accounting_with_the_old_class_takes_nothing_back(border: Border, clock: FakeClock) -> None:
    border.restrict()
    border.carry_out("converge")
    border.runs(REDUCED)
    border.carry_out(READBACK)
    for _ in range(3):
        clock.advance(minutes=5)
        border.interim()
    assert (border.told, border.listed) == ([COA_REQUEST], None)
    assert border.carry_out(READBACK) is None
    assert border.readings == 1


def test_service_that_is_back_is_proven_too(border: Border, clock: FakeClock) -> None:
    """The session began with what it should run again now: an acknowledgement alone says nothing of it."""
    border.restrict()
    border.carry_out("converge")
    border.runs(REDUCED)
    border.carry_out(READBACK)
    border.carry_out("converge")
    clock.advance(minutes=1)
    border.pay()
    border.carry_out("converge")
    assert (border.told, border.listed) == ([COA_REQUEST] * 2, ("coa", "acknowledged"))
    assert waits(border.runtime.database) == {border.subscription_id: "restored"}
    border.runs(FULL)
    assert isinstance(border.carry_out(READBACK), Applied)
    border.carry_out("converge")
    assert (border.listed, waits(border.runtime.database)) == (None, {})


@pytest.mark.parametrize("restored", [False, True], ids=["restricted", "restored"])
def test_a_coa_that_was_only_acknowledged_becomes_a_disconnect(
    border: Border, clock: FakeClock, restored: bool
) -> None:
    border.restrict()
    border.carry_out("converge")
    if restored:
        border.runs(REDUCED)
        border.carry_out(READBACK)
        border.carry_out("converge")
        clock.advance(minutes=1)
        border.pay()
        border.carry_out("converge")
    before = len(border.told)
    outcome = border.carry_out(READBACK)
    assert isinstance(outcome, Retry), "the router may take a moment"
    assert outcome.after == timedelta(seconds=2)
    clock.advance(seconds=2)
    assert isinstance(border.carry_out(READBACK), Applied)
    border.carry_out("converge")
    assert border.told[before:] == [DISCONNECT_REQUEST]
    assert border.listed == ("disconnect", "acknowledged")


def test_a_session_of_which_the_rows_tell_nothing_is_left_alone(border: Border, clock: FakeClock) -> None:
    border.restrict()
    border.carry_out("converge")
    border.router.hang_up(border.login)
    assert isinstance(border.carry_out(READBACK), Retry)
    clock.advance(minutes=2)
    assert isinstance(border.carry_out(READBACK), Applied)
    border.interim()
    assert (border.told, border.listed) == ([COA_REQUEST], ("coa", "acknowledged"))
    border.carry_out(READBACK)
    assert border.readings == 2, "it was asked about often enough"
    with border.runtime.database.reading() as tx:
        assert tx.session.get_one(SessionReadback, border.session_id).runs is None


def test_facts_that_moved_on_meanwhile_are_not_overruled(border: Border, clock: FakeClock) -> None:
    """The reading is of a policy that nobody wants any more."""
    border.restrict()
    border.carry_out("converge")
    border.pay()
    border.runs(REDUCED)
    assert isinstance(border.carry_out(READBACK), Applied)
    assert border.readings == 0
    with border.runtime.database.reading() as tx:
        assert tx.session.get(SessionReadback, border.session_id) is None


def test_another_holder_of_the_lease_is_not_disturbed(border: Border) -> None:
    border.restrict()
    border.carry_out("converge")
    with hold_lease(border.runtime.database, f"router:{border.router_id}", timedelta(minutes=2)):
        assert isinstance(border.carry_out(READBACK), Retry)
    assert border.readings == 0


def test_the_circuit_breaker_is_kept_to_and_fed(border: Border, clock: FakeClock) -> None:
    border.restrict()
    border.carry_out("converge")
    border.router.faults.refuse()
    outcome = border.carry_out(READBACK)
    assert isinstance(outcome, Retry)
    with border.runtime.database.reading() as tx:
        status = tx.session.get_one(RouterStatus, border.router_id)
        assert (status.failures, status.retry_at) == (1, clock.now + outcome.after)
    border.router.faults.heal()
    assert isinstance(border.carry_out(READBACK), Retry)
    assert border.readings == 0, "its pause is not over"
    clock.advance(seconds=3)
    border.runs(REDUCED)
    assert isinstance(border.carry_out(READBACK), Applied)


def test_a_router_that_is_disabled_is_not_read(border: Border) -> None:
    with border.runtime.database.transaction() as tx:
        tx.session.get_one(Router, border.router_id).enabled = False
    border.restrict()
    border.carry_out("converge")
    assert border.carry_out(READBACK) is None
    assert border.listed == ("coa", "acknowledged")
    border.pay()
    border.carry_out("converge")
    assert border.listed is None, "without a reading, an acknowledgement is all that there is"


def test_a_refused_read_is_tried_again_and_opens_no_breaker(border: Border) -> None:
    border.restrict()
    border.carry_out("converge")
    border.router.faults.trap("/ppp/active/print", "not enough permissions (9)")
    outcome = border.carry_out(READBACK)
    assert isinstance(outcome, Retry)
    assert "not enough permissions" in outcome.reason
    with border.runtime.database.reading() as tx:
        assert tx.session.get_one(RouterStatus, border.router_id).failures == 0
        wanted = tx.session.get_one(Subscription, border.subscription_id).desired_fingerprint
        assert tx.session.get_one(Session, border.session_id).acked_fingerprint == wanted
