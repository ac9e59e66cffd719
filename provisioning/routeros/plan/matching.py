"""Which row of the router is which desired row. Pure.

A row of ours that already has the name (or address: whatever is unique in its menu) that a desired row wants becomes
that row, whatever its key. So a login that goes to another subscription is one change, and no two rows want the same
name on the way. What is left is told by the key. A row that is not ours and stands in the way is a Problem.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from provisioning.routeros.mark import is_garden, subscription_of
from provisioning.routeros.menus import MENUS
from provisioning.routeros.plan.problem_words import problem
from provisioning.routeros.rows import Desired, DesiredRow, Menu, Observed, ObservedRow, Problem

Row = TypeVar("Row", DesiredRow, ObservedRow)
Natural = tuple[int, tuple[str, ...]]
"""Which of a menu's unique sets of fields, and their values."""


@dataclass(slots=True)
class Matching:
    """`missing` are to be added, `extra` are of ours and nobody's; `cleared` have to go before anything is added.

    `blocked`: desired rows that a Problem keeps from being as they should.
    """

    pairs: list[tuple[DesiredRow, ObservedRow]] = field(default_factory=list)
    missing: list[DesiredRow] = field(default_factory=list)
    extra: list[ObservedRow] = field(default_factory=list)
    cleared: list[ObservedRow] = field(default_factory=list)
    blocked: list[DesiredRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def match(desired: Desired, observed: Observed) -> Matching:
    """The matching of all menus that were read; rows of a menu that was not are blocked."""
    found = Matching()
    wanted, there = _by_menu(desired.rows), _by_menu(observed.rows)
    for menu in Menu:
        # The plan of a part leaves the garden alone: its rows were not read.
        rows = [row for row in wanted[menu] if observed.scope is None or not is_garden(row.key)]
        if menu in observed.menus:
            _Menu(menu, observed.scope, found).match(rows, there[menu])
        elif rows:
            found.blocked += rows
            found.problems.append(problem(None, "not-read", menu=str(menu)))
    return found


def _by_menu(rows: Iterable[Row]) -> dict[Menu, list[Row]]:
    found: dict[Menu, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.menu].append(row)
    return found


class _Menu:
    """The matching of one menu, in steps."""

    def __init__(self, menu: Menu, scope: frozenset[int] | None, found: Matching) -> None:
        self.menu, self.scope, self.found = menu, scope, found
        self.naturals = MENUS[menu].naturals
        self.unique = sorted({name for names in self.naturals for name in names})
        self.of_key: dict[str, list[ObservedRow]] = defaultdict(list)
        self.of_natural: dict[Natural, list[ObservedRow]] = defaultdict(list)
        self.pairs: dict[str, tuple[DesiredRow, ObservedRow]] = {}
        self.added: dict[str, DesiredRow] = {}
        self.kept: set[str] = set()
        self.cleared: dict[str, ObservedRow] = {}

    def match(self, wanted: list[DesiredRow], there: list[ObservedRow]) -> None:
        self._index(there)
        moved = [row for row in wanted if not self._at_home(row)]
        nameless = [row for row in moved if not self._takes_name(row)]
        for row in [row for row in nameless if not self._takes_key(row)]:
            self._takes_displaced(row)
        if len(self.naturals) > 1:
            self._clear_the_way()
        self.found.pairs += self.pairs.values()
        self.found.missing += self._once_each()
        self.found.cleared += self.cleared.values()
        self.found.extra += [row for rows in self.of_key.values() for row in rows if self._is_extra(row)]

    def _index(self, there: list[ObservedRow]) -> None:
        for row in there:
            if row.key is not None:
                self.of_key[row.key].append(row)
            if row.fields.get("dynamic") != "yes" or self.menu is Menu.ADDRESS_LIST:
                for natural in self._naturals(row.fields):
                    self.of_natural[natural].append(row)

    def _naturals(self, fields: Mapping[str, str]) -> list[Natural]:
        every = [
            (number, tuple([fields.get(name, "") for name in names])) for number, names in enumerate(self.naturals)
        ]
        return [natural for natural in every if natural[1][-1]]

    def _at_home(self, row: DesiredRow) -> bool:
        """Its own row is where it should be: the first of its key."""
        own = self.of_key.get(row.key)
        if not own:
            return False
        home = next((one for one in own if self._same_names(one.fields, row.fields)), None)
        return home is not None and self._claim(row, home)

    def _same_names(self, one: Mapping[str, str], other: Mapping[str, str]) -> bool:
        return all(one.get(name, "") == other.get(name, "") for name in self.unique)

    def _claim(self, row: DesiredRow, there: ObservedRow) -> bool:
        if there.id not in self.pairs:
            self.pairs[there.id] = row, there
            return True
        return False

    def _takes_name(self, row: DesiredRow) -> bool:
        """The row that has its name becomes it, or stands in its way."""
        for natural in self._naturals(row.fields):
            there = self.of_natural.get(natural, ())
            free = [one for one in there if one.id not in self.pairs and self._may_take(one)]
            if free:
                return self._claim(row, next((one for one in free if one.key == row.key), free[0]))
            for one in there:
                if one.id not in self.pairs or natural in self._naturals(self.pairs[one.id][0].fields):
                    self._block(row, one)
                    return True
        return False

    def _may_take(self, one: ObservedRow) -> bool:
        """In the plan of a part, nothing is known of the others: what is theirs stays theirs."""
        return one.key is not None and self._in_scope(one.key)

    def _takes_key(self, row: DesiredRow) -> bool:
        """The first row of its key, under whatever name."""
        free = [one for one in self.of_key.get(row.key, ()) if one.id not in self.pairs]
        return bool(free) and self._claim(row, free[0])

    def _takes_displaced(self, row: DesiredRow) -> None:
        """The row of somebody who took this one's; else it is to be added."""
        own = self.of_key.get(row.key, ())
        takers = [self.pairs[one.id][0].key for one in own if one.id in self.pairs]
        for key in takers if len(self.naturals) == 1 else ():
            for one in self.of_key.get(key, ()):
                if self._claim(row, one):
                    return
        self.added[row.key] = row

    def _clear_the_way(self) -> None:
        """Where rows are unique by more than one thing: whoever still has what another wants makes room first."""
        every: list[tuple[DesiredRow, ObservedRow | None]] = [*self.pairs.values()]
        for row, own in [*every, *((row, None) for row in self.added.values())]:
            for natural in self._naturals(row.fields):
                for one in self.of_natural.get(natural, ()):
                    if one is not own and one.id not in self.cleared and not self._makes_room(one, natural, row, own):
                        break

    def _makes_room(self, one: ObservedRow, natural: Natural, row: DesiredRow, own: ObservedRow | None) -> bool:
        claimant = self.pairs.get(one.id, (None, one))[0]
        fixed = claimant is not None and natural in self._naturals(claimant.fields)
        if one.key is None or fixed or not self._in_scope(one.key):
            self._block(row, one)
            self._forget(row, own)
            return False
        self.cleared[one.id] = one
        if claimant is not None:
            self.added[claimant.key] = self.pairs.pop(one.id)[0]
            if own is not None and own.id in self.pairs:
                self.cleared[own.id] = own
                self.added[row.key] = self.pairs.pop(own.id)[0]
        return True

    def _once_each(self) -> Iterator[DesiredRow]:
        """What is to be added; of two that want the same name, the first."""
        taken: dict[Natural, str] = {}
        for row in self.added.values():
            naturals = self._naturals(row.fields)
            other = next((taken[natural] for natural in naturals if natural in taken), None)
            if other is None:
                taken.update(dict.fromkeys(naturals, row.key))
                yield row
            else:
                self.found.blocked.append(row)
                values = {"menu": str(self.menu), "key": row.key, "other": other}
                self.found.problems.append(problem(row.subscription_id, "both-new", **values))

    def _forget(self, row: DesiredRow, own: ObservedRow | None) -> None:
        self.added.pop(row.key, None)
        if own is not None and own.id in self.pairs:
            del self.pairs[own.id]
            self.kept.add(own.id)

    def _in_scope(self, key: str) -> bool:
        number = subscription_of(key)
        return self.scope is None or number is None or number in self.scope

    def _is_extra(self, row: ObservedRow) -> bool:
        return row.id not in self.pairs and row.id not in self.cleared and row.id not in self.kept

    def _block(self, row: DesiredRow, there: ObservedRow) -> None:
        phrase = "twice" if there.key is not None else "made-by-router" if there.dynamic else "foreign"
        values = {"menu": str(self.menu), "name": there.name, "id": there.id}
        key = {"key": there.key} if there.key is not None else {}
        self.found.blocked.append(row)
        self.found.problems.append(problem(row.subscription_id, phrase, **values, **key))
