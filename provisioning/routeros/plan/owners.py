"""One owner of each subscriber's speed: where somebody else's queue limits it, ours is not added. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from provisioning.routeros.notation import targets
from provisioning.routeros.plan.matching import Matching
from provisioning.routeros.plan.problem_words import problem
from provisioning.routeros.rows import Desired, DesiredRow, Menu, Observed, ObservedRow, Problem

_QUEUES = frozenset({Menu.SIMPLE_QUEUE, Menu.QUEUE_TREE, Menu.MANGLE})


@dataclass(frozen=True, slots=True)
class _Others:
    """The queues that are not ours: those of RADIUS sessions by login, all others by what they limit."""

    by_login: Mapping[str, ObservedRow]
    by_target: Mapping[str, ObservedRow]


def leave_to_owners(desired: Desired, observed: Observed, found: Matching) -> None:
    """Take the queues whose subscriber already has another owner out of what is to be added; a Problem says whose."""
    wanted = [row for row in found.missing if row.menu in _QUEUES]
    if not wanted or Menu.SIMPLE_QUEUE not in observed.menus:
        return
    logins = {session.subscription_id: session.login for session in desired.sessions if session.allowed}
    others = _others(observed, frozenset(logins.values()))
    owners: dict[int | None, ObservedRow] = {}
    for row in wanted:
        if (owner := _owner(row, logins.get(row.subscription_id or 0), others)) is not None:
            owners.setdefault(row.subscription_id, owner)
    _leave(found, owners)


def session_queues(login: str) -> tuple[str, ...]:
    """How RouterOS calls the queue of a login's session, by the kind of session."""
    return tuple(f"<{service}-{login}>" for service in ("pppoe", "l2tp", "pptp", "sstp", "ovpn"))


def _others(observed: Observed, logins: frozenset[str]) -> _Others:
    by_radius = {
        row.fields.get("name", ""): row.fields.get("radius") == "yes" for row in _of(observed, Menu.PPP_ACTIVE)
    }
    own = {name for login in logins if not by_radius.get(login) for name in session_queues(login)}
    radius = {name: login for login, yes in by_radius.items() if yes for name in session_queues(login)}
    by_login: dict[str, ObservedRow] = {}
    by_target: dict[str, ObservedRow] = {}
    for row in _of(observed, Menu.SIMPLE_QUEUE):
        name = row.fields.get("name", "")
        if row.key is not None or (row.dynamic and name in own) or row.fields.get("disabled") == "yes":
            continue
        if row.dynamic and name in radius:
            by_login[radius[name]] = row
        by_target.setdefault(row.fields.get("target", ""), row)
    return _Others(by_login, by_target)


def _of(observed: Observed, menu: Menu) -> list[ObservedRow]:
    return [row for row in observed.rows if row.menu is menu]


def _owner(row: DesiredRow, login: str | None, others: _Others) -> ObservedRow | None:
    by_login = others.by_login.get(login or row.fields.get("name", ""))
    if by_login is not None:
        return by_login
    limited = row.fields.get("target") or row.fields.get("src-address") or row.fields.get("dst-address") or ""
    whole = others.by_target.get(limited)
    parts = (others.by_target.get(targets(part)) for part in limited.split(",") if part)
    return whole or next((one for one in parts if one is not None), None)


def _leave(found: Matching, owners: Mapping[int | None, ObservedRow]) -> None:
    left = [row for row in found.missing if row.menu in _QUEUES and row.subscription_id in owners]
    keys = {row.key for row in left}
    found.missing = [row for row in found.missing if row.key not in keys]
    found.blocked += left
    found.problems += [_problem(number, owner) for number, owner in owners.items()]


def _problem(number: int | None, owner: ObservedRow) -> Problem:
    phrase = "owned" if owner.dynamic else "foreign-queue"
    return problem(number, phrase, menu=str(owner.menu), name=owner.name, id=owner.id)
