"""Playing a year: every event goes to an engine and into a history, and after each the two are compared.

An engine is the product: its pure decisions over facts in memory, or the whole of it on a database. What it does is
compared with what `reference` makes of the history: the state after each step, at each instant at which time alone
changes it, and whom each run of the routine wants.
"""

from __future__ import annotations

import gc
import heapq
from collections.abc import Iterator, Mapping
from typing import Protocol

from tests.simulator.reference import Entry, Order, Standing, owes_notice, standing, wanted
from tests.simulator.world import DAY, DAYS, Event, Run, World, day_of

Wanted = Mapping[int, Order]
LAST = DAYS * DAY - 1


class Differs(AssertionError):
    """The product and the reference do not agree; the text says where, so that it can be played again."""


class Engine(Protocol):
    """The product, played one step after another. Subscriptions have the numbers of their lives."""

    def apply(self, number: int, event: Event) -> None:
        """Try what the event says; what the product refuses changes nothing."""

    def notices(self, minute: int) -> Mapping[int, list[int]]:
        """The routine that warns; gives the invoices by subscription."""

    def run(self, run: Run) -> tuple[Wanted, bool]:
        """The routine that restricts: whom it wants, and whether it waits for approval instead."""

    def approve(self, minute: int, numbers: list[int]) -> Wanted:
        """Approve these of the run that waits; gives who was ordered."""

    def state(self, number: int, minute: int) -> tuple[str, int | None]:
        """State and download speed."""


def play(world: World, engine: Engine) -> int:
    """Play the whole year; gives the number of comparisons. Differs at the first disagreement."""
    year = _Year(world, engine)
    gc.disable()  # there are no cycles, and looking for them would take a third of the time
    try:
        return year.play()
    finally:
        gc.enable()


class _Year:
    def __init__(self, world: World, engine: Engine) -> None:
        self.world, self.engine, self.checks = world, engine, 0
        self.histories: list[list[Entry]] = [[] for _ in world.lives]
        self.standings = [Standing() for _ in world.lives]
        self.edges: list[tuple[int, int]] = []
        self.oldest = [DAYS for _ in world.lives]
        self.approvals: list[tuple[int, list[int]]] = []

    def play(self) -> int:
        for minute, _rank, number, what in self._steps():
            while self.approvals and self.approvals[0][0] <= minute:
                self._approve(*self.approvals.pop(0))
            self._pass_edges(minute)
            if isinstance(what, Event):
                self._live(number, what)
            elif isinstance(what, Run):
                self._run(what)
            else:
                self._warn(minute)
        self._pass_edges(LAST)
        for number in range(len(self.histories)):
            self._compare(number, LAST)
        return self.checks

    def _steps(self) -> Iterator[tuple[int, int, int, Event | Run | None]]:
        steps: list[tuple[int, int, int, Event | Run | None]] = [(minute, 1, 0, None) for minute in self.world.notices]
        steps += [(run.minute, 2, 0, run) for run in self.world.runs]
        for number, life in enumerate(self.world.lives):
            steps += [(event.minute, 0, number, event) for event in life if event.minute <= LAST]
        steps.sort(key=lambda step: step[:3])
        return iter(steps)

    def _live(self, number: int, event: Event) -> None:
        self.engine.apply(number, event)
        self._write(number, Entry(event.minute, event.kind, event.first, event.second, event.third))
        self._compare(number, event.minute)

    def _write(self, number: int, entry: Entry) -> None:
        self.histories[number].append(entry)
        found = self.standings[number] = standing(self.histories[number])
        self.oldest[number] = min((found.due[invoice] for invoice in found.open), default=DAYS)
        ends = [promise.until for promise in found.promises[-1:]]
        ends += [span[1] for span in (found.pause, found.speed) if span and span[1] is not None]
        for end in ends:
            if end > entry.minute:
                heapq.heappush(self.edges, (end, number))

    def _pass_edges(self, minute: int) -> None:
        """What time alone changes up to a minute, before anything is done in it: compared just before and at it."""
        while self.edges and self.edges[0][0] <= minute:
            end, number = heapq.heappop(self.edges)
            self._compare(number, end - 1)
            self._compare(number, end)

    def _warn(self, minute: int) -> None:
        day = minute // DAY
        rule = self.world.rule_on(day)[1]
        expected = {
            number: due for number in self._late(day) if (due := owes_notice(self.standings[number], day, rule))
        }
        self._same("notices", minute, expected, self.engine.notices(minute))
        for number, invoices in expected.items():
            for invoice in invoices:
                self._write(number, Entry(minute, "notice", invoice, day))

    def _run(self, run: Run) -> None:
        day = run.minute // DAY
        expected = {} if run.held else self._wanted(day, run.minute)
        waits = len(expected) > self.world.cap
        found, waited = self.engine.run(run)
        self._same("run", run.minute, expected, found)
        self._same("approval", run.minute, waits, waited)
        if not waits:
            self._ordered(run.minute, expected)
        elif run.approval is not None:
            share, minutes = run.approval
            chosen = sorted(expected)[: len(expected) * share // 100]
            if chosen:
                self.approvals.append((run.minute + minutes, chosen))

    def _approve(self, minute: int, chosen: list[int]) -> None:
        day = minute // DAY
        self._pass_edges(minute)
        expected = {number: order for number, order in self._wanted(day, minute).items() if number in set(chosen)}
        self._same("approved", minute, expected, self.engine.approve(minute, chosen))
        self._ordered(minute, expected)

    def _ordered(self, minute: int, orders: Wanted) -> None:
        for number, order in orders.items():
            self._write(number, Entry(minute, "order", order=order))
            self._compare(number, minute)

    def _wanted(self, day: int, minute: int) -> dict[int, Order]:
        rule = self.world.rule_on(day)[1]
        if self.world.is_held(day):
            return {}
        found = {number: wanted(self.standings[number], day, rule) for number in self._late(day)}
        return {number: order for number, order in found.items() if order is not None}

    def _late(self, day: int) -> Iterator[int]:
        return (number for number, due in enumerate(self.oldest) if due < day)

    def _compare(self, number: int, minute: int) -> None:
        self.checks += 1
        expected = self.standings[number].state(minute)
        found = self.engine.state(number, minute)
        if expected != found:
            raise Differs(self._tell(f"subscription {number}", minute, expected, found, self.histories[number]))

    def _same(self, what: str, minute: int, expected: object, found: object) -> None:
        self.checks += 1
        if expected != found:
            raise Differs(self._tell(what, minute, expected, found, []))

    def _tell(self, what: str, minute: int, expected: object, found: object, history: list[Entry]) -> str:
        at = f"{day_of(minute // DAY)} {minute % DAY // 60:02d}:{minute % 60:02d} (minute {minute})"
        lines = [f"seed {self.world.seed}, {len(self.world.lives)} subscriptions, {what}, {at}"]
        lines += [f"the facts say  {expected}", f"the product    {found}", *map(str, history)]
        return "\n".join(lines)
