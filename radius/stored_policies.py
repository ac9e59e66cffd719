"""Policies by id, as they are kept for every RADIUS host; read once for one look at many sessions."""

from __future__ import annotations

from sqlalchemy import select

from core.database import Transaction
from radius.models import ReplicaEntry, Session
from radius.policy import Policy
from radius.records import policy_key


class StoredPolicies:
    """A policy is written once and never changed, so what was read stays right."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._known: dict[str, Policy | None] = {}

    def get(self, policy_id: str) -> Policy | None:
        if policy_id not in self._known:
            text = self._tx.session.scalar(select(ReplicaEntry.value).where(ReplicaEntry.key == policy_key(policy_id)))
            self._known[policy_id] = None if text is None else Policy.from_json(text)
        return self._known[policy_id]

    def running(self, session: Session) -> Policy | None:
        """What the session runs as far as we know: what the NAS acknowledged, else what accounting shows."""
        fingerprint = session.acked_fingerprint or session.granted_fingerprint
        return self.get(fingerprint.partition(".")[0]) if fingerprint else None
