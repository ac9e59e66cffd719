"""Live PPP sessions that do not show what the facts demand, and so have to begin anew. Pure.

A changed profile or secret counts for the next session only. A session that RADIUS made is never ended here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from provisioning.routeros.notation import bits
from provisioning.routeros.rows import Desired, DesiredSession, EndSession, Menu, Observed, ObservedRow

NOT_SERVED, SPEED, LISTS = "not-served", "speed", "lists"
"""Reasons of `EndSession`: no session may live, its queue shows another speed, its address is in other lists."""
_UNLIMITED = "0/0"


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the router shows beside the sessions: limits by a queue's name, lists by address, all and the dynamic ones.

    None: that menu was not read.
    """

    limits: Mapping[str, str] | None
    lists: Mapping[str, frozenset[str]] | None
    dynamic_lists: Mapping[str, frozenset[str]]


def session_steps(desired: Desired, observed: Observed, blocked: Collection[int] = ()) -> list[EndSession]:
    """Sessions to end, whoever gets more first and whoever may have none last.

    `blocked`: subscriptions whose secret or profile cannot be as it should, so that a new session would be no better.
    """
    if Menu.PPP_ACTIVE not in observed.menus:
        return []
    wanted = {one.login: one for one in desired.sessions if one.subscription_id not in blocked}
    foreign = _foreign_logins(observed)
    shown = _shown(observed)
    steps = []
    for row in observed.rows:
        if row.menu is not Menu.PPP_ACTIVE or row.fields.get("radius") == "yes":
            continue
        one = wanted.get(row.fields.get("name", ""))
        if one is not None and (reason := _reason(one, row, shown, foreign)):
            rank = _rank(one, row, shown)
            steps.append((rank, EndSession(row.id, one.login, one.subscription_id, reason)))
    return [step for _, step in sorted(steps, key=lambda ranked: ranked[0])]


def _foreign_logins(observed: Observed) -> frozenset[str]:
    """Logins of secrets that are not ours: who dials with one comes back at once."""
    secrets = (row for row in observed.rows if row.menu is Menu.PPP_SECRET and row.key is None)
    return frozenset(row.fields.get("name", "") for row in secrets)


def _shown(observed: Observed) -> _Shown:
    every: dict[str, set[str]] = defaultdict(set)
    dynamic: dict[str, set[str]] = defaultdict(set)
    limits = {}
    for row in observed.rows:
        if row.menu is Menu.SIMPLE_QUEUE and row.dynamic:
            limits[row.fields.get("name", "")] = row.fields.get("max-limit", _UNLIMITED)
        elif row.menu is Menu.ADDRESS_LIST and row.fields.get("disabled") != "yes":
            every[row.fields.get("address", "")].add(row.fields.get("list", ""))
            if row.dynamic and not row.fields.get("timeout"):
                dynamic[row.fields.get("address", "")].add(row.fields.get("list", ""))
    return _Shown(
        limits if Menu.SIMPLE_QUEUE in observed.menus else None,
        {address: frozenset(names) for address, names in every.items()}
        if Menu.ADDRESS_LIST in observed.menus
        else None,
        {address: frozenset(names) for address, names in dynamic.items()},
    )


def _reason(one: DesiredSession, row: ObservedRow, shown: _Shown, foreign: frozenset[str]) -> str:
    if not one.allowed:
        return "" if one.login in foreign else NOT_SERVED
    if one.max_limit is not None and shown.limits is not None and set(_limits(row, shown.limits)) != {one.max_limit}:
        return SPEED
    return "" if shown.lists is None or _lists_are_right(one, row, shown, shown.lists) else LISTS


def _lists_are_right(one: DesiredSession, row: ObservedRow, shown: _Shown, lists: Mapping[str, frozenset[str]]) -> bool:
    address = row.fields.get("address", "")
    if not address:
        return True  # a session of IPv6 alone is in no list
    too_many = (shown.dynamic_lists.get(address, frozenset()) & one.other_lists) - one.address_lists
    return one.address_lists <= lists.get(address, frozenset()) and not too_many


def _limits(row: ObservedRow, limits: Mapping[str, str]) -> Iterator[str]:
    """The limits of a session's queue: the first session of a login has its plain name, others a number behind it."""
    service, login = row.fields.get("service") or "pppoe", row.fields.get("name", "")
    names = [f"<{service}-{login}>", *(f"<{service}-{login}-{number}>" for number in range(1, 4))]
    found = [limits[name] for name in names if name in limits]
    yield from found or [_UNLIMITED]


def _rank(one: DesiredSession, row: ObservedRow, shown: _Shown) -> int:
    if not one.allowed:
        return 2
    now = min((_total(limit) for limit in _limits(row, shown.limits or {})), default=0.0)
    gains = one.max_limit is not None and _total(one.max_limit) > now
    return 0 if gains or not one.address_lists else 1


def _total(limit: str) -> float:
    """Bits per second of both ways together; unlimited is more than any."""
    rates = [bits(part) or 0 for part in limit.split("/")]
    return float(sum(rates)) if all(rates) else float("inf")
