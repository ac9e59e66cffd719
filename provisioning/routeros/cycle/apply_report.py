"""How an apply went, step by step; whose a step is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from provisioning.routeros.rows import Change, EndSession, Menu, Plan, Remove, Step

PROFILES = "catraca-"
"""How the names of our profiles begin; the mark says whether one really is."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that the router refused, in its own words."""

    step: Step
    message: str


@dataclass(slots=True)
class ApplyReport:
    """How an apply went. `unneeded`: happened already; `late`: how many steps the time did not suffice for;
    `left_out`: how many would be wrong after what failed or was late."""

    done: list[Step] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    unneeded: list[Step] = field(default_factory=list)
    late: int = 0
    left_out: int = 0
    _counted: set[int] = field(default_factory=set, repr=False)

    def add_done(self, steps: Sequence[Step]) -> None:
        """A step that takes several sentences counts once."""
        self.done += [step for step in steps if id(step) not in self._counted]
        self._counted.update(id(step) for step in steps)

    @property
    def menus(self) -> frozenset[Menu]:
        """What has to be read again."""
        failed = [failure.step for failure in self.failures]
        return frozenset(menu_of(step) for step in (*self.done, *failed, *self.unneeded))

    @property
    def ended(self) -> list[EndSession]:
        return [step for step in self.done if isinstance(step, EndSession)]


def menu_of(step: Step) -> Menu:
    """Where a step works."""
    return Menu.PPP_ACTIVE if isinstance(step, EndSession) else step.row.menu


def owner_of(step: Step) -> int | None:
    """Whose row it is; None: the router's own."""
    return step.subscription_id if isinstance(step, EndSession | Remove) else step.row.subscription_id


def without(plan: Plan, left_out: frozenset[int]) -> Plan:
    """The plan without the steps of these subscriptions (0: the router's own rows)."""
    if not left_out:
        return plan
    kept = (tuple(step for step in stage if (owner_of(step) or 0) not in left_out) for stage in plan.stages)
    return replace(plan, stages=tuple(stage for stage in kept if stage))


def profiles_left(report: ApplyReport) -> frozenset[str]:
    """The names of the profiles that secrets of this apply were on before."""
    steps = [step for step in (*report.done, *report.unneeded) if menu_of(step) is Menu.PPP_SECRET]
    moved = {step.was.get("profile", "") for step in steps if isinstance(step, Change)}
    gone = {step.row.fields.get("profile", "") for step in steps if isinstance(step, Remove)}
    return frozenset(name for name in moved | gone if name.startswith(PROFILES))
