"""The other billing systems that this installation believes: adding one, changing it, replacing its secret.

Secrets go in and never come out. How a source's invoices are versioned follows from its kind and never changes, so
that no two ways of counting meet in one mirror.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select

from billing_bridge.intake.models import BillingSource
from core.alarms import end_alarm
from core.database import Transaction
from core.errors import Conflict, InvalidInput, NotAllowed
from core.rows import get_row, lock_row
from core.secrets import Secret
from provisioning.checks import optional_text, required_text
from provisioning.routines.seeds import seed_on_demand

KINDS = ("push", "hubsoft")
FEED_EMPTY, FEED_FAILING = "feed-empty", "feed-failing"
LEAST_SECRET = 24
WINDOW_DAYS = 90

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_SECRET = re.compile(r"[\x21-\x7e]{1,200}")


def add_source(tx: Transaction, *, name: str, kind: str, secret: Secret, **values: Any) -> BillingSource:
    """Add a source. `values`: enabled, password, base_url, client_id, username, window_days, expect_every_hours.

    With the first one that we ask comes a routine that asks it.
    """
    if kind not in KINDS:
        raise InvalidInput("kind", f"one of {', '.join(KINDS)}", "push")
    source = BillingSource(
        name=_free_name(tx, name),
        kind=kind,
        enabled=values.pop("enabled", True),
        secret=_checked_secret(secret, kind),
        password=_checked_password(values.pop("password", None)),
        settings=_settings(kind, {}, values),
        failures=0,
        failure="",
        created_at=tx.now,
    )
    _refuse_incomplete(source)
    tx.session.add(source)
    tx.session.flush()
    tx.audit("add", "billing_source", source.id, after=_shown(source))
    if kind != "push":
        seed_on_demand(tx, "sync")
    return source


def change_source(tx: Transaction, *, source_id: int, **changes: Any) -> BillingSource:
    """Change a source's name, `enabled`, password or settings; its kind stays. A disabled one has no alarms."""
    source = lock_source(tx, source_id)
    before = _shown(source)
    if "name" in changes and (name := str(changes.pop("name"))) != source.name:
        source.name = _free_name(tx, name)
    source.enabled = changes.pop("enabled", source.enabled)
    if (password := changes.pop("password", None)) is not None:
        source.password = _checked_password(password)
    source.settings = _settings(source.kind, source.settings, changes)
    _refuse_incomplete(source)
    if not source.enabled or before["name"] != source.name:
        _end_alarms(tx, str(before["name"]))
    tx.audit("change", "billing_source", source.id, before, _shown(source))
    tx.session.flush()
    return source


def rotate_secret(tx: Transaction, *, source_id: int, secret: Secret, keep_hours: int = 24) -> BillingSource:
    """Replace the secret; the one it replaces is taken too for `keep_hours` more, so that the sender can follow."""
    source = lock_source(tx, source_id)
    if isinstance(keep_hours, bool) or not 0 <= keep_hours <= 168:
        raise InvalidInput("keep_hours", "0 to 168 hours", 24)
    fresh = _checked_secret(secret, source.kind)
    if fresh == source.secret:
        raise InvalidInput("secret", "another secret than the one that it has", "twenty-four-characters-or-more")
    source.previous_secret, source.previous_until = source.secret, tx.now + timedelta(hours=keep_hours)
    source.secret = fresh
    tx.audit("rotate-secret", "billing_source", source.id, after={"previous_until": source.previous_until})
    tx.session.flush()
    return source


def secrets_of(source: BillingSource, now: Any) -> list[Secret]:
    """The secrets that are valid at `now`, the present one first."""
    kept = source.previous_secret if source.previous_until is not None and now < source.previous_until else None
    return [source.secret] if kept is None else [source.secret, kept]


def get_source(tx: Transaction, source_id: int) -> BillingSource:
    return get_row(tx, BillingSource, source_id, "billing source")


def lock_source(tx: Transaction, source_id: int) -> BillingSource:
    """The source, locked: what changes one source's mirror goes one after the other. First of all locks."""
    return lock_row(tx, BillingSource, source_id, "billing source")


