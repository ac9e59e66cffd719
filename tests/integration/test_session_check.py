"""Asking a NAS about sessions that stand in the way: real datagrams to a NAS that does what the case scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from ipaddress import IPv4Address
from typing import Any

import pytest
from sqlalchemy import select

from core.job_queue import Job
from core.jobs import run_job
from core.leases import hold_lease
from core.outcomes import Applied, Outcome, Retry
from core.runtime import Runtime
from core.secrets import Secret
from radius.attributes import ACCT_SESSION_ID, CLASS, COA_REQUEST, VENDOR_MIKROTIK
from radius.authenticators import Authenticators
from radius.codec import parse
from radius.dynauth_packets import read_request, reply_to
from radius.dynauth_send import lease_name
from radius.models import ReplicaEntry, Session, SpoolPosition
from radius.nas import add_nas, change_nas, remove_nas
from radius.presence import presence_key
from radius.presence_feed import publish_presence
from radius.session_check import KIND
from tests.factories import ANA, make_plan, make_subscription
from tests.factories_sessions import make_session
from tests.ticking import FakeClock
from tests.udp_peer import Script, UdpPeer, silent

SECRET = "a secret of the NAS"
OWNER = Authenticators(SECRET.encode())
INTERIM = timedelta(seconds=300)


def answering(cause: int | None) -> Script:
    """Acknowledges (None), or refuses with this Error-Cause."""

    def answer(_peer: UdpPeer, datagram: bytes, _sender: object) -> bytes | None:
        request = read_request(OWNER, datagram)
        return None if request is None else reply_to(OWNER, request, cause)

    return answer


class Ghost:
    """One subscription with one session that may be over, on one NAS."""

    def __init__(self, runtime: Runtime, peer: UdpPeer, clock: FakeClock) -> None:
        self.runtime, self.peer, self.clock = runtime, peer, clock
        with runtime.database.transaction(ANA) as tx:
            nas = add_nas(tx, name="borda-1", network="127.0.0.1", secret=Secret(SECRET), coa_port=peer.port)
            plan = make_plan(tx, download_bps=100_000_000, upload_bps=50_000_000)
            subscription = make_subscription(tx, plan_id=plan.id)
            tx.session.refresh(subscription)
            self.nas_id, self.subscription_id = nas.id, subscription.id
            self.session_id = self._session(tx, subscription.desired_fingerprint)
            publish_presence(tx, [subscription.id])

    def _session(self, tx: Any, fingerprint: str) -> int:
        return make_session(
            tx, nas_id=self.nas_id, nas_address=IPv4Address("127.0.0.1"), subscription_id=self.subscription_id,
            acct_session_id="81c00001", granted_fingerprint=fingerprint, granted_at=tx.now,
        ).id  # fmt: skip

    def silent_for(self, interims: float) -> None:
        """So long nothing has come of the session, though accounting was heard all the time."""
        self.clock.advance(seconds=interims * INTERIM.total_seconds())
        self.spool(listening=INTERIM * interims * 2)

    def spool(self, listening: timedelta) -> None:
        with self.runtime.database.transaction() as tx:
            position = tx.session.get(SpoolPosition, "spool") or SpoolPosition(spool="spool", segment=1, offset=0)
            position.caught_up_at = position.seen_at = tx.now
            position.listening_since = tx.now - listening
            tx.session.add(position)

    def refuse_somebody(self) -> None:
        with self.runtime.database.transaction() as tx:
            tx.enqueue(KIND, str(self.subscription_id))

    def check(self) -> Outcome | None:
        """Somebody was refused: run the check that follows."""
        self.refuse_somebody()
        with self.runtime.database.reading() as tx:
            job_id = tx.session.scalar(select(Job.id).where(Job.kind == KIND, Job.status == "waiting"))
        assert job_id is not None
        return run_job(self.runtime, job_id)

    @property
    def end(self) -> tuple[str, timedelta | None]:
        """Who closed the session, and how long ago that was."""
        with self.runtime.database.reading() as tx:
            session = tx.session.get_one(Session, self.session_id)
            return session.closed_by, None if session.stopped_at is None else tx.now - session.stopped_at

    @property
    def present(self) -> bool:
        """Whether the RADIUS hosts are told of a live session."""
        with self.runtime.database.reading() as tx:
            entry = tx.session.get(ReplicaEntry, presence_key(self.subscription_id))
            return entry is not None and entry.value is not None

    @property
    def looked_at(self) -> bool:
        """Whether convergence was asked to look at the NAS."""
        with self.runtime.database.reading() as tx:
            wanted = select(Job.id).where(Job.kind == "session.changed", Job.key == str(self.nas_id))
            return tx.session.scalar(wanted) is not None


@pytest.fixture
def quick(runtime: Runtime) -> Runtime:
    settings = runtime.settings.model_copy(update={"coa_timeout_seconds": 0.05, "coa_tries": 2})
    return Runtime(settings, runtime.database, runtime.keyring, runtime.clock)


@pytest.fixture
def ghost(request: pytest.FixtureRequest, quick: Runtime, clock: FakeClock) -> Iterator[Ghost]:
    with UdpPeer(request.param) as peer:
        yield Ghost(quick, peer, clock)


CASES: dict[str, tuple[Script, float, str, timedelta | None]] = {
    "the NAS does not know it": (answering(503), 0.1, "gone", timedelta(0)),
    "the NAS does not know it, long silent": (answering(503), 9, "gone", timedelta(0)),
    "the NAS knows it": (answering(None), 9, "", None),
    "the NAS refuses for another reason": (answering(401), 9, "", None),
    "no answer, heard of lately": (silent, 1.4, "", None),
    "no answer, an interim is overdue": (silent, 1.6, "stale", INTERIM * 1.6),
}


@pytest.mark.parametrize(("ghost", "interims", "by", "ago"), CASES.values(), ids=CASES.keys(), indirect=["ghost"])
def test_what_an_answer_does(ghost: Ghost, interims: float, by: str, ago: timedelta | None) -> None:
    ghost.silent_for(interims)
    assert ghost.present
    assert isinstance(ghost.check(), Applied)
    assert ghost.end == (by, ago)
    assert ghost.present is (not by)
    assert ghost.looked_at is bool(by)


@pytest.mark.parametrize("ghost", [answering(None)], indirect=True)
def test_the_question_changes_nothing(ghost: Ghost) -> None:
    ghost.check()
    request = parse(ghost.peer.received[0][0])
    assert request.code == COA_REQUEST
    assert request.first(ACCT_SESSION_ID) == b"81c00001"
    assert request.vendor(VENDOR_MIKROTIK, 8) == b"50M/100M", "the rate that it has"
    assert request.first(CLASS) is None


@pytest.mark.parametrize("ghost", [silent], indirect=True)
def test_silence_speaks_against_nobody_while_we_were_deaf(ghost: Ghost) -> None:
    ghost.silent_for(9)
    ghost.spool(listening=INTERIM)
    ghost.check()
    assert ghost.end == ("", None)


def disable(ghost: Ghost) -> None:
    with ghost.runtime.database.transaction(ANA) as tx:
        change_nas(tx, ghost.nas_id, enabled=False)


@pytest.mark.parametrize("ghost", [answering(None)], indirect=True)
def test_a_nas_that_cannot_be_asked_counts_as_silent(ghost: Ghost) -> None:
    disable(ghost)
    ghost.silent_for(1)
    ghost.check()
    assert ghost.end == ("", None)
    ghost.silent_for(1)
    ghost.check()
    assert (ghost.end[0], ghost.peer.received) == ("stale", [])


@pytest.mark.parametrize("ghost", [answering(None)], indirect=True)
def test_a_subscription_without_sessions_is_nothing_to_do(ghost: Ghost) -> None:
    with ghost.runtime.database.transaction(ANA) as tx:
        remove_nas(tx, ghost.nas_id)
    assert isinstance(ghost.check(), Applied)
    assert ghost.peer.received == []


@pytest.mark.parametrize("ghost", [answering(None)], indirect=True)
def test_a_subscription_is_checked_every_ten_seconds_at_most(ghost: Ghost) -> None:
    def asked() -> int:
        return len(ghost.peer.received)

    assert isinstance(ghost.check(), Applied)
    ghost.clock.advance(seconds=4)
    assert ghost.check() == Retry(timedelta(seconds=6), "checked a moment ago")
    ghost.clock.advance(seconds=3)
    assert ghost.check() == Retry(timedelta(seconds=3), "checked a moment ago"), "one that tries again and again"
    assert asked() == 1
    ghost.clock.advance(seconds=3)
    assert isinstance(ghost.check(), Applied)
    assert asked() == 2


@pytest.mark.parametrize("ghost", [answering(503)], indirect=True)
def test_convergence_goes_first(ghost: Ghost) -> None:
    with hold_lease(ghost.runtime.database, lease_name(ghost.nas_id), timedelta(seconds=60)) as held:
        assert held
        assert isinstance(ghost.check(), Retry)
    assert (ghost.end, ghost.peer.received) == (("", None), [])


@pytest.fixture
def meanwhile(quick: Runtime, clock: FakeClock) -> Iterator[Callable[..., Ghost]]:
    """A ghost whose NAS says that it does not know the session, while `happens` to it."""
    peers: list[UdpPeer] = []

    def make(happens: Callable[[Session], None]) -> Ghost:
        ghosts: list[Ghost] = []

        def answer(peer: UdpPeer, datagram: bytes, sender: object) -> bytes | None:
            with ghosts[0].runtime.database.transaction() as tx:
                happens(tx.session.get_one(Session, ghosts[0].session_id))
            return answering(503)(peer, datagram, sender)

        peers.append(UdpPeer(answer))
        peers[0].__enter__()
        ghosts.append(Ghost(quick, peers[0], clock))
        return ghosts[0]

    yield make
    for peer in peers:
        peer.__exit__()


def heard_of(session: Session) -> None:
    session.updated_at += timedelta(seconds=1)


def stopped(session: Session) -> None:
    session.stopped_at, session.closed_by = session.updated_at, "stop"


@pytest.mark.parametrize(("happens", "by"), [(heard_of, ""), (stopped, "stop")], ids=["heard of", "stopped"])
def test_accounting_that_comes_meanwhile_knows_better(
    meanwhile: Callable[..., Ghost], happens: Callable[[Session], None], by: str
) -> None:
    ghost = meanwhile(happens)
    ghost.check()
    assert ghost.end[0] == by
