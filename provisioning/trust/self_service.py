"""What a subscriber may see and do through a portal or a telephone system, known by document or by login.

Whoever is not found gets one and the same answer, whether the document is wrong, unknown, or another person's: nobody
learns here who is a customer. The subscriber is never named either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select

from core.database import Transaction
from core.errors import InvalidInput, NotAllowed, NotFound
from provisioning.debts import open_debts
from provisioning.documents import parse_document
from provisioning.facts import ServiceState
from provisioning.intervals import facts_of, present
from provisioning.models import Subscriber, Subscription, TrustUnblockRow
from provisioning.subscriptions import lock_subscription
from provisioning.trust.portal_words import (
    NOT_NEEDED,
    NOT_OFFERED,
    Words,
    granted_words,
    possible_words,
    refused_words,
    state_words,
)
from provisioning.trust.rule_book import present_rules
from provisioning.trust.rules import Refused, end_of_day, may_trust
from provisioning.trust.unblock import RESTRICTED, grant_trust_unblock

CHANNEL = "self-service"


@dataclass(frozen=True, slots=True)
class TrustOffer:
    """Whether a trust unblock may be asked for, and for how many days at most (0: not); `words` say why not."""

    possible: bool
    most_days: int
    words: Words


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One subscription as its subscriber may see it."""

    subscription_id: int
    login: str | None
    plan_name: str
    state: ServiceState
    words: Words
    open_cents: int
    trust: TrustOffer


@dataclass(frozen=True, slots=True)
class TrustGiven:
    """What the subscriber is told of the trust unblock."""

    subscription_id: int
    state: ServiceState
    until: datetime
    protocol: str
    words: Words


def subject_of(document: str, login: str) -> str:
    """What tries are counted by: who is asked about, in one notation. InvalidInput unless exactly one is given."""
    if bool(document.strip()) == bool(login.strip()):
        raise InvalidInput("document", "either a document or a login", "390.533.447-05")
    if login.strip():
        return f"login:{login.strip()}"
    return "document:" + "".join(character for character in document.upper() if character.isalnum())


def service_status(tx: Transaction, *, document: str = "", login: str = "") -> list[ServiceStatus]:
    """The subscriptions of whoever that is; NotFound, always in the same words, for nobody."""
    return [_status(tx, row) for row in _found(tx, document, login)]


def trust_myself(
    tx: Transaction, *, subscription_id: int, document: str = "", login: str = "", days: int | None = None
) -> TrustGiven:
    """A trust unblock at the subscriber's own request; `days` None: as many as the rules let them have."""
    if subscription_id not in {row.id for row in _found(tx, document, login)}:
        raise _nobody()
    lock_subscription(tx, subscription_id)
    offer = _offer(tx, subscription_id)
    if not offer.possible:
        raise NotAllowed(offer.words.en, words={"pt_br": offer.words.pt_br, "en": offer.words.en})
    if days is not None and not 1 <= days <= offer.most_days:
        raise InvalidInput("days", f"from 1 to {offer.most_days}", offer.most_days)
    row = grant_trust_unblock(
        tx,
        subscription_id=subscription_id,
        until=end_of_day(tx.now, days or offer.most_days, tx.settings.timezone),
        note=f"asked for by the subscriber through {tx.actor.name}",
        channel=CHANNEL,
    )
    return _given(tx, row)


def _found(tx: Transaction, document: str, login: str) -> Sequence[Subscription]:
    query = select(Subscription).where(Subscription.cancelled_at.is_(None), _whose(document, login))
    rows = tx.session.scalars(query.order_by(Subscription.id)).all()
    if not rows:
        raise _nobody()
    return rows


def _whose(document: str, login: str) -> ColumnElement[bool]:
    subject_of(document, login)
    if login.strip():
        return Subscription.login == login.strip()
    try:
        number = parse_document(document).number
    except InvalidInput:  # a wrong document is nobody's; to say more would help whoever guesses
        raise _nobody() from None
    holder = select(Subscriber.id).where(Subscriber.document == number)
    return Subscription.subscriber_id.in_(holder)


def _nobody() -> NotFound:
    return NotFound("service", "of this document or login")


def _status(tx: Transaction, row: Subscription) -> ServiceStatus:
    state = present(tx, row.id).state
    owed = sum(debt.open_cents for debt in open_debts(tx, row.id))
    return ServiceStatus(row.id, row.login, row.plan.name, state, state_words(state), owed, _offer(tx, row.id))


def _offer(tx: Transaction, subscription_id: int) -> TrustOffer:
    rules, zone = present_rules(tx), tx.settings.timezone
    if present(tx, subscription_id).state not in RESTRICTED:
        return TrustOffer(False, 0, NOT_NEEDED)
    if not rules.portal_days:
        return TrustOffer(False, 0, NOT_OFFERED)
    until = end_of_day(tx.now, rules.portal_days, zone)
    verdict = may_trust(facts_of(tx, subscription_id), rules, tx.now, until, zone)
    if isinstance(verdict, Refused):
        return TrustOffer(False, 0, refused_words(verdict))
    return TrustOffer(True, rules.portal_days, possible_words(rules.portal_days))


def _given(tx: Transaction, row: TrustUnblockRow) -> TrustGiven:
    words = granted_words(row.until, row.protocol, tx.settings.timezone)
    state = present(tx, row.subscription_id).state
    return TrustGiven(row.subscription_id, state, row.until, row.protocol, words)
