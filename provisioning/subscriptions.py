"""Subscriptions: opening, installing, changing plan and credentials."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from core.database import Transaction
from core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from core.rows import get_row
from core.secrets import Secret
from provisioning import checks
from provisioning.fact_store import load_known
from provisioning.models import Subscription
from provisioning.moves.succession import take_over
from provisioning.plan_switches import switch_locked
from provisioning.plans import checked_price, get_plan
from provisioning.prices import price_of
from provisioning.refresh import access_records, refresh
from provisioning.subscribers import get_subscriber
from provisioning.timeline import narrate
from radius import replica
from radius.mac_address import read_mac
from radius.records import record_key


def open_subscription(
    tx: Transaction,
    *,
    subscriber_id: int,
    plan_id: int,
    login: str = "",
    password: Secret | None = None,
    mac: str = "",
) -> Subscription:
    """A new subscription, PENDING_INSTALL. It authenticates by login and password, or by MAC address (IPoE)."""
    get_subscriber(tx, subscriber_id)
    plan = get_plan(tx, plan_id)
    _refuse_half_credentials(login, password, mac)
    subscription = Subscription(
        subscriber_id=subscriber_id,
        plan_id=plan.id,
        login=checks.login(login) if login else None,
        password=_checked_password(password),
        mac=normal_mac(mac) if mac else None,
        opened_at=tx.now,
        state="PENDING_INSTALL",
        state_since=tx.now,
        desired_fingerprint="",
        desired_since=tx.now,
    )
    _refuse_taken(tx, subscription)
    _store(tx, subscription)
    shown = {"plan": plan.name, "login": subscription.login, "mac": subscription.mac}
    narrate(tx, subscription.id, "opened", details=shown)
    tx.audit("open", "subscription", subscription.id, after=shown)
    refresh(tx, [subscription.id])
    return subscription


def activate(tx: Transaction, *, subscription_id: int, note: str = "") -> Subscription:
    """The installation is done: from now on the subscription has service.

    One that awaits a migration takes the place of the old one by it, which is cancelled.
    """
    *olds, subscription = lock_pair(tx, subscription_id)
    if subscription.installed_at is not None:
        raise NotAllowed(f"subscription {subscription_id} was installed on {subscription.installed_at:%Y-%m-%d}")
    subscription.installed_at = tx.now
    narrate(tx, subscription_id, "installed", note=note)
    tx.audit("activate", "subscription", subscription_id, after={"installed_at": tx.now}, note=note)
    for old in olds:
        take_over(tx, old, subscription, note)
    refresh(tx, [subscription_id])
    return subscription


def switch_plan(
    tx: Transaction, *, subscription_id: int, plan_id: int, change_price: bool = True, note: str = ""
) -> Subscription:
    """Move the subscription to another plan, at once.

    `change_price`: it costs what the new plan costs; otherwise it keeps what it cost so far, as a price of its own.
    """
    subscription = lock_subscription(tx, subscription_id)
    switch_locked(tx, [subscription], get_plan(tx, plan_id), change_price=change_price, note=note)
    refresh(tx, [subscription_id])
    return subscription


def change_price(
    tx: Transaction, *, subscription_id: int, price_cents: int | None = None, note: str = ""
) -> Subscription:
    """Give the subscription a price of its own, in cents a month; None: from now on it costs what its plan costs."""
    subscription = lock_subscription(tx, subscription_id)
    before = {"price_cents": price_of(subscription), "own_price": subscription.price_cents is not None}
    subscription.price_cents = None if price_cents is None else checked_price(price_cents)
    after = {"price_cents": price_of(subscription), "own_price": price_cents is not None}
    told = {"from_cents": before["price_cents"], "to_cents": after["price_cents"], "own_price": after["own_price"]}
    text = checks.optional_text(note, "note", 2000, "agreed when the contract was renewed")
    narrate(tx, subscription_id, "price.changed", details=told, note=text)
    tx.audit("change-price", "subscription", subscription_id, before, after, note=text)
    return subscription


def change_credentials(
    tx: Transaction,
    *,
    subscription_id: int,
    login: str | None = None,
    password: Secret | None = None,
    mac: str | None = None,
) -> Subscription:
    """Replace what is given; `mac=""` or `login=""` removes it. Passwords never reach timeline or audit trail."""
    subscription = lock_subscription(tx, subscription_id)
    _withdraw_records(tx, subscription_id)
    before = {"login": subscription.login, "mac": subscription.mac}
    if login is not None:
        subscription.login = checks.login(login) if login else None
    if password is not None:
        subscription.password = _checked_password(password)
    if mac is not None:
        subscription.mac = normal_mac(mac) if mac else None
    _refuse_half_credentials(subscription.login or "", subscription.password, subscription.mac or "")
    _refuse_taken(tx, subscription)
    _store(tx, subscription)
    after = {"login": subscription.login, "mac": subscription.mac, "password_changed": password is not None}
    narrate(tx, subscription_id, "credentials.changed", details={"login": after["login"], "mac": after["mac"]})
    tx.audit("change-credentials", "subscription", subscription_id, before, after)
    refresh(tx, [subscription_id], republish=True)
    return subscription


def get_subscription(tx: Transaction, subscription_id: int) -> Subscription:
    return get_row(tx, Subscription, subscription_id, "subscription")


def lock_subscription(tx: Transaction, subscription_id: int) -> Subscription:
    """The subscription, locked for a change; a cancelled one takes no changes any more."""
    query = select(Subscription).where(Subscription.id == subscription_id)
    subscription = tx.session.scalar(query.with_for_update(of=Subscription, key_share=True))
    if subscription is None:
        raise NotFound("subscription", subscription_id)
    if subscription.cancelled_at is not None:
        raise NotAllowed(
            f"subscription {subscription_id} was cancelled on {subscription.cancelled_at:%Y-%m-%d}",
            state="CANCELLED",
        )
    return subscription


def lock_pair(tx: Transaction, subscription_id: int) -> list[Subscription]:
    """The subscription, locked; before it, where it awaits a migration, the old one, which has the lower id.

    NotAllowed when one of them is cancelled.
    """
    links = (Subscription.migrates_from_id, Subscription.installed_at)
    row = tx.session.execute(select(*links).where(Subscription.id == subscription_id)).one_or_none()
    if row is None or row.migrates_from_id is None or row.installed_at is not None:
        return [lock_subscription(tx, subscription_id)]
    return [lock_subscription(tx, row.migrates_from_id), lock_subscription(tx, subscription_id)]


def normal_mac(text: str) -> str:
    """`aa:bb:cc:dd:ee:ff` from any usual notation."""
    octets = read_mac(text.strip().encode())
    if octets is None:
        raise InvalidInput("mac", "a MAC address of six octets", "02:00:5e:10:00:01")
    return octets.hex(":")


def _checked_password(password: Secret | None) -> Secret | None:
    if password is not None:
        checks.password(password.reveal())
    return password


def _refuse_half_credentials(login: str, password: Secret | None, mac: str) -> None:
    if not login and not mac:
        raise InvalidInput("login", "a login with its password, or a MAC address", "maria@provedor")
    if login and password is None:
        raise InvalidInput("password", "a login needs a password", "s3nha-longa")


def _refuse_taken(tx: Transaction, subscription: Subscription) -> None:
    for field in ("login", "mac"):
        value = getattr(subscription, field)
        if value is None:
            continue
        with tx.session.no_autoflush:
            holder = tx.session.scalar(
                select(Subscription).where(
                    getattr(Subscription, field) == value,
                    Subscription.cancelled_at.is_(None),
                    Subscription.id != (subscription.id or 0),
                )
            )
        if holder is not None:
            raise Conflict(
                f"{field} {value} belongs to subscription {holder.id} of {holder.subscriber.name}",
                field=field,
                subscription_id=holder.id,
                subscriber_name=holder.subscriber.name,
            )


def _store(tx: Transaction, subscription: Subscription) -> None:
    try:
        with tx.session.begin_nested():
            tx.session.add(subscription)
    except IntegrityError as error:
        raise Conflict("another request has just taken this login or MAC address", field="login") from error


def _withdraw_records(tx: Transaction, subscription_id: int) -> None:
    for known in load_known(tx, [subscription_id]):
        replica.delete(tx, [record_key(record) for record in access_records(tx, known, ())])