def require_enabled(source: BillingSource) -> None:
    if not source.enabled:
        raise NotAllowed(f"the billing source {source.name} is disabled: enable it first", billing_source_id=source.id)


def list_sources(tx: Transaction, *, enabled: bool = False, pulled: bool = False) -> Sequence[BillingSource]:
    """In order of id; only those that are enabled, or that we ask."""
    query = select(BillingSource).order_by(BillingSource.id)
    if enabled:
        query = query.where(BillingSource.enabled)
    if pulled:
        query = query.where(BillingSource.kind != "push")
    return tx.session.scalars(query).all()


def _settings(kind: str, present: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    allowed = {"push": _PUSH, "hubsoft": _HUBSOFT}[kind]
    settings = dict(present)
    for name, value in changes.items():
        if name not in allowed:
            if value in (None, ""):
                continue
            raise InvalidInput(name, f"is not for sources of the kind {kind}; they take {', '.join(allowed)}", None)
        settings[name] = allowed[name](value)
    return settings


def _base_url(value: str) -> str:
    text = optional_text(value, "base_url", 300, "https://api.provedor.hubsoft.com.br").rstrip("/")
    parts = urlsplit(text)
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or local) or parts.username or parts.query or parts.fragment:
        rule = "an https address without user, query and fragment; http only on this machine"
        raise InvalidInput("base_url", rule, "https://api.provedor.hubsoft.com.br")
    return text


def _days(value: int | None) -> int:
    if value is None:
        return WINDOW_DAYS
    if isinstance(value, bool) or not 1 <= value <= 3650:
        raise InvalidInput("window_days", "1 to 3650 days", WINDOW_DAYS)
    return value


def _hours(value: int | None) -> int | None:
    if value is not None and (isinstance(value, bool) or not 1 <= value <= 8760):
        raise InvalidInput("expect_every_hours", "1 to 8760 hours, or null", 24)
    return value


_PUSH = {"expect_every_hours": _hours}
_HUBSOFT: dict[str, Any] = {
    "base_url": _base_url,
    "client_id": lambda value: required_text(value, "client_id", 120, "12"),
    "username": lambda value: required_text(value, "username", 200, "api@provedor.example"),
    "window_days": _days,
}


def _refuse_incomplete(source: BillingSource) -> None:
    if source.kind != "hubsoft":
        return
    for name, example in (
        ("base_url", "https://api.provedor.hubsoft.com.br"),
        ("client_id", "12"),
        ("username", "api"),
    ):
        if not source.settings.get(name):
            raise InvalidInput(name, "is needed for a source of the kind hubsoft", example)
    if source.password is None:
        raise InvalidInput("password", "is needed for a source of the kind hubsoft", "s3nha-longa")


def _checked_secret(secret: Secret, kind: str) -> Secret:
    least = LEAST_SECRET if kind == "push" else 1
    if not _SECRET.fullmatch(secret.reveal()) or len(secret.reveal()) < least:
        rule = f"{least} to 200 printable ASCII characters without blanks"
        raise InvalidInput("secret", rule, "twenty-four-characters-or-more")
    return secret


def _checked_password(password: Secret | None) -> Secret | None:
    if password is not None and not 1 <= len(password.reveal()) <= 200:
        raise InvalidInput("password", "1 to 200 characters", "s3nha-longa")
    return password


def _free_name(tx: Transaction, name: str) -> str:
    text = required_text(name, "name", 60, "HubSoft")
    holder = tx.session.scalar(select(BillingSource).where(BillingSource.name == text))
    if holder is not None:
        raise Conflict(f"billing source {holder.id} has the name {text}", field="name", billing_source_id=holder.id)
    return text


def _end_alarms(tx: Transaction, name: str) -> None:
    for kind in (FEED_EMPTY, FEED_FAILING):
        end_alarm(tx, kind, name, note="the source was disabled or renamed")


def _shown(source: BillingSource) -> dict[str, object]:
    return {"name": source.name, "kind": source.kind, "enabled": source.enabled, **source.settings}
