"""Which subscriptions a mass change is about, and what it would do to each: descriptions, no database."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from typing import Any, Self

from core.errors import InvalidInput
from provisioning.facts import ServiceState

MOST_IDS = 20_000
_CANCELLED = ServiceState.CANCELLED.value
_PENDING = (ServiceState.PENDING_INSTALL.value, ServiceState.PENDING_MIGRATION.value)

CHANGE, SAME_PLAN, CANCELLED = "change", "same-plan", "cancelled"
"""What becomes of a row."""
PENDING, MIGRATING = "pending", "migrating"
"""What one should know of a row that is changed."""
WORDS = {
    SAME_PLAN: "on this plan already: skipped",
    CANCELLED: "cancelled: skipped",
    PENDING: "not installed yet: changed all the same",
    MIGRATING: "another subscription waits to take its place: changed until then",
}


@dataclass(frozen=True, slots=True)
class Selection:
    """All conditions together; an empty one is no condition. `include`: only among these subscriptions, `exclude`:
    never these. `city` and `region` are the subscriber's, `technology` and `group` those of the present plan.

    Cancelled subscriptions are left out unless `states` or `include` names them.
    """

    plan_id: int | None = None
    states: tuple[str, ...] = ()
    city: str = ""
    region: str = ""
    technology: str = ""
    group: str = ""
    subscriber_ids: tuple[int, ...] = ()
    include: tuple[int, ...] = ()
    exclude: tuple[int, ...] = ()

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """From the fields as JSON has them. InvalidInput for what is no field, and for a selection of everything."""
        names = [field.name for field in fields(cls)]
        if unknown := sorted(set(given) - set(names)):
            raise InvalidInput(unknown[0], f"one of {', '.join(names)}", "plan_id")
        made = cls(**{name: _plain(name, value) for name, value in given.items()})
        if made == cls(exclude=made.exclude):
            raise InvalidInput("selection", "at least one condition: a plan, states, a city, ids, …", {"plan_id": 3})
        return made

    @property
    def stored(self) -> dict[str, Any]:
        """As JSON keeps it; conditions that are none are left out."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items() if value
        }

    @property
    def with_cancelled(self) -> bool:
        return bool(self.include) or _CANCELLED in self.states


@dataclass(frozen=True, slots=True)
class Candidate:
    """A subscription that is selected, as it stands; `cents` is what it costs a month."""

    subscription_id: int
    plan_id: int
    cents: int
    state: str
    cancelled: bool
    migrating: bool

    def fate(self, plan_id: int) -> str:
        """What becomes of it on its way to the plan."""
        if self.cancelled:
            return CANCELLED
        return SAME_PLAN if self.plan_id == plan_id else CHANGE

    def warnings(self, plan_id: int) -> tuple[str, ...]:
        """What one should know before it starts."""
        fate = self.fate(plan_id)
        if fate != CHANGE:
            return (fate,)
        found = (PENDING if self.state in _PENDING else "", MIGRATING if self.migrating else "")
        return tuple(word for word in found if word)


@dataclass(frozen=True, slots=True)
class Target:
    """The plan that a mass change leads to, as far as it is shown: cents a month, bits per second."""

    id: int
    cents: int
    download_bps: int
    upload_bps: int


class Tally:
    """Counts over many candidates, and the digest by which a start proves that it is about what was shown."""

    def __init__(self, selection: Selection, plan: Target, change_price: bool) -> None:
        self._plan, self._change_price = plan, change_price
        self.total = self.to_change = self.before_cents = self.after_cents = 0
        self.warnings: dict[str, int] = {}
        self._hash = hashlib.sha256(repr((sorted(selection.stored.items()), astuple(plan), change_price)).encode())

    def add(self, candidate: Candidate) -> None:
        fate = candidate.fate(self._plan.id)
        self.total += 1
        if fate == CHANGE:
            self.to_change += 1
            self.before_cents += candidate.cents
            self.after_cents += self.cents_then(candidate)
        for word in candidate.warnings(self._plan.id):
            self.warnings[word] = self.warnings.get(word, 0) + 1
        self._hash.update(repr((candidate.subscription_id, candidate.plan_id, candidate.cents, fate)).encode())

    def cents_then(self, candidate: Candidate) -> int:
        """What the subscription costs afterwards."""
        changed = candidate.fate(self._plan.id) == CHANGE and self._change_price
        return self._plan.cents if changed else candidate.cents

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


def _plain(name: str, value: Any) -> Any:
    """Text and numbers as they are; lists without repetitions, in order. An empty list is no way to say "all"."""
    if name in ("states", "subscriber_ids", "include") and not value:
        raise InvalidInput(name, "at least one, or leave it out", ["ACTIVE"] if name == "states" else [12, 13])
    if name == "states":
        return _states(value)
    if name in ("subscriber_ids", "include", "exclude"):
        return _ids(name, value)
    return value.strip() if isinstance(value, str) else value


def _states(values: Sequence[str]) -> tuple[str, ...]:
    if set(values) - set(ServiceState):
        raise InvalidInput("states", f"some of {', '.join(ServiceState)}", ["ACTIVE", "REDUCED"])
    return tuple(sorted(str(value) for value in set(values)))


def _ids(name: str, values: Sequence[int]) -> tuple[int, ...]:
    if len(values) > MOST_IDS:
        raise InvalidInput(name, f"at most {MOST_IDS} ids", [12, 13])
    return tuple(sorted(set(values)))
