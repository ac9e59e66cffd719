"""The company's rules for trust unblocks, version after version; each grant names the one that it was made under."""

from __future__ import annotations

from sqlalchemy import Select, select

from core.database import Transaction
from core.errors import InvalidInput
from provisioning import checks
from provisioning.trust.models import TrustRuleVersion
from provisioning.trust.rules import TrustRules

_BOUNDS = {
    "max_days": (1, 365),
    "uses": (0, 100),
    "period_days": (1, 3650),
    "minimum_age_days": (0, 3650),
    "broken_block_days": (0, 3650),
    "self_service_max_days": (0, 365),
}
"""Least and most of each number."""
_SWITCHES = ("block_after_broken", "self_service")
_FIELDS = (*_BOUNDS, *_SWITCHES)


def present_rules(tx: Transaction) -> TrustRules:
    """The newest version; version 0, with `trust_max_days` of the settings, where none was ever set."""
    row = tx.session.scalar(rule_versions().limit(1))
    if row is None:
        most = tx.settings.trust_max_days
        return TrustRules(max_days=most, self_service_max_days=min(most, TrustRules().self_service_max_days))
    return TrustRules(row.version, **{field: getattr(row, field) for field in _FIELDS})


def rule_versions() -> Select[TrustRuleVersion]:
    """Every version, the newest first."""
    return select(TrustRuleVersion).order_by(TrustRuleVersion.version.desc())


def set_trust_rules(tx: Transaction, *, note: str = "", **changes: int | bool) -> TrustRuleVersion:
    """A new version: the present one with these fields of `TrustRules` changed. Earlier grants stay as they are."""
    present = present_rules(tx)
    before = {field: getattr(present, field) for field in _FIELDS}
    after = {**before, **{field: _checked(field, value) for field, value in changes.items()}}
    if after["self_service_max_days"] > after["max_days"]:
        rule = f"at most max_days, which is {after['max_days']}"
        field = "self_service_max_days" if "self_service_max_days" in changes else "max_days"
        raise InvalidInput(field, f"self_service_max_days is {rule}", after["max_days"])
    row = TrustRuleVersion(
        version=present.version + 1,
        since=tx.now,
        set_by=tx.actor.name,
        note=checks.optional_text(note, "note", 2000, "agreed with the call centre"),
        **after,
    )
    tx.session.add(row)
    tx.session.flush()
    fields = [field for field in before if before[field] != after[field]]
    changed = [{field: values[field] for field in fields} for values in (before, after)]
    tx.audit("set", "trust_rules", row.version, changed[0], changed[1], note=row.note)
    return row


def _checked(field: str, value: int | bool) -> int | bool:
    if field in _SWITCHES:
        if isinstance(value, bool):
            return value
        raise InvalidInput(field, "true or false", True)
    if field not in _BOUNDS:
        raise InvalidInput(field, f"one of {', '.join(_FIELDS)}", "max_days")
    least, most = _BOUNDS[field]
    if isinstance(value, bool) or not least <= value <= most:
        raise InvalidInput(field, f"a number from {least} to {most}", max(least, 3))
    return value
