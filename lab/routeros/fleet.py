"""Many emulated routers in one process, told what to do by lines of JSON."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import Any, Self

from lab.routeros.emulator import EmulatedRouter

_FAULTS = frozenset({"hang", "reset", "slow", "trap", "fatal", "refuse", "no_space", "power_cut"})
Told = Mapping[str, Any]


class Fleet:
    """Routers by number, from 0. A context manager."""

    def __init__(self, count: int, first_port: int = 0, version: str = "7.20.4", **settings: Any) -> None:
        self._power = ExitStack()
        with ExitStack() as starting:
            self.routers = [
                starting.enter_context(
                    EmulatedRouter(
                        version, f"borda-api-{number + 1}", port=first_port and first_port + number, **settings
                    )
                )
                for number in range(count)
            ]
            self._power = starting.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._power.close()

    @property
    def ports(self) -> list[int]:
        return [router.port for router in self.routers]

    def answer(self, line: str) -> str:
        """One line of JSON for one line of JSON; {"error": words} for what cannot be done."""
        try:
            told = json.loads(line)
            return json.dumps(self._do(told))
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            return json.dumps({"error": f"{type(error).__name__}: {error}"})

    def _do(self, told: Told) -> dict[str, Any]:
        if told.get("stats"):
            return self._stats()
        chosen = self._chosen(told["router"])
        action = next((word for word in _ACTIONS if word in told), None)
        if action is None:
            raise ValueError(f"nothing to do; known: stats, {', '.join(_ACTIONS)}")
        answers = [_ACTIONS[action](router, told) for router in chosen]
        return answers[0] if not isinstance(told["router"], list) else {"routers": answers}

    def _chosen(self, numbers: int | list[int]) -> Iterable[EmulatedRouter]:
        listed = numbers if isinstance(numbers, list) else [numbers]
        return [self.routers[number] for number in listed]

    def _stats(self) -> dict[str, Any]:
        sentences: Counter[str] = Counter()
        for router in self.routers:
            sentences.update(router.sentences.copy())
        return {
            "routers": len(self.routers),
            "connections_now": [router.connections_now for router in self.routers],
            "most_connections": [router.most_connections for router in self.routers],
            "sentences": dict(sentences),
        }


def _fault(router: EmulatedRouter, told: Told) -> dict[str, Any]:
    if told["fault"] not in _FAULTS:
        raise ValueError(f"no such fault; known: {', '.join(sorted(_FAULTS))}")
    words = {name: value for name, value in told.items() if name not in ("router", "fault")}
    getattr(router.faults, told["fault"])(**words)
    return {"done": True}


def _heal(router: EmulatedRouter, _told: Told) -> dict[str, Any]:
    router.faults.heal()
    return {"done": True}


def _rows(router: EmulatedRouter, told: Told) -> dict[str, Any]:
    return {"rows": len(router.rows(told["rows"]))}


def _show(router: EmulatedRouter, told: Told) -> dict[str, Any]:
    return {"show": router.rows(told["show"])}


def _stock(router: EmulatedRouter, told: Told) -> dict[str, Any]:
    return {"stocked": router.stock(told["stock"], told["with"])}


def _by_hand(router: EmulatedRouter, told: Told) -> dict[str, Any]:
    return {"ret": router.by_hand(told["by_hand"], **told.get("words", {}))}


def _dial(router: EmulatedRouter, told: Told) -> dict[str, Any]:
    return {"session": router.dial(told["dial"], told.get("password", ""), radius=told.get("radius"))}


def _reboot(router: EmulatedRouter, _told: Told) -> dict[str, Any]:
    router.reboot()
    return {"done": True}


def _power_cut(router: EmulatedRouter, told: Told) -> dict[str, Any]:
    router.power_cut(lost_writes=int(told["power_cut"]))
    return {"done": True}


def _foreign(router: EmulatedRouter, _told: Told) -> dict[str, Any]:
    return {"foreign": hashlib.sha256(router.foreign_bytes()).hexdigest()}


_ACTIONS: dict[str, Callable[[EmulatedRouter, Told], dict[str, Any]]] = {
    "fault": _fault,
    "heal": _heal,
    "rows": _rows,
    "show": _show,
    "stock": _stock,
    "by_hand": _by_hand,
    "dial": _dial,
    "reboot": _reboot,
    "power_cut": _power_cut,
    "foreign": _foreign,
}
