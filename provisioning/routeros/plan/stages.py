"""In what order the steps of a plan are done: whoever gets something first, whoever loses something later. Pure.

1. entries of address lists and rules of the garden go, what stands in the way makes room, profiles come;
2. secrets, leases, bindings, routes and queues, whoever gets more before whoever gets less;
3. entries of lists that restrict, the garden: what it leaves open, then its rules in their order;
4. removals; 5. profiles that nobody uses any more; 6. sessions that have to begin anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from provisioning.routeros.mark import is_garden
from provisioning.routeros.notation import bits
from provisioning.routeros.rows import Add, Change, Menu, Move, ObservedRow, Remove, Step

_MORE, _SAME, _LESS = 0, 1, 2
_RULES = (Menu.FILTER, Menu.NAT)
_RESTRICTING = ("drop", "reject", "dst-nat")
_REMOVED_IN_ORDER = (Menu.QUEUE_TREE, Menu.MANGLE)
Stages = tuple[tuple[Step, ...], ...]
Rates = Mapping[str, tuple[float, bool]]
"""By a profile's name: bits per second of both ways, and whether it has an address list."""


def stages(
    additions: Sequence[Add],
    changed: Sequence[Change],
    block: Sequence[Add | Move],
    going: Sequence[Remove],
    cleared: frozenset[str],
    profiles: Rates,
) -> Stages:
    """The stages that are not empty, but for sessions. `block`: the garden's rules; `cleared`: ids that make room."""
    freeing = [step for step in going if _frees(step)]
    clearing = [step for step in going if step.row.id in cleared and not _frees(step)]
    left = [step for step in going if not _frees(step) and step.row.id not in cleared]
    writing: list[Add | Change] = [*additions, *changed]
    granting = [step for step in writing if step.row.menu is Menu.PPP_PROFILE]
    serving = [step for step in writing if _serves(step)]
    closing = [step for step in writing if step.row.menu is Menu.ADDRESS_LIST]
    rules = [step for step in changed if step.row.menu in _RULES]
    return (
        tuple(sorted(freeing, key=_freeing_order)),
        tuple(clearing),
        tuple(granting),
        tuple(sorted(serving, key=lambda step: _gain(step, profiles))),
        (*sorted(closing, key=lambda step: not is_garden(step.row.key)), *rules, *block),
        tuple(sorted((step for step in left if not _is_profile(step)), key=_leaving_order)),
        tuple(step for step in left if _is_profile(step)),
    )


def profile_rates(rows: Sequence[Mapping[str, str]]) -> Rates:
    """What profiles give, by their names."""
    return {row.get("name", ""): (_total(row.get("rate-limit", "")), bool(row.get("address-list"))) for row in rows}


def _serves(step: Add | Change) -> bool:
    return step.row.menu not in (Menu.PPP_PROFILE, Menu.ADDRESS_LIST, *_RULES)


def _frees(step: Remove) -> bool:
    """Its going gives something back to somebody, and is never held back."""
    return step.row.menu in (Menu.ADDRESS_LIST, *_RULES)


def never_held(row: ObservedRow) -> bool:
    """Whether taking it away restores service."""
    return row.menu in (Menu.ADDRESS_LIST, *_RULES)


def _freeing_order(step: Remove) -> int:
    """Rules that close before those that leave open; what the garden leaves open last."""
    if step.row.menu in _RULES:
        return 1 if step.row.fields.get("action") in _RESTRICTING else 2
    return 3 if is_garden(step.row.key or "") else 0


def _leaving_order(step: Remove) -> int:
    return _REMOVED_IN_ORDER.index(step.row.menu) if step.row.menu in _REMOVED_IN_ORDER else 2


def _is_profile(step: Remove) -> bool:
    return step.row.menu is Menu.PPP_PROFILE


def _gain(step: Add | Change, profiles: Rates) -> int:
    """Whether somebody gets more by it, or less."""
    if isinstance(step, Add):
        return _SAME
    before, after = step.was, step.fields
    if "profile" in after:
        return _compare(profiles.get(before["profile"]), profiles.get(after["profile"]))
    if "max-limit" in after:
        return _LESS if _total(after["max-limit"]) < _total(before["max-limit"]) else _MORE
    if "type" in after:
        return _LESS if after["type"] == "blocked" else _MORE
    return _MORE if after.get("disabled") == "no" else _SAME


def _compare(before: tuple[float, bool] | None, after: tuple[float, bool] | None) -> int:
    if before is None or after is None:
        return _SAME
    if before[1] != after[1]:
        return _LESS if after[1] else _MORE
    return _SAME if after == before else _LESS if after[0] < before[0] else _MORE


def _total(limit: str) -> float:
    """Bits per second of both ways together; no limit is more than any."""
    rates = [bits(part) or 0 for part in limit.split(" ")[0].split("/")]
    return float(sum(rates)) if all(rates) else float("inf")
