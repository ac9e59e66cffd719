"""Trust unblock: service on a promise to pay, by the company's rules."""

from __future__ import annotations

from datetime import datetime, timedelta

from core.database import Transaction
from core.errors import InvalidInput, NotAllowed
from provisioning import checks
from provisioning.facts import ServiceState
from provisioning.intervals import begin, end_live, facts_of, present
from provisioning.models import Subscription, TrustUnblockRow
from provisioning.protocols import issue_protocol
from provisioning.subscriptions import lock_subscription
from provisioning.trust.rule_book import present_rules
from provisioning.trust.rules import Limit, Refused, TrustRules, may_trust

OPERATOR = "operator"
BEYOND_RULES = "trust.beyond-rules"
RESTRICTED = (ServiceState.SUSPENDED, ServiceState.REDUCED)


def grant_trust_unblock(
    tx: Transaction,
    *,
    subscription_id: int,
    until: datetime,
    note: str,
    beyond_rules: bool = False,
    channel: str = OPERATOR,
) -> TrustUnblockRow:
    """Service on a promise to pay, until an instant; only for a SUSPENDED or REDUCED subscription.

    At `until` the state that the bills then demand holds by itself. What the rules refuse is granted all the same with
    `beyond_rules`, by whoever has that permission. The row's protocol number is what the subscriber is told.
    """
    subscription = lock_subscription(tx, subscription_id)
    _refuse_unrestricted(tx, subscription_id)
    checks.later_than(until, tx.now, "until", tx.now + timedelta(days=1))
    text = checks.required_text(note, "note", 2000, "will pay on Friday, talked to Maria")
    rules = present_rules(tx)
    exceeded = _exceeded(tx, subscription_id, rules, until, beyond_rules)
    details = {"until": until, "rule_version": rules.version, "channel": channel, "beyond_rules": exceeded}
    number = issue_protocol(
        tx,
        "trust-unblock",
        subscriber_id=subscription.subscriber_id,
        subscription_id=subscription_id,
        details={**details, "note": text},
    )
    row = TrustUnblockRow(
        subscription_id=subscription_id,
        since=tx.now,
        until=until,
        note=text,
        granted_by=tx.actor.name,
        rule_version=rules.version,
        protocol=number,
        channel=channel,
        beyond_rules=bool(exceeded),
    )
    return begin(tx, row, "trust.granted", {**details, "protocol": number})


def end_trust_unblock(tx: Transaction, *, subscription_id: int, note: str = "") -> Subscription:
    """End a live trust unblock now. What was promised and is not paid by now counts as not kept."""
    return end_live(tx, TrustUnblockRow, subscription_id, "trust.ended", "trust unblock", note)


def _refuse_unrestricted(tx: Transaction, subscription_id: int) -> None:
    state = present(tx, subscription_id).state
    if state not in RESTRICTED:
        raise NotAllowed(
            f"subscription {subscription_id} is {state.value}: trust unblock is for SUSPENDED or REDUCED",
            state=state.value,
        )


def _exceeded(tx: Transaction, subscription_id: int, rules: TrustRules, until: datetime, beyond_rules: bool) -> str:
    """The rule that is exceeded by permission, "" for none; an error when one refuses and nobody may exceed it."""
    if beyond_rules:
        tx.require(BEYOND_RULES)
    verdict = may_trust(facts_of(tx, subscription_id), rules, tx.now, until, tx.settings.timezone)
    if not isinstance(verdict, Refused):
        return ""
    if beyond_rules:
        return verdict.limit.value
    if verdict.limit is Limit.DAYS:
        raise InvalidInput("until", verdict.reason, (tx.now + timedelta(days=1)).isoformat())
    raise NotAllowed(
        f"no trust unblock for subscription {subscription_id}: {verdict.reason}; {verdict.mend}",
        rule=verdict.limit.value,
        rule_version=rules.version,
        from_day=None if verdict.from_day is None else verdict.from_day.isoformat(),
    )
