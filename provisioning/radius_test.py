"""`catraca radius test`: what a NAS would be answered, and why, in one look.

The answer itself comes from the code that answers (`radius.trial`); here stands what belongs beside it: whose login it
is, why its service is what it is, what limits it, who is connected, which RADIUS hosts know, what was refused lately.
Nothing is changed, and no password is shown: where none is given the right one is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from core.clock import system_clock
from core.database import Transaction
from core.errors import InvalidInput
from core.secrets import Secret
from provisioning.explain.evaluation import Explanation, explain
from provisioning.models import Subscription
from radius.accounting import octets_of
from radius.attribute_words import NamedValue
from radius.mac_address import read_mac
from radius.models import AccessReject, Nas, ReplicaEntry, ReplicaHost, Session
from radius.nas import find_nas
from radius.presence import presence_key
from radius.records import Limits, limits_of, login_key, mac_key, password_of
from radius.reject_book import last_rejects
from radius.reject_reasons import words_of
from radius.replica import SILENT_AFTER
from radius.sessions import list_sessions, open_sessions
from radius.trial import Question, Trial, ask

_SHOWN_REJECTS = 5
_WRONG = b"\0"
"""A password that nobody has, for a login that is not there."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A NAS, the line that it would tell of, and what it would be answered."""

    nas_id: int
    nas_name: str
    vendor: str
    calling_station_id: str
    nas_port_id: str
    answer: str
    reason: str
    words: str
    words_pt: str
    attributes: tuple[NamedValue, ...]


