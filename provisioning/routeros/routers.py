"""Commands on the routers that are held over their API. Their passwords go in and never come out.

Whatever changes what a router should have asks for all of it to be read and planned anew (`ask_anew`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError

from core.alarms import end_alarm
from core.database import Transaction
from core.errors import Conflict, NotAllowed, NotFound
from core.secrets import Secret
from provisioning import checks
from provisioning.models import Subscription
from provisioning.routeros.connection import Target
from provisioning.routeros.models import Router, RouterConvergence, RouterDrift, RouterService, RouterStatus
from provisioning.routeros.nas_of_router import nas_id_of, nas_that_answer
from provisioning.routeros.router_fields import (
    DEFAULTS,
    OFF,
    PINNED,
    PORT,
    TLS_PORT,
    advice_for,
    check_together,
    checked,
)
from provisioning.routeros.rows import Access
from provisioning.routeros.touch import CONVERGE

ALARMS = ("router-unreachable", "router-removals-held")
"""Kinds of alarm about a router, under its name; `cycle_status` raises them and ends them while it is held."""
_OF_THE_ROUTER = (RouterService, RouterConvergence, RouterDrift, RouterStatus)
_WAY = frozenset({"address", "port", "tls", "tls_fingerprint", "login", "password", "charset", "enabled"})
"""Fields that a router may have been unreachable for: it is tried again at once."""
_FIELDS = ("name", "address", "port", "login", *DEFAULTS)


def add_router(
    tx: Transaction,
    *,
    name: str,
    address: str,
    login: str,
    password: str | Secret,
    port: int | None = None,
    nas: int | str | None = None,
    **options: Any,
) -> Router:
    """A new router, which serves nobody yet. `options`: the fields of `router_fields.DEFAULTS`.

    `port` None: the API's, 8729 with TLS and 8728 without. `nas`: number or name of the NAS that it also is.
    InvalidInput names the field; Conflict the router that has the name.
    """
    given = {**DEFAULTS, **options, "name": name, "address": address, "login": login, "password": password}
    given["port"] = (PORT if given["tls"] == OFF else TLS_PORT) if port is None else port
    values = checked(given)
    check_together(values, _restricting(tx))
    _refuse_taken(tx, values)
    router = Router(created_at=tx.now, nas_id=nas_id_of(tx, nas), **values)
    tx.session.add(router)
    _flush(tx)
    tx.session.add(RouterStatus(router_id=router.id, plan={}))
    tx.audit("add", "router", router.id, after={**values, "nas_id": router.nas_id})
    ask_anew(tx, router, way=True)
    return router


def change_router(tx: Transaction, router: int | str, **given: Any) -> Router:
    """Change what is given; `nas`, `garden` and `removal_cap` None take it away. Errors as of `add_router`, NotFound.

    A port that is the usual one follows `tls`; a fingerprint goes when `tls` is pinned no more.
    """
    row = get_router(tx, router, lock=True)
    values = checked({field: value for field, value in given.items() if field != "nas"})
    if "nas" in given:
        values["nas_id"] = nas_id_of(tx, given["nas"])
    _follow_tls(row, values)
    before = {field: getattr(row, field) for field in values if getattr(row, field) != values[field]}
    after = {field: values[field] for field in before}
    if not after:
        return row
    check_together({**{field: getattr(row, field) for field in _FIELDS}, **after}, _restricting(tx))
    _refuse_taken(tx, after)
    if "name" in after or after.get("enabled") is False:
        _end_alarms(tx, row.name, "it has another name" if "name" in after else "it is held no more")
    for field, value in after.items():
        setattr(row, field, value)
    _flush(tx)
    tx.audit("change", "router", row.id, before, after)
    ask_anew(tx, row, way=not _WAY.isdisjoint(after))
    return row


def remove_router(tx: Transaction, router: int | str, *, give_up_services: bool = False, note: str = "") -> int:
    """Forget a router; gives how many services it had. What stands on it stays there as it is: it is asked nothing.

    NotAllowed while it serves anybody, unless `give_up_services`.
    """
    row = get_router(tx, router, lock=True)
    served = count_served(tx, row.id)
    if served and not give_up_services:
        detail = f"router {row.name} serves {served} subscriptions: stop that first, or give the services up with it"
        raise NotAllowed(detail, served=served)
    text = checks.optional_text(note, "note", 2000, "replaced by another router")
    tx.audit("remove", "router", row.id, before={"name": row.name, "address": row.address, "served": served}, note=text)
    _end_alarms(tx, row.name, "the router was removed")
    for table in _OF_THE_ROUTER:
        tx.session.execute(delete(table).where(table.router_id == row.id))
    tx.session.delete(row)
    tx.session.flush()
    return served


def start_maintenance(tx: Transaction, router: int | str, *, note: str = "") -> Router:
    """Write nothing to it until the maintenance ends; plans are made. NotAllowed when one goes on already."""
    row = get_router(tx, router, lock=True)
    if row.maintenance_since is not None:
        raise NotAllowed(f"router {row.name} is in maintenance since {row.maintenance_since:%Y-%m-%d %H:%M} UTC")
    row.maintenance_since = tx.now
    row.maintenance_note = checks.optional_text(note, "note", 2000, "firmware and a new power supply")
    tx.audit("start-maintenance", "router", row.id, after={"since": tx.now}, note=row.maintenance_note)
    return row


def end_maintenance(tx: Transaction, router: int | str, *, note: str = "") -> Router:
    """All that piled up is done in one apply. NotAllowed when there is no maintenance."""
    row = get_router(tx, router, lock=True)
    if row.maintenance_since is None:
        raise NotAllowed(f"router {row.name} is not in maintenance")
    text = checks.optional_text(note, "note", 2000, "it is up again")
    tx.audit("end-maintenance", "router", row.id, before={"since": row.maintenance_since}, note=text)
    row.maintenance_since, row.maintenance_note = None, ""
    ask_anew(tx, row, way=True)
    return row


def get_router(tx: Transaction, router: int | str, *, lock: bool = False) -> Router:
    """The router of this number or name; digits are a number. NotFound."""
    by_id = isinstance(router, int) or router.isdecimal()
    wanted = select(Router).where(Router.id == int(router) if by_id else Router.name == router)
    row = tx.session.scalar(wanted.with_for_update(key_share=True) if lock else wanted)
    if row is None:
        raise NotFound("router", router)
    return row


@dataclass(frozen=True, slots=True)
class Standing:
    """What else there is to say of a router: how many it serves, what one should know, why it is out of reach."""

    services: int
    advice: list[str]
    trouble: str


def count_served(tx: Transaction, router_id: int) -> int:
    """How many subscriptions it serves that are not cancelled."""
    return sum(_served(tx, [router_id])[router_id].values())


def standings(tx: Transaction, rows: Sequence[Router]) -> dict[int, Standing]:
    """By the router's number; a fixed number of queries."""
    ids = [row.id for row in rows]
    served, answered = _served(tx, ids), nas_that_answer(tx, rows)
    query = select(RouterStatus.router_id, RouterStatus.trouble).where(RouterStatus.router_id.in_(ids))
    troubles = {row.router_id: row.trouble for row in tx.session.execute(query)}
    return {row.id: _standing(row, served[row.id], row.nas_id in answered, troubles.get(row.id, "")) for row in rows}


