"""What would be sent to the routers if a subscription's facts were other ones: shown before anything changes.

The same plan decides as in `provisioning.convergence.converge`; it is only asked with facts that do not hold yet.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select

from core.database import Transaction
from provisioning.convergence.plan import Action, AwaitProof, ChangeSession, EndSession, Nothing, plan
from provisioning.convergence.steps import observation
from provisioning.fact_store import rules_from
from provisioning.facts import Facts
from provisioning.service_state import answer_at, service_state
from radius.attribute_words import in_words
from radius.models import Nas, Session
from radius.policy import Denial, Grant
from radius.stored_policies import StoredPolicies
from radius.vendors import VENDORS


@dataclass(frozen=True, slots=True)
class Effect:
    """What anybody outside would notice: the state, both speeds (None: no service), whether one is a custom speed."""

    state: str
    download_bps: int | None
    upload_bps: int | None
    custom: bool
    until: str | None
    """When the custom speed ends by itself, ISO 8601 in UTC."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Send:
    """What one live session would be told. `action`: coa, disconnect or nothing; `attributes` as `name = value`."""

    session_id: int
    nas: str
    user_name: str
    action: str
    attributes: tuple[str, ...] = ()
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "attributes": list(self.attributes)}


def effect_of(tx: Transaction, facts: Facts) -> Effect:
    """What these facts lead to at this instant."""
    found = service_state(facts, rules_from(tx.settings), tx.now)
    override = found.override
    until = override.until.isoformat() if override is not None and override.until is not None else None
    down, up = (None, None) if found.speed is None else (found.speed.download_bps, found.speed.upload_bps)
    return Effect(found.state.value, down, up, override is not None, until)


def sends_for(tx: Transaction, subscription_id: int, facts: Facts) -> list[Send]:
    """What each live session of the subscription would be told if these were its facts; [] when none is live."""
    desired = answer_at(facts, rules_from(tx.settings), tx.now)
    policies = StoredPolicies(tx)
    query = (
        select(Session, Nas)
        .join(Nas, Nas.id == Session.nas_id)
        .where(Session.subscription_id == subscription_id, Session.stopped_at.is_(None))
        .order_by(Session.id)
    )
    rows = tx.session.execute(query)
    return [_send(session, nas, _action(tx, session, nas, desired, policies)) for session, nas in rows]


def _action(tx: Transaction, session: Session, nas: Nas, desired: Grant | Denial, policies: StoredPolicies) -> Action:
    return plan(
        observation(session, desired),
        desired,
        tx.now,
        VENDORS[nas.vendor],
        nas.coa_echoes_class,
        policies.get,
        tx.now,
        tx.settings.session_proof,
    )


def _send(session: Session, nas: Nas, action: Action) -> Send:
    place = (session.id, nas.name, session.user_name)
    match action:
        case ChangeSession():
            words = tuple(f"{word.name} = {word.value}" for word in in_words(action.attributes))
            return Send(*place, "coa", words, "changed while it runs")
        case EndSession():
            return Send(*place, "disconnect", (), action.reason)
        case AwaitProof():
            return Send(*place, "nothing", (), action.reason)
        case Nothing():
            return Send(*place, "nothing", (), "it runs at this already")
