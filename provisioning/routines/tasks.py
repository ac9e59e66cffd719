"""What a routine can do: a registry that the layers above add their own tasks to.

A task is code that a routine runs at its hours, that a person runs by hand, and that can be rehearsed: `rehearse`
gives the counts that a run would have now, and changes nothing. A task must be safe to run again: a crash between its
work and the note that it ran runs it once more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.actor import Actor

if TYPE_CHECKING:
    from core.database import Transaction
    from core.runtime import Runtime


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How a run went: counts by name for the history, a sentence, and `status`: done, waiting (for a person),
    running (jobs go on with it), held (a guard), failed."""

    counts: Mapping[str, int] = field(default_factory=dict)
    detail: str = ""
    status: str = "done"


@dataclass(frozen=True, slots=True)
class RoutineTask:
    """`words` and `palavras` name it for people in English and Portuguese; `parameters` are the names that a
    routine may give it, each with its rule in words."""

    name: str
    words: str
    palavras: str
    run: Callable[[Runtime, Actor, Mapping[str, Any]], TaskResult]
    rehearse: Callable[[Transaction, Mapping[str, Any]], TaskResult]
    parameters: Mapping[str, str] = field(default_factory=dict)


TASKS: dict[str, RoutineTask] = {}


def register_task(task: RoutineTask) -> RoutineTask:
    """Add a task; importing the module that calls this is what makes it known."""
    if task.name in TASKS and TASKS[task.name] != task:
        raise ValueError(f"two tasks with the name {task.name}")
    TASKS[task.name] = task
    return task