def target_of(router: Router) -> Target:
    """Where and how to connect; holds the password in the clear."""
    return Target(
        host=router.address,
        port=router.port,
        login=router.login,
        password=router.password.reveal(),
        tls=router.tls,
        fingerprint=router.tls_fingerprint,
        charset=router.charset,
        timeout=float(router.timeout_seconds),
    )


def ask_anew(tx: Transaction, router: Router, *, way: bool = False) -> None:
    """Have the whole router read and planned again; `way`: even if it was out of reach until now."""
    tx.session.flush()
    anew: dict[str, Any] = {"full_at": None}
    if way:
        anew |= {"failures": 0, "retry_at": None}
    tx.session.execute(update(RouterStatus).where(RouterStatus.router_id == router.id).values(**anew))
    tx.enqueue(CONVERGE, str(router.id))


def _served(tx: Transaction, ids: Sequence[int]) -> dict[int, Counter[str]]:
    """Router → how many it serves, by access."""
    query = (
        select(RouterService.router_id, RouterService.access, func.count())
        .join(Subscription, Subscription.id == RouterService.subscription_id)
        .where(
            RouterService.router_id.in_(ids), RouterService.removed_at.is_(None), Subscription.cancelled_at.is_(None)
        )
        .group_by(RouterService.router_id, RouterService.access)
    )
    found: dict[int, Counter[str]] = {key: Counter() for key in ids}
    for router_id, access, count in tx.session.execute(query):
        found[router_id][access] = count
    return found


def _standing(router: Router, served: Counter[str], answered: bool, trouble: str) -> Standing:
    fields = {field: getattr(router, field) for field in _FIELDS}
    return Standing(sum(served.values()), advice_for(fields, served[Access.RADIUS], answered), trouble)


def _follow_tls(router: Router, values: dict[str, Any]) -> None:
    tls = values.get("tls", router.tls)
    if tls != PINNED:
        values.setdefault("tls_fingerprint", "")
    if "port" not in values and router.port == (PORT if router.tls == OFF else TLS_PORT):
        values["port"] = PORT if tls == OFF else TLS_PORT


def _restricting(tx: Transaction) -> tuple[str, ...]:
    return tx.settings.suspended_address_list, tx.settings.paused_address_list


def _end_alarms(tx: Transaction, name: str, note: str) -> None:
    for kind in ALARMS:
        end_alarm(tx, kind, name, note=note)


def _refuse_taken(tx: Transaction, values: Mapping[str, Any]) -> None:
    taken = tx.session.scalar(select(Router).where(Router.name == values["name"])) if "name" in values else None
    if taken is not None:
        detail = f"the name {taken.name} belongs to router {taken.id} already"
        raise Conflict(detail, field="name", router_id=taken.id)


def _flush(tx: Transaction) -> None:
    """Write now; two requests that passed the look-up together meet in the unique constraint."""
    try:
        tx.session.flush()
    except IntegrityError as error:
        raise Conflict("another router was just given this name", field="name") from error
