"""Commands on which router serves which subscription, and how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert

from core.among import among
from core.database import Transaction
from core.errors import Conflict, NotAllowed
from provisioning import checks
from provisioning.plans import get_plan
from provisioning.routeros.models import Router, RouterService
from provisioning.routeros.routers import get_router
from provisioning.routeros.rows import Access
from provisioning.routeros.services.query import candidate, candidates
from provisioning.routeros.services.rules import Candidate, Selection, Wanted, refusal
from provisioning.routeros.touch import CONVERGE
from provisioning.subscriptions import get_subscription, lock_subscription
from provisioning.timeline import narrate, narrate_each

_WHY = "the line was moved to this router"


@dataclass(frozen=True, slots=True)
class Prospect:
    """What serving many would do: `to_serve` are new here, `already` are served here and stay as they are, `refused`
    counts the others by reason; `elsewhere`: of those to serve, how many another router serves too.
    """

    total: int
    to_serve: int
    already: int
    elsewhere: int
    refused: Mapping[str, int]


def serve(
    tx: Transaction,
    *,
    router: int | str,
    subscription_id: int,
    access: str,
    dhcp_server: str = "",
    duid: str = "",
    note: str = "",
) -> RouterService:
    """Let the router serve the subscription, or serve it otherwise than so far. Saying it again changes nothing.

    InvalidInput for words that mean nothing; NotAllowed for what can never be held: a cancelled subscription, ppp
    without a login.
    """
    wanted = Wanted.of(access, dhcp_server, duid)
    text = checks.optional_text(note, "note", 2000, _WHY)
    row = get_router(tx, router, lock=True)
    lock_subscription(tx, subscription_id)
    if reason := refusal(candidate(tx, row.id, subscription_id), wanted.access):
        raise NotAllowed(f"subscription {subscription_id} is {reason}", subscription_id=subscription_id)
    service = tx.session.get(RouterService, (row.id, subscription_id))
    if service is None:
        service = RouterService(router_id=row.id, subscription_id=subscription_id, created_at=tx.now)
        tx.session.add(service)
        before = None
    else:
        before = _live(service)
    if before != wanted.stored:
        service.access, service.dhcp_server, service.duid = wanted.stored.values()
        service.removed_at = None
        _tell(tx, row, service, before, text)
    return service


def stop_serving(tx: Transaction, *, router: int | str, subscription_id: int, note: str = "") -> RouterService:
    """The router serves the subscription no more: what stands there of it is taken away. NotAllowed if it does not."""
    text = checks.optional_text(note, "note", 2000, _WHY)
    row = get_router(tx, router, lock=True)
    get_subscription(tx, subscription_id)
    service = tx.session.get(RouterService, (row.id, subscription_id), with_for_update=True)
    if service is None or service.removed_at is not None:
        raise NotAllowed(f"router {row.name} does not serve subscription {subscription_id}")
    before = _live(service)
    service.removed_at = service.touched_at = tx.now
    narrate(tx, subscription_id, "router.left", details={"router": row.name, **(before or {})}, note=text)
    tx.audit("stop-serving", "subscription", subscription_id, {"router": row.name, **(before or {})}, note=text)
    tx.enqueue(CONVERGE, str(row.id))
    return service


def preview_serve_many(
    tx: Transaction,
    *,
    router: int | str,
    access: str,
    dhcp_server: str = "",
    subscription_ids: Sequence[int] | None = None,
    plan_id: int | None = None,
    city: str | None = None,
    unplaced: bool = False,
) -> Prospect:
    """What `serve_many` would do; changes nothing."""
    wanted, selection = Wanted.of(access, dhcp_server), _selection(tx, subscription_ids, plan_id, city, unplaced)
    found = candidates(tx, get_router(tx, router).id, selection)
    return _prospect(found, wanted.access)


def serve_many(
    tx: Transaction,
    *,
    router: int | str,
    access: str,
    expected: int,
    dhcp_server: str = "",
    subscription_ids: Sequence[int] | None = None,
    plan_id: int | None = None,
    city: str | None = None,
    unplaced: bool = False,
    note: str = "",
) -> Prospect:
    """Let the router serve all that are selected; all conditions together. Who is served here already stays so.

    `expected`: how many the preview was going to serve; Conflict when it would be another number by now.
    """
    wanted, selection = Wanted.of(access, dhcp_server), _selection(tx, subscription_ids, plan_id, city, unplaced)
    text = checks.optional_text(note, "note", 2000, "everybody of this tower")
    row = get_router(tx, router, lock=True)
    found = candidates(tx, row.id, selection, lock=True)
    prospect = _prospect(found, wanted.access)
    if prospect.to_serve != expected:
        detail = f"{prospect.to_serve} subscriptions would be served, not {expected}: look at the preview again"
        raise Conflict(detail, to_serve=prospect.to_serve)
    fresh = [each.subscription_id for each in found if _is_new(each, wanted.access)]
    if fresh:
        _insert(tx, row, fresh, wanted, text)
    return prospect


def _selection(
    tx: Transaction, ids: Sequence[int] | None, plan_id: int | None, city: str | None, unplaced: bool
) -> Selection:
    if plan_id is not None:
        get_plan(tx, plan_id)
    return Selection.of(ids, plan_id, city, unplaced)


def _prospect(found: Sequence[Candidate], access: Access) -> Prospect:
    fresh = [each for each in found if _is_new(each, access)]
    refused = Counter(reason for each in found if (reason := refusal(each, access)))
    already = sum(each.here for each in found if not refusal(each, access))
    return Prospect(
        len(found), len(fresh), already, sum(each.elsewhere for each in fresh), dict(sorted(refused.items()))
    )


def _is_new(candidate: Candidate, access: Access) -> bool:
    return not candidate.here and not refusal(candidate, access)


def _insert(tx: Transaction, router: Router, ids: Collection[int], wanted: Wanted, note: str) -> None:
    """In few statements, however many they are."""
    given_up = among(tx.session, RouterService.subscription_id, ids)
    tx.session.execute(delete(RouterService).where(RouterService.router_id == router.id, given_up))
    same = {"router_id": router.id, **wanted.stored, "created_at": tx.now, "touched_at": tx.now}
    tx.session.execute(insert(RouterService), [{**same, "subscription_id": key} for key in ids])
    told = {"router": router.name, **wanted.stored, **({"note": note} if note else {})}
    narrate_each(tx, "router.served", dict.fromkeys(ids, told))
    tx.audit_each("serve", "subscription", dict.fromkeys(ids, told))
    tx.enqueue(CONVERGE, str(router.id))


def _live(service: RouterService) -> dict[str, str] | None:
    """How the subscription is served; None where it is no more."""
    fields = {"access": service.access, "dhcp_server": service.dhcp_server, "duid": service.duid}
    return fields if service.removed_at is None else None


def _tell(
    tx: Transaction, router: Router, service: RouterService, before: Mapping[str, object] | None, note: str
) -> None:
    service.touched_at = tx.now
    after = {"router": router.name, **(_live(service) or {})}
    narrate(tx, service.subscription_id, "router.served", details=after, note=note)
    tx.audit("serve", "subscription", service.subscription_id, before, after, note)
    tx.enqueue(CONVERGE, str(router.id))
