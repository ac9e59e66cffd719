"""What a router refuses, in RouterOS's own words and categories."""

from __future__ import annotations

MISSING, ARGUMENT, INTERRUPTED = 0, 1, 2
"""Categories of `!trap`: a missing item or command, an argument's value, a command that was cut off."""


class Refusal(Exception):
    """One `!trap`; `category` None: RouterOS gives none."""

    def __init__(self, message: str, category: int | None = None, *, then: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.category = category
        self.then = then
        """The message of a second `!trap` for the same command, as RouterOS sends for a menu that it does not have."""


def no_such_item() -> Refusal:
    return Refusal("no such item", MISSING)


def no_such_menu(word: str) -> Refusal:
    return Refusal(f"no such command or directory ({word})", MISSING, then="no such command prefix")


def no_such_command() -> Refusal:
    return Refusal("no such command", MISSING)


def unknown_parameter(name: str) -> Refusal:
    return Refusal(f"unknown parameter {name}")


def invalid_value(name: str) -> Refusal:
    return Refusal(f"invalid value for argument {name}", ARGUMENT)


def no_match(name: str) -> Refusal:
    return Refusal(f"input does not match any value of {name}", ARGUMENT)


def out_of_range(name: str, lowest: int, highest: int) -> Refusal:
    return Refusal(f"value of {name} out of range ({lowest}..{highest})", ARGUMENT)


def failure(words: str) -> Refusal:
    return Refusal(f"failure: {words}")
