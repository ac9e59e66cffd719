"""Carrying out what was decided about an adoption's candidates: a chunk a transaction, each asking for the next.

Subscriptions come about through the commands that everybody else uses. What became of a candidate is written in the
same transaction, so a crash at any point goes on with what is left and does nothing twice. When a chunk breaks, its
candidates are tried alone, and the one that breaks is written down as failed: `import` once more tries it again.
Nothing is written to the router.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import cast

from sqlalchemy import ColumnElement, select, update

from core.actor import Actor, Source
from core.database import Transaction
from core.errors import CatracaError, NotAllowed, Unavailable
from core.job_queue import Job
from core.jobs import handles
from core.logs import get_logger
from core.outcomes import Applied, Outcome
from core.redaction import redact_text
from core.runtime import Runtime
from core.secrets import Secret
from ipam.lookup import fixed_address_of
from ipam.subnets import subnet_around
from provisioning import checks
from provisioning.addresses import assign_address, release_address
from provisioning.admission import bind_mac
from provisioning.models import Subscriber, Subscription
from provisioning.routeros.adoption.models import (
    CREATE,
    FAILED,
    IMPORTED,
    IMPORTING,
    LINK,
    OPEN,
    SKIP,
    UNDECIDED,
    WAITING,
    Adoption,
    AdoptionCandidate,
)
from provisioning.routeros.adoption.report import get_adoption, lock_adoption
from provisioning.routeros.routers import get_router
from provisioning.routeros.rows import Access
from provisioning.routeros.services.commands import serve
from provisioning.subscribers import register_subscriber
from provisioning.subscriptions import activate, change_credentials, lock_subscription, open_subscription

IMPORT = "adoption.import"
CHUNK = 10
_NOTE = "taken over from router {name}"
log = get_logger("provisioning.adoption")


def start_import(tx: Transaction, *, adoption_id: int, at_once: bool = False) -> Adoption:
    """Carry out all decisions that wait, or that failed before, in the background.

    NotAllowed while the router is not in maintenance, unless `at_once`: who is served is held at once, and foreign rows
    of an adoption that is not marked yet would stand in the way.
    """
    adoption = lock_adoption(tx, adoption_id)
    need_maintenance(tx, adoption, at_once)
    if adoption.status != OPEN:
        raise NotAllowed(
            f"adoption {adoption_id} is {adoption.status}: wait until that is over", status=adoption.status
        )
    failed = (AdoptionCandidate.adoption_id == adoption_id, AdoptionCandidate.status == FAILED)
    statement = update(AdoptionCandidate).where(*failed).values(status=WAITING, detail="")
    tx.session.execute(statement, execution_options={"synchronize_session": False})
    adoption.status, adoption.import_cursor, adoption.trouble = IMPORTING, 0, ""
    adoption.actor, adoption.source = tx.actor.name, tx.actor.source
    tx.audit("import", "adoption", adoption_id)
    tx.enqueue(IMPORT, str(adoption_id))
    return adoption


def need_maintenance(tx: Transaction, adoption: Adoption, at_once: bool) -> None:
    """NotAllowed unless the router is in maintenance, in which nothing is written to it by itself."""
    router = get_router(tx, adoption.router_id)
    if router.maintenance_since is None and not at_once:
        raise NotAllowed(
            f"router {router.name} is not in maintenance: start one first (catraca router start-maintenance), so that "
            "nothing is written to it before you have seen the plan; or say at_once"
        )


@handles(IMPORT)
def continue_import(runtime: Runtime, job: Job) -> Outcome:
    """The next chunk of the adoption that is the job's key, in the name of whoever started it."""
    adoption_id = int(job.key)
    with runtime.database.reading() as tx:
        adoption = get_adoption(tx, adoption_id)
        starter = Actor(adoption.actor, cast("Source", adoption.source))
    try:
        with runtime.database.transaction(starter) as tx:
            return _told(work_on(tx, adoption_id))
    except Unavailable:
        raise
    except Exception as error:
        log.warning("a chunk of an adoption broke", adoption=adoption_id, error=type(error).__name__)
    return _one_by_one(runtime, starter, adoption_id)


def work_on(tx: Transaction, adoption_id: int, chunk: int = CHUNK) -> Adoption:
    """Carry out the next `chunk` decisions, and ask for those after them."""
    adoption = lock_adoption(tx, adoption_id)
    if adoption.status != IMPORTING:
        return adoption
    candidates = _next(tx, adoption, chunk)
    for candidate in candidates:
        _carry_out(tx, adoption, candidate)
        adoption.import_cursor = candidate.id
    _go_on(tx, adoption, len(candidates) == chunk)
    return adoption


def _one_by_one(runtime: Runtime, starter: Actor, adoption_id: int) -> Outcome:
    """A candidate a transaction, for one chunk; the one that breaks fails, the others do not."""
    with runtime.database.reading() as tx:
        adoption = get_adoption(tx, adoption_id)
    for _ in range(CHUNK):
        before = adoption.import_cursor
        try:
            with runtime.database.transaction(starter) as tx:
                adoption = work_on(tx, adoption_id, chunk=1)
        except Unavailable:
            raise
        except Exception as error:
            words = error.detail if isinstance(error, CatracaError) else type(error).__name__
            with runtime.database.transaction(starter) as tx:
                adoption = _fail_next(tx, adoption_id, before, words)
        if adoption.status != IMPORTING:
            break
    return _told(adoption)


def _go_on(tx: Transaction, adoption: Adoption, more: bool) -> None:
    if more:
        tx.enqueue(IMPORT, str(adoption.id))
    else:
        adoption.status = OPEN
        tx.audit("finish-import", "adoption", adoption.id)
    tx.session.flush()


