"""Where a subscription may be used: how many sessions, from which MAC address, at which NAS and port.

What the workers do with it is in `radius.admission`. A MAC address is bound by a person ("pinned") or by the first
session that opens while the binding learns ("learn"); until there is one, any will do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, select

from core.among import among
from core.database import Transaction
from core.errors import InvalidInput, NotAllowed
from core.runtime import Runtime
from provisioning import checks
from provisioning.models import Subscription
from provisioning.refresh import CHUNK, refresh
from provisioning.subscriptions import lock_subscription, normal_mac
from provisioning.timeline import narrate
from radius.accounting import octets_of
from radius.mac_address import read_mac
from radius.models import Session
from radius.nas import get_nas
from radius.presence import MOST_SESSIONS

OFF, LEARN, PINNED = "off", "learn", "pinned"
MODES = (OFF, LEARN, PINNED)
LONGEST_PORT, LONGEST_PORT_OCTETS = 128, 200
"""Characters that the database keeps, octets that fit into an access record."""


def limit_sessions(tx: Transaction, *, subscription_id: int, limit: int, note: str = "") -> Subscription:
    """At most `limit` sessions at once; 0: any number. Sessions that go on are left alone."""
    if isinstance(limit, bool) or not 0 <= limit <= MOST_SESSIONS:
        raise InvalidInput("limit", f"0 (any number) to {MOST_SESSIONS}", 1)
    return _change(tx, subscription_id, "sessions.limited", {"session_limit": limit}, note)


def restrict_to_nas(
    tx: Transaction, *, subscription_id: int, nas_id: int | None, nas_port: str = "", note: str = ""
) -> Subscription:
    """Only at this NAS and, where one is given, at this port of it (NAS-Port-Id, or NAS-Port as text).

    None: anywhere.
    """
    if nas_id is None and nas_port.strip():
        raise InvalidInput("nas_id", "a port is one of a NAS: name the NAS too", 2)
    if nas_id is not None:
        get_nas(tx, nas_id)
    port = checks.optional_text(nas_port, "nas_port", LONGEST_PORT, "ether2")
    if len(port.encode()) > LONGEST_PORT_OCTETS:
        raise InvalidInput("nas_port", f"at most {LONGEST_PORT_OCTETS} octets in UTF-8", "ether2")
    return _change(tx, subscription_id, "nas.restricted", {"allowed_nas_id": nas_id, "allowed_nas_port": port}, note)


def bind_mac(
    tx: Transaction, *, subscription_id: int, mode: str, mac: str | None = None, note: str = ""
) -> Subscription:
    """Bind the subscription to one MAC address, or to none.

    "pinned" takes `mac`, or what is bound already; "learn" keeps what is bound, and takes the address of the oldest
    open session otherwise, or else of the next one; "off" forgets it.
    """
    if mode not in MODES:
        raise InvalidInput("mode", f"one of {', '.join(MODES)}", LEARN)
    if mac and mode != PINNED:
        raise InvalidInput("mac", "only a pinned binding is given its address", None)
    subscription = lock_subscription(tx, subscription_id)
    bound = normal_mac(mac) if mac else subscription.bound_mac
    if mode == PINNED and bound is None:
        raise InvalidInput("mac", "the MAC address to pin", "02:00:5e:10:00:01")
    wanted = {"mac_binding": mode, "bound_mac": None if mode == OFF else bound, "mac_learns_after": 0}
    subscription = _change(tx, subscription_id, "mac.bound", wanted, note)
    _learn(tx, _teachers(tx, Subscription.id == subscription_id))
    return subscription


def reset_mac(tx: Transaction, *, subscription_id: int, note: str = "") -> Subscription:
    """Forget the bound address and learn again, from the next session that opens: the equipment was replaced.

    Unlike `bind_mac` it takes no address of a session that goes on, which may be that of the old equipment.
    """
    subscription = lock_subscription(tx, subscription_id)
    if subscription.mac_binding == OFF:
        raise NotAllowed(f"subscription {subscription_id} is bound to no MAC address", mac_binding=OFF)
    newest = tx.session.scalar(select(func.max(Session.id))) or 0
    wanted = {"mac_binding": LEARN, "bound_mac": None, "mac_learns_after": newest}
    return _change(tx, subscription_id, "mac.reset", wanted, note)


def learn_at_nas(runtime: Runtime, nas_id: int) -> int:
    """Bind those that are learning and are connected at this NAS; gives how many. One query when nobody is."""
    with runtime.database.reading() as tx:
        found = list(_teachers(tx, Session.nas_id == nas_id).items())
    for start in range(0, len(found), CHUNK):
        with runtime.database.transaction() as tx:
            _learn(tx, dict(found[start : start + CHUNK]))
    return len(found)


def _teachers(tx: Transaction, which: ColumnElement[bool]) -> dict[int, str]:
    """Subscription that is learning → MAC address that its oldest open session is called from."""
    query = (
        select(Subscription.id, Session.calling_station_id)
        .join(Session, Session.subscription_id == Subscription.id)
        .where(
            Subscription.mac_binding == LEARN,
            Subscription.bound_mac.is_(None),
            Subscription.cancelled_at.is_(None),
            Session.stopped_at.is_(None),
            Session.id > Subscription.mac_learns_after,
            which,
        )
    )
    found: dict[int, str] = {}
    for subscription_id, caller in tx.session.execute(query.order_by(Subscription.id, Session.id)):
        mac = read_mac(octets_of(caller))
        if mac is not None:
            found.setdefault(subscription_id, mac.hex(":"))
    return found


def _learn(tx: Transaction, macs: Mapping[int, str]) -> None:
    """Bind what is still to be bound."""
    wanted = select(Subscription).where(
        among(tx.session, Subscription.id, macs), Subscription.mac_binding == LEARN, Subscription.bound_mac.is_(None)
    )
    locked = wanted.order_by(Subscription.id).with_for_update(of=Subscription, key_share=True)
    for subscription in tx.session.scalars(locked).all():
        _set(tx, subscription, "mac.learned", {"bound_mac": macs[subscription.id]})
    refresh(tx, list(macs))


def _change(tx: Transaction, subscription_id: int, event: str, wanted: Mapping[str, Any], note: str) -> Subscription:
    """Carry it out and let the workers know; nothing where nothing changes."""
    subscription = lock_subscription(tx, subscription_id)
    if _set(tx, subscription, event, wanted, note):
        refresh(tx, [subscription_id])
    return subscription


def _set(tx: Transaction, subscription: Subscription, event: str, wanted: Mapping[str, Any], note: str = "") -> bool:
    """Set columns and write down what that changed; whether it changed anything."""
    after = {name: value for name, value in wanted.items() if getattr(subscription, name) != value}
    before = {name: getattr(subscription, name) for name in after}
    for name, value in after.items():
        setattr(subscription, name, value)
    if after:
        told = {name: value for name, value in after.items() if name != "mac_learns_after"}
        narrate(tx, subscription.id, event, details=told, note=note)
        tx.audit(event, "subscription", subscription.id, before, after, note=note)
    return bool(after)