@dataclass(frozen=True, slots=True)
class Host:
    """A RADIUS host; `current`: whether it has all that this answer was made from."""

    host: str
    revision: int
    current: bool
    live: bool
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class RadiusTest:
    """Everything that there is to say; `revision` is the last one of what the answers were made from."""

    login: str
    at: datetime
    subscription_id: int | None
    finding: str
    explanation: Explanation | None
    limits: list[str]
    revision: int
    answers: list[Asked]
    sessions: list[Session] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)
    rejects: list[AccessReject] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the database has under a name."""

    key: bytes
    entry: ReplicaEntry | None
    subscription: Subscription | None

    @property
    def record(self) -> bytes | None:
        return None if self.entry is None else self.entry.value

    @property
    def by_mac(self) -> bool:
        return self.key.startswith(mac_key(b""))


def radius_test(
    tx: Transaction,
    login: str,
    *,
    password: Secret | None = None,
    nas: str | None = None,
    caller: str | None = None,
    port: str | None = None,
    at: datetime | None = None,
) -> RadiusTest:
    """What `login` (or the MAC address of an IPoE line) would be answered at `at`.

    `nas` is a NAS's name; None: one NAS of each vendor in use. `caller` and `port` are Calling-Station-Id and
    NAS-Port-Id; None: those of its last session. Without a `password` the right one is sent. InvalidInput, and NotFound
    for a NAS that is not there.
    """
    name = login.strip().encode()
    if not 1 <= len(name) <= 253:
        raise InvalidInput("login", "1 to 253 octets", "maria@provedor")
    known = _look_up(tx, name)
    last = _last_session(tx, known.subscription)
    chosen = [find_nas(tx, nas)] if nas else _one_of_each_vendor(tx, known, last)
    line = _line(known, last, caller, port)
    question = Question(name, _password(tx, known, password), *map(octets_of, line))
    instant = at or tx.now
    answers = [_asked(each, line, ask(tx, each.id, question, instant)) for each in chosen]
    subscription = known.subscription
    revision = _revision(tx, known)
    return RadiusTest(
        login=login,
        at=instant,
        subscription_id=subscription.id if subscription else None,
        finding=_finding(known, chosen),
        explanation=explain(tx, subscription.id, instant) if subscription else None,
        limits=_limits(tx, known),
        revision=revision,
        answers=answers,
        sessions=open_sessions(tx, subscription_id=subscription.id) if subscription else [],
        hosts=_hosts(tx, revision),
        rejects=_rejects(tx, login, subscription),
    )


def _look_up(tx: Transaction, name: bytes) -> _Known:
    """By login; else, when the name is one, by MAC address."""
    key = login_key(name)
    entry = _entry(tx, key)
    text = name.decode()
    subscription = _newest(tx, Subscription.login == text)
    mac = read_mac(name)
    if entry is None and subscription is None and mac is not None:
        key = mac_key(mac)
        return _Known(key, _entry(tx, key), _newest(tx, Subscription.mac == mac.hex(":")))
    return _Known(key, entry, subscription)


def _entry(tx: Transaction, key: bytes) -> ReplicaEntry | None:
    entry = tx.session.get(ReplicaEntry, key)
    return entry if entry is not None and entry.value is not None else None


def _newest(tx: Transaction, named: object) -> Subscription | None:
    """The one that has the name, else the last that had it."""
    order = (Subscription.cancelled_at.is_not(None), Subscription.id.desc())
    found: Subscription | None = tx.session.scalar(
        select(Subscription).where(named).order_by(*order).limit(1)  # type: ignore[arg-type]
    )
    return found


def _last_session(tx: Transaction, subscription: Subscription | None) -> Session | None:
    if subscription is None:
        return None
    found = open_sessions(tx, subscription_id=subscription.id)[-1:]
    return next(iter(found or list_sessions(tx, subscription_id=subscription.id, limit=1)), None)


def _one_of_each_vendor(tx: Transaction, known: _Known, last: Session | None) -> list[Nas]:
    """The NAS that it may use or last used, else the first, of each vendor."""
    wanted = [known.subscription.allowed_nas_id if known.subscription else None, last.nas_id if last else None]
    every = list(tx.session.scalars(select(Nas).where(Nas.enabled).order_by(Nas.id)))
    first = sorted(every, key=lambda each: (wanted.index(each.id) if each.id in wanted else len(wanted), each.id))
    chosen: dict[str, Nas] = {}
    for each in first:
        chosen.setdefault(each.vendor, each)
    return list(chosen.values())


def _line(known: _Known, last: Session | None, caller: str | None, port: str | None) -> tuple[str, str]:
    """Calling-Station-Id and NAS-Port-Id: as given, else of the last session, else as the limits want them."""
    limits = Limits() if known.record is None else limits_of(known.record)
    bound = limits.mac or (known.key[1:] if known.by_mac else None)
    usual = last.calling_station_id if last else ""
    if caller is None:
        caller = usual or (bound.hex(":").upper() if bound else "")
    if port is None:
        port = last.nas_port_id if last and last.nas_port_id else limits.nas_port
    return caller, port


def _password(tx: Transaction, known: _Known, given: Secret | None) -> bytes | None:
    if given is not None:
        return given.reveal().encode()
    if known.by_mac:
        return None
    return _WRONG if known.record is None else password_of(known.key, known.record, tx.keyring.unseal)


def _asked(nas: Nas, line: tuple[str, str], trial: Trial) -> Asked:
    words = words_of(trial.reason, trial.detail)
    return Asked(nas.id, nas.name, nas.vendor, *line, trial.answer, trial.reason, words.en, words.pt, trial.attributes)


def _finding(known: _Known, chosen: Sequence[Nas]) -> str:
    """Whether there is a record, and why not."""
    what = "MAC address" if known.by_mac else "login"
    found = known.subscription
    if known.record is None:
        if found is None:
            return f"no subscription has this {what}"
        if found.cancelled_at is not None:
            return f"subscription {found.id} had this {what}; it is cancelled, so there is no access record"
        if not known.by_mac and found.password is None:
            return f"subscription {found.id} has this login but no password, so there is no access record"
        return f"subscription {found.id} has this {what} but no access record: run `catraca recompile`"
    if not chosen:
        return "there is an access record, but no NAS that is enabled"
    if known.by_mac and not any(nas.mac_auth for nas in chosen):
        return "there is an access record for this MAC address, but these NAS do not ask by MAC address (mac_auth)"
    whose = f"subscription {found.id}" if found else "a subscription that is not there"
    return f"there is an access record, of {whose}"


def _limits(tx: Transaction, known: _Known) -> list[str]:
    """The record's limits, in words."""
    if known.record is None:
        return []
    limits = limits_of(known.record)
    count = limits.sessions
    told = ["any number of sessions" if not count else f"{count} session{'s' if count > 1 else ''} at once"]
    if limits.mac is not None:
        told.append(f"only from {limits.mac.hex(':').upper()}")
    if limits.nas_id is not None:
        nas = tx.session.get(Nas, limits.nas_id)
        told.append(f"only at NAS {nas.name if nas else limits.nas_id}")
    if limits.nas_port:
        told.append(f"only at port {limits.nas_port}")
    return told


def _revision(tx: Transaction, known: _Known) -> int:
    """Of the last change to the record or to what is known of its sessions."""
    keys = [known.key]
    if known.subscription is not None:
        keys.append(presence_key(known.subscription.id))
    statement = select(ReplicaEntry.revision).where(ReplicaEntry.key.in_(keys))
    return max(tx.session.scalars(statement), default=0)


def _hosts(tx: Transaction, revision: int) -> list[Host]:
    now = system_clock()
    rows = tx.session.scalars(select(ReplicaHost).order_by(ReplicaHost.host))
    return [
        Host(
            row.host,
            row.applied_revision,
            row.applied_revision >= revision,
            row.live and row.seen_at > now - SILENT_AFTER,
            row.seen_at,
        )
        for row in rows
    ]


def _rejects(tx: Transaction, login: str, subscription: Subscription | None) -> list[AccessReject]:
    if subscription is not None:
        return last_rejects(tx, subscription_id=subscription.id, limit=_SHOWN_REJECTS)
    return last_rejects(tx, login=login, limit=_SHOWN_REJECTS)