def _next(tx: Transaction, adoption: Adoption, chunk: int) -> Sequence[AdoptionCandidate]:
    waiting: tuple[ColumnElement[bool], ...] = (
        AdoptionCandidate.adoption_id == adoption.id,
        AdoptionCandidate.id > adoption.import_cursor,
        AdoptionCandidate.status == WAITING,
        AdoptionCandidate.decision.not_in((UNDECIDED, SKIP)),
    )
    return tx.session.scalars(
        select(AdoptionCandidate).where(*waiting).order_by(AdoptionCandidate.id).limit(chunk)
    ).all()


def _fail_next(tx: Transaction, adoption_id: int, before: int, words: str) -> Adoption:
    """Give up the candidate behind `before`, unless somebody else has got past it."""
    adoption = lock_adoption(tx, adoption_id)
    if adoption.status == IMPORTING and adoption.import_cursor == before:
        for candidate in _next(tx, adoption, 1):
            candidate.status, candidate.detail = FAILED, redact_text(words)
            adoption.import_cursor = candidate.id
        tx.enqueue(IMPORT, str(adoption_id))
    return adoption


def _carry_out(tx: Transaction, adoption: Adoption, candidate: AdoptionCandidate) -> None:
    router = get_router(tx, adoption.router_id)
    note = _NOTE.format(name=router.name)
    access = candidate.wanted.get("access") or candidate.access
    if candidate.decision == CREATE:
        subscription = _created(tx, candidate, note)
    else:
        wanted = candidate.wanted.get("subscription_id") if candidate.decision == LINK else candidate.found_id
        subscription = lock_subscription(tx, cast("int", wanted))
        _take(tx, candidate, subscription, note)
    _give_address(tx, candidate, subscription.id, note)
    server = candidate.dhcp_server if access == Access.DHCP and candidate.dhcp_server != "all" else ""
    serve(tx, router=router.id, subscription_id=subscription.id, access=access, dhcp_server=server, note=note)
    candidate.status, candidate.subscription_id, candidate.detail = IMPORTED, subscription.id, ""
    tx.session.flush()


def _created(tx: Transaction, candidate: AdoptionCandidate, note: str) -> Subscription:
    login, password, mac = _credentials(candidate)
    subscription = open_subscription(
        tx, subscriber_id=_subscriber(tx, candidate), plan_id=candidate.wanted["plan_id"], login=login,
        password=password, mac=mac,
    )  # fmt: skip
    activate(tx, subscription_id=subscription.id, note=note)
    if candidate.access == Access.PPP and candidate.mac:
        bind_mac(tx, subscription_id=subscription.id, mode="pinned", mac=candidate.mac, note=note)
    return subscription


def _credentials(candidate: AdoptionCandidate) -> tuple[str, Secret | None, str]:
    """Login, password and MAC address of a new subscription; one without any gets a login that nobody uses."""
    if candidate.access == Access.PPP:
        if candidate.password is None:
            raise NotAllowed(
                "the router does not show the password: give its API user the policy sensitive, start anew"
            )
        return candidate.login, candidate.password, ""
    if candidate.mac and "login" not in candidate.wanted:
        return "", None, candidate.mac
    return candidate.wanted.get("login") or _made_up(candidate), Secret(secrets.token_urlsafe(18)), candidate.mac


def _made_up(candidate: AdoptionCandidate) -> str:
    try:
        return checks.login(candidate.name)
    except CatracaError:
        return candidate.address


def _subscriber(tx: Transaction, candidate: AdoptionCandidate) -> int:
    """Whose it will be; two candidates of one new document are one subscriber's."""
    wanted = candidate.wanted
    if "subscriber_id" in wanted:
        return int(wanted["subscriber_id"])
    there = tx.session.scalar(select(Subscriber.id).where(Subscriber.document == wanted["document"]))
    return there or register_subscriber(tx, name=wanted["name"], document=wanted["document"]).id


def _take(tx: Transaction, candidate: AdoptionCandidate, subscription: Subscription, note: str) -> None:
    """What the facts lack, and what the decision takes from the router although they have something else."""
    take, key = candidate.wanted.get("take", ()), subscription.id
    if "password" in take and candidate.password is not None and candidate.password != subscription.password:
        change_credentials(tx, subscription_id=key, password=candidate.password)
    if not candidate.mac:
        return
    if candidate.access == Access.PPP:
        if "mac" in take and candidate.mac != subscription.bound_mac:
            bind_mac(tx, subscription_id=key, mode="pinned", mac=candidate.mac, note=note)
    elif candidate.mac != subscription.mac and ("mac" in take or not (subscription.mac or subscription.bound_mac)):
        change_credentials(tx, subscription_id=key, mac=candidate.mac)


def _give_address(tx: Transaction, candidate: AdoptionCandidate, subscription_id: int, note: str) -> None:
    """The router's address, where the facts have none or the decision takes it."""
    if not candidate.address:
        return
    address, held = IPv4Address(candidate.address), fixed_address_of(tx, subscription_id)
    if held == address or (held is not None and "address" not in candidate.wanted.get("take", ())):
        return
    subnet = subnet_around(tx, address)
    if subnet is None:
        raise NotAllowed(
            f"no subnet holds {address}: add the one that it is of (catraca subnet add --cidr …), then import again"
        )
    if held is not None:
        release_address(tx, subscription_id=subscription_id, note=note)
    assign_address(tx, subscription_id=subscription_id, subnet_id=subnet.id, address=address)


def _told(adoption: Adoption) -> Outcome:
    return Applied(f"adoption {adoption.id} is {adoption.status}, seen to up to candidate {adoption.import_cursor}")
