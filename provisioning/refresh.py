"""From changed facts to what everybody else sees: the step that ends every command.

Evaluates the subscriptions anew, writes the cached state and a timeline entry where it changed, publishes the access
record where it changed, and asks for convergence of the routers that hold live sessions. All in the caller's
transaction; doing it again without a change of facts writes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise

from sqlalchemy import update

from core.database import Transaction
from provisioning.fact_store import Known, load_known, rules_from
from provisioning.facts import ServiceRules, ServiceState
from provisioning.models import Subscription
from provisioning.service_state import next_change_at, service_state, spans_from
from provisioning.timeline import narrate
from radius import records, replica
from radius.policy import Denial, Grant, Span
from radius.sessions import nas_ids_with_open_sessions

CHUNK = 500


def refresh(tx: Transaction, subscription_ids: Sequence[int], *, republish: bool = False) -> int:
    """Re-evaluate; gives how many records were published. `republish` publishes them whether or not they changed."""
    tx.session.flush()
    published: list[int] = []
    ids = sorted(set(subscription_ids))
    for start in range(0, len(ids), CHUNK):
        for known in load_known(tx, ids[start : start + CHUNK], lock=True):
            if _refresh_one(tx, known, rules_from(tx.settings), republish):
                published.append(known.subscription_id)
    for nas_id in nas_ids_with_open_sessions(tx, published):
        tx.enqueue("converge", str(nas_id))
    return len(published)


def _refresh_one(tx: Transaction, known: Known, rules: ServiceRules, republish: bool) -> bool:
    spans = spans_from(known.facts, rules, tx.now)
    state = service_state(known.facts, rules, tx.now).state.value
    following = next_change_at(known.facts, rules, tx.now)
    digest = _digest(known, spans)
    fingerprint = fingerprint_of(spans)
    # A cancelled subscription's login may be somebody else's by now: its record goes once, at the cancellation.
    publish = digest != known.record_digest or (republish and state != ServiceState.CANCELLED)
    if not publish and (state, fingerprint, following) == (
        known.state,
        known.desired_fingerprint,
        known.next_change_at,
    ):
        return False
    for states in pairwise((*_states_passed(known, rules, tx.now), state)):
        if states[0] != states[1]:
            narrate(tx, known.subscription_id, "state.changed", states=states)
    if publish:
        _publish(tx, known, spans)
    _remember(tx, known, state, fingerprint, following, digest)
    return publish


def _states_passed(known: Known, rules: ServiceRules, now: datetime) -> Iterator[str]:
    """The state that was last told, then those that time brought since: a change of facts may come before the alarm."""
    yield known.state
    at = known.next_change_at
    while at is not None and at < now:
        yield service_state(known.facts, rules, at).state.value
        at = next_change_at(known.facts, rules, at)


def _remember(
    tx: Transaction, known: Known, state: str, fingerprint: str, following: datetime | None, digest: str
) -> None:
    values: dict[str, object] = {
        "state": state,
        "desired_fingerprint": fingerprint,
        "next_change_at": following,
        "record_digest": digest,
    }
    if state != known.state:
        values["state_since"] = tx.now
    if fingerprint != known.desired_fingerprint:
        values["desired_since"] = tx.now
    statement = update(Subscription).where(Subscription.id == known.subscription_id).values(values)
    tx.session.execute(statement, execution_options={"synchronize_session": "evaluate"})


def fingerprint_of(spans: Sequence[Span]) -> str:
    """The policy that should run now; "" where none should: a session then has to end."""
    answer = spans[0].answer
    return answer.fingerprint if isinstance(answer, Grant) else ""


def _publish(tx: Transaction, known: Known, spans: tuple[Span, ...]) -> None:
    for record in access_records(tx, known, spans):
        if known.facts.cancelled_at is not None and known.facts.cancelled_at <= tx.now:
            replica.delete(tx, [records.record_key(record)])
        else:
            replica.put(tx, records.pack(record, tx.keyring.seal))


def access_records(tx: Transaction, known: Known, spans: tuple[Span, ...]) -> list[records.AccessRecord]:
    """One record a name under which the subscription may authenticate: its login, its MAC address."""
    found = []
    if known.login and known.password is not None:
        password = tx.keyring.decrypt(known.password.encode("ascii"))
        found.append(records.AccessRecord(known.subscription_id, known.login, password, None, spans, known.limits))
    if known.mac:
        found.append(records.AccessRecord(known.subscription_id, known.mac, None, known.mac, spans, known.limits))
    return found


def _digest(known: Known, spans: tuple[Span, ...]) -> str:
    """What the published record depends on, but for the password: a fast hash of that would be a leak."""
    answers = [(span.until, _said(span.answer)) for span in spans]
    text = repr((known.login, known.mac, known.password is None, answers, tuple(known.limits)))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _said(answer: Grant | Denial) -> tuple[str, ...]:
    if isinstance(answer, Denial):
        return (answer.reason,)
    own = (answer.framed_ip_address, answer.framed_ipv6_prefix, answer.delegated_ipv6_prefix, *answer.routes)
    return (answer.policy.policy_id, *map(str, own))
