"""Which subscription another system means.

Our id decides, then the login, then the source's own id where we know it, then the document where its subscriber has
one subscription. A login and a document that do not belong together match nothing: a login may have changed hands. A
subscription that moved to another plan by a migration is followed to the one that took its place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from billing_bridge.intake.events import SubscriptionRef
from billing_bridge.intake.models import BillingSource, ExternalSubscription
from core.database import Transaction
from core.errors import InvalidInput
from provisioning.debts import debtors_of
from provisioning.models import Subscriber, Subscription
from provisioning.subscriptions import get_subscription


@dataclass(frozen=True, slots=True)
class Match:
    """The subscription that is meant, or why none is."""

    subscription_id: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Known:
    id: int
    login: str | None
    document: str
    cancelled_at: datetime | None


def match_all(
    tx: Transaction, source: BillingSource, refs: Collection[SubscriptionRef]
) -> dict[SubscriptionRef, Match]:
    """One match for each reference, in three queries."""
    mapped = _mapped(tx, source, {ref.external_id for ref in refs if ref.external_id})
    known = _known(tx, refs, mapped.values())
    debtors = debtors_of(tx, [item.id for item in known if item.cancelled_at is not None])
    found = {}
    for ref in refs:
        match = _match(ref, mapped, known)
        key = match.subscription_id
        found[ref] = match if key is None else Match(debtors.get(key, key))
    return found


def link(tx: Transaction, source: BillingSource, external_id: str, subscription_id: int) -> None:
    """From now on the source's id means this subscription; what was linked before is replaced."""
    row = tx.session.get(ExternalSubscription, (source.id, external_id))
    if row is not None and row.subscription_id == subscription_id:
        return
    before = {"subscription_id": row.subscription_id} if row is not None else None
    if row is None:
        row = ExternalSubscription(source_id=source.id, external_id=external_id)
        tx.session.add(row)
    row.subscription_id, row.since = subscription_id, tx.now
    after = {"external_id": external_id, "subscription_id": subscription_id}
    tx.audit("link", "billing_source", source.id, before, after)
    tx.session.flush()


def link_services(tx: Transaction, source: BillingSource, services: Iterable[tuple[str, str, str]]) -> int:
    """Learn who is who from a listing of (the source's id, login, document); gives how many were new or changed."""
    refs = {key: SubscriptionRef(login=login, document=document) for key, login, document in services}
    matches = match_all(tx, source, set(refs.values()))
    mapped = _mapped(tx, source, set(refs))
    wanted = {key: matches[ref].subscription_id for key, ref in refs.items()}
    learnt = {key: found for key, found in wanted.items() if found is not None and mapped.get(key) != found}
    for key, subscription_id in learnt.items():
        row = ExternalSubscription(source_id=source.id, external_id=key, subscription_id=subscription_id, since=tx.now)
        tx.session.merge(row)
    if learnt:
        tx.audit("link", "billing_source", source.id, after={"learnt": len(learnt)})
    tx.session.flush()
    return len(learnt)


def link_subscription(tx: Transaction, source: BillingSource, external_id: str, subscription_id: int) -> None:
    """A person says which subscription a source's id means."""
    text = external_id.strip()
    if not 1 <= len(text) <= 80:
        raise InvalidInput("external_id", "1 to 80 characters", "S-77")
    link(tx, source, text, get_subscription(tx, subscription_id).id)


def _match(ref: SubscriptionRef, mapped: dict[str, int], known: list[_Known]) -> Match:
    if ref.id is not None:
        return _only([item for item in known if item.id == ref.id], ref)
    if ref.login and (of_login := _newest([item for item in known if item.login == ref.login])):
        return _only(of_login, ref)
    if ref.external_id in mapped:
        return _only([item for item in known if item.id == mapped[ref.external_id]], ref)
    if ref.document and not ref.login:
        return _by_document(ref, known)
    return Match(None, f"no subscription has {ref}")


def _only(found: list[_Known], ref: SubscriptionRef) -> Match:
    if not found:
        return Match(None, f"no subscription has {ref}")
    if ref.document and found[0].document != ref.document:
        return Match(None, f"subscription {found[0].id} belongs to a subscriber with another document")
    return Match(found[0].id)


def _by_document(ref: SubscriptionRef, known: list[_Known]) -> Match:
    found = [item for item in known if item.document == ref.document]
    live = [item for item in found if item.cancelled_at is None] or found
    if len(live) > 1:
        ids = ", ".join(str(item.id) for item in live)
        return Match(None, f"the document's subscriber has {len(live)} subscriptions ({ids}): link the source's id")
    return Match(live[0].id) if live else Match(None, f"no subscription has {ref}")


def _newest(found: list[_Known]) -> list[_Known]:
    """The one that lives, else the one that was opened last: logins are used again."""
    return sorted(found, key=lambda item: (item.cancelled_at is None, item.id))[-1:]


def _mapped(tx: Transaction, source: BillingSource, external_ids: Collection[str]) -> dict[str, int]:
    query = select(ExternalSubscription.external_id, ExternalSubscription.subscription_id)
    query = query.where(ExternalSubscription.source_id == source.id, ExternalSubscription.external_id.in_(external_ids))
    return {row[0]: row[1] for row in tx.session.execute(query)}


def _known(tx: Transaction, refs: Collection[SubscriptionRef], mapped: Iterable[int]) -> list[_Known]:
    ids = {ref.id for ref in refs if ref.id is not None} | set(mapped)
    waits_to_take_over = Subscription.migrates_from_id.is_not(None) & Subscription.installed_at.is_(None)
    query = (
        select(Subscription.id, Subscription.login, Subscriber.document, Subscription.cancelled_at)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(
            or_(
                Subscription.id.in_(ids),
                Subscription.login.in_({ref.login for ref in refs if ref.login}),
                Subscriber.document.in_({ref.document for ref in refs if ref.document}) & ~waits_to_take_over,
            )
        )
        .order_by(Subscription.id)
    )
    return [_Known(*row) for row in tx.session.execute(query)]
