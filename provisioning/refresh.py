"""From changed facts to what everybody else sees: the step that ends every command.

Evaluates the subscriptions anew, writes the cached state and a timeline entry where it changed, publishes the access
record where it changed, and asks for convergence of the routers that hold live sessions. All in the caller's
transaction; doing it again without a change of facts writes nothing.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import cast

from sqlalchemy import Table, bindparam, update
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.util import identity_key

from core.database import Transaction
from provisioning.fact_store import Known, load_known, rules_from
from provisioning.facts import ServiceRules, ServiceState
from provisioning.latency.waits import Moved, begin_waits
from provisioning.models import Subscription
from provisioning.routeros.services.handing_on import give_up_services
from provisioning.routeros.touch import touch_routers
from provisioning.service_state import next_change_at, service_state, spans_from
from provisioning.timeline import narrate, narrate_states
from provisioning.warnings.commands import end_of_restricted
from radius import records, replica
from radius.policy import Denial, Grant, Span
from radius.sessions import nas_ids_with_open_sessions

CHUNK = 500
_TABLE = cast("Table", Subscription.__table__)


def refresh(tx: Transaction, subscription_ids: Sequence[int], *, republish: bool = False) -> int:
    """Re-evaluate; gives how many records were published. `republish` publishes them whether or not they changed."""
    tx.session.flush()
    published: list[int] = []
    ids, rules = sorted(set(subscription_ids)), rules_from(tx.settings)
    for start in range(0, len(ids), CHUNK):
        news = _News()
        for known in load_known(tx, ids[start : start + CHUNK], lock=True):
            if _refresh_one(tx, known, rules, republish, news):
                published.append(known.subscription_id)
        narrate_states(tx, news.changes)
        _remember(tx, news.values)
        begin_waits(tx, news.moved)
        end_of_restricted(tx, [key for key, moved in news.moved.items() if moved.after != ServiceState.ACTIVE])
        touch_routers(tx, news.values.keys())
        give_up_services(tx, [key for key, moved in news.moved.items() if moved.after == ServiceState.CANCELLED])
    for nas_id in nas_ids_with_open_sessions(tx, published):
        tx.enqueue("converge", str(nas_id))
    return len(published)


@dataclass
class _News:
    """What the evaluation of a chunk is to leave in the database: changes of state to tell, columns by subscription.

    `moved` are those that are in another state than before.
    """

    changes: list[tuple[int, tuple[str, str]]] = field(default_factory=list)
    values: dict[int, dict[str, object]] = field(default_factory=dict)
    moved: dict[int, Moved] = field(default_factory=dict)


def _refresh_one(tx: Transaction, known: Known, rules: ServiceRules, republish: bool, news: _News) -> bool:
    spans = spans_from(known.facts, rules, tx.now)
    state = service_state(known.facts, rules, tx.now).state.value
    following = spans[0].until
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
    _tell_returns(tx, known)
    passed = pairwise((*_states_passed(known, rules, tx.now), state))
    news.changes += [(known.subscription_id, states) for states in passed if states[0] != states[1]]
    if state != known.state:
        news.moved[known.subscription_id] = Moved(known.state, state, fingerprint)
    if publish:
        _publish(tx, known, spans)
    news.values[known.subscription_id] = _concluded(tx, known, state, fingerprint, following, digest)
    return publish


def _tell_returns(tx: Transaction, known: Known) -> None:
    """The pauses whose time has come since the last evaluation, each with the note for its return."""
    untold = known.next_change_at
    for pause in known.facts.pauses:
        if untold is not None and pause.until is not None and not pause.ended_by and untold <= pause.until <= tx.now:
            details = {"since": pause.since, "until": pause.until}
            narrate(tx, known.subscription_id, "pause.ended", details=details, note=pause.return_note)


def _states_passed(known: Known, rules: ServiceRules, now: datetime) -> Iterator[str]:
    """The state that was last told, then those that time brought since: a change of facts may come before the alarm."""
    yield known.state
    at = known.next_change_at
    while at is not None and at < now:
        yield service_state(known.facts, rules, at).state.value
        at = next_change_at(known.facts, rules, at)


def _concluded(
    tx: Transaction, known: Known, state: str, fingerprint: str, following: datetime | None, digest: str
) -> dict[str, object]:
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
    return values


def _remember(tx: Transaction, concluded: Mapping[int, Mapping[str, object]]) -> None:
    """Write the columns, in one statement for all that write the same ones; objects of the session follow."""
    alike: dict[tuple[str, ...], list[dict[str, object]]] = defaultdict(list)
    for key, values in concluded.items():
        alike[tuple(values)].append({"the_id": key, **{f"new_{name}": value for name, value in values.items()}})
        known = tx.session.identity_map.get(identity_key(Subscription, key))
        for name, value in values.items() if known is not None else ():
            set_committed_value(known, name, value)
    for names, rows in alike.items():
        statement = update(_TABLE).where(_TABLE.c.id == bindparam("the_id"))
        tx.session.connection().execute(statement.values({name: bindparam(f"new_{name}") for name in names}), rows)


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
