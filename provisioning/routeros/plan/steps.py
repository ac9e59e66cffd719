"""The steps of a matching: what changes in a row of ours, and which rows of ours go. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from provisioning.routeros.mark import comment_of, is_garden, kept_of, subscription_of
from provisioning.routeros.menus import MENUS
from provisioning.routeros.plan.matching import Matching
from provisioning.routeros.plan.problem_words import problem
from provisioning.routeros.plan.stages import never_held
from provisioning.routeros.rows import (
    SENSITIVE,
    Change,
    Desired,
    DesiredRow,
    Menu,
    Observed,
    ObservedRow,
    Problem,
    Remove,
)

_LEAST, _PERCENT = 10, 3
_ONCE = {menu: frozenset(column.name for column in table.columns if column.once) for menu, table in MENUS.items()}


def differing(row: DesiredRow, there: ObservedRow) -> dict[str, str]:
    """The fields to set so that the row is as desired; a field that the router did not show cannot differ."""
    shown, once = there.fields, _ONCE[row.menu]
    fields = {name: value for name, value in row.fields.items() if shown.get(name, value) != value and name not in once}
    if there.key != row.key:
        fields["comment"] = comment_of(row.key, kept_of(shown.get("comment", "")))
    return fields


def changes(found: Matching) -> Iterator[Change]:
    """A change for each row of ours that is not as it should be."""
    for row, there in found.pairs:
        if fields := differing(row, there):
            yield Change(row, there.id, fields, {name: there.fields.get(name, "") for name in fields})


def unseen(found: Matching) -> Iterator[Problem]:
    """What cannot be compared, because the router does not show it or has no such field."""
    hidden = False
    for row, there in found.pairs:
        for name in row.fields.keys() - there.fields.keys():
            hidden = hidden or name in SENSITIVE
            if row.fields[name] and name not in SENSITIVE and name not in _ONCE[row.menu]:
                yield problem(row.subscription_id, "no-field", field=name, menu=str(row.menu))
    if hidden:
        yield problem(None, "hidden")


def removals(
    desired: Desired, observed: Observed, found: Matching, cap: int | None
) -> tuple[list[Remove], list[Remove]]:
    """What goes of the rows of ours that nobody wants, and what the guard holds back: orphans, if more than `cap`.

    An orphan is a row of which no fact says that it should go. `cap` None: the product's own.
    """
    limit = default_removal_cap(observed) if cap is None else cap
    going = [
        *(Remove(row, subscription_of(row.key or "")) for row in found.cleared),
        *_unwanted(desired, observed, found),
    ]
    orphans = [step for step in going if step.orphan and not never_held(step.row)]
    held = orphans if len(orphans) > limit else []
    kept = {step.row.id for step in held}
    going = [step for step in going if step.row.id not in kept]
    return [*going, *_unused_profiles(observed, found, {step.row.id for step in going})], held


def default_removal_cap(observed: Observed) -> int:
    """How many rows of ours that nobody asked for may go in one plan: ten, or 3 % of ours where that is more."""
    marked = sum(row.key is not None for row in observed.rows)
    return max(_LEAST, marked * _PERCENT // 100)


def _unwanted(desired: Desired, observed: Observed, found: Matching) -> Iterator[Remove]:
    wanted = {row.key for row in desired.rows}
    known = desired.served | desired.absent
    for row in found.extra:
        key = row.key or ""
        number = subscription_of(key)
        orphan = not is_garden(key) and (number not in known or key in wanted)
        in_part = observed.scope is None or (number in observed.scope and not orphan)
        if row.menu is not Menu.PPP_PROFILE and in_part:
            yield Remove(row, number, orphan)


def _unused_profiles(observed: Observed, found: Matching, going: Collection[str]) -> Iterator[Remove]:
    """Profiles of ours that no secret uses after this plan, be it theirs, one that a problem keeps, or a held one."""
    if observed.scope is not None or Menu.PPP_SECRET not in observed.menus:
        return
    ours = {there.id: row for row, there in found.pairs if there.menu is Menu.PPP_SECRET}
    left = (there for there in observed.rows if there.menu is Menu.PPP_SECRET and there.id not in going)
    used = {(ours.get(there.id) or there).fields.get("profile", "") for there in left}
    for row in found.extra:
        if row.menu is Menu.PPP_PROFILE and row.fields.get("name") not in used:
            yield Remove(row)
