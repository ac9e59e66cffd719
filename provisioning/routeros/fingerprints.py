"""What stands for the rows of a subscription: as the facts demand them, and as they were last seen. Pure.

16 hexadecimal digits, or "" for no row. 0 stands for the router's own rows: profiles and the walled garden. A secret
value is in no fingerprint; where one differs, the observed fingerprint differs all the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from hashlib import blake2b

from provisioning.routeros.mark import subscription_of
from provisioning.routeros.menus import MENUS
from provisioning.routeros.plan.matching import Matching, match
from provisioning.routeros.plan.owners import leave_to_owners
from provisioning.routeros.plan.smallest import garden_blocks
from provisioning.routeros.plan.steps import differing, removals
from provisioning.routeros.rows import SENSITIVE, Desired, DesiredRow, Menu, Observed, ObservedRow

OWN = 0
_FIELDS = {menu: tuple(c.name for c in table.columns if c.name not in SENSITIVE) for menu, table in MENUS.items()}


def desired_fingerprints(desired: Desired) -> dict[int, str]:
    """By subscription, of all that the facts were of; "" for who needs no row."""
    rows: dict[int, list[DesiredRow | ObservedRow]] = defaultdict(list)
    for row in desired.rows:
        rows[row.subscription_id or OWN].append(row)
    every = {OWN, *desired.served, *desired.absent, *rows}
    return {number: _fingerprint(rows.get(number, ())) for number in sorted(every)}


def observed_fingerprints(desired: Desired, observed: Observed, removal_cap: int | None = None) -> dict[int, str]:
    """By subscription, also those that only the router knows of; of a partial read, those in its scope.

    Equal to the desired one exactly when no step of configuration is left for it and no problem keeps a row away.
    """
    wanted, rows = desired_fingerprints(desired), _ours(observed)
    every = set(wanted) | set(rows) if observed.scope is None else set(observed.scope)
    unlike = set(_unlike(desired, observed, removal_cap))
    return {
        number: wanted[number]
        if number in wanted and number not in unlike
        else _fingerprint(rows.get(number, ()), "seen")
        for number in sorted(every)
    }


def _ours(observed: Observed) -> dict[int, list[ObservedRow]]:
    rows: dict[int, list[ObservedRow]] = defaultdict(list)
    for row in observed.rows:
        if row.key is not None:
            rows[subscription_of(row.key) or OWN].append(row)
    return rows


def _unlike(desired: Desired, observed: Observed, cap: int | None) -> Iterator[int]:
    """Whose rows are not as they should be."""
    found = match(desired, observed)
    leave_to_owners(desired, observed, found)
    yield from (row.subscription_id or OWN for row in (*found.missing, *found.blocked))
    going, held = removals(desired, observed, found, cap)
    yield from (subscription_of(step.row.key or "") or OWN for step in (*going, *held))
    yield from _changed(found)
    if garden_blocks(observed, found):
        yield OWN


def _changed(found: Matching) -> Iterator[int]:
    """Both of a row that goes from one to another."""
    for row, there in found.pairs:
        if differing(row, there):
            yield row.subscription_id or OWN
            yield subscription_of(there.key or "") or OWN


def _fingerprint(rows: Iterable[DesiredRow | ObservedRow], salt: str = "") -> str:
    told = sorted(_told(row) for row in rows)
    return blake2b("\n".join((salt, *told)).encode(), digest_size=8).hexdigest() if told else ""


def _told(row: DesiredRow | ObservedRow) -> str:
    fields = (f"{name}={row.fields[name]}" for name in _FIELDS[Menu(row.menu)] if row.fields.get(name))
    return "\t".join((row.menu, row.key or "", *fields))
