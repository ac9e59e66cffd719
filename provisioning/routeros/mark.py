"""The mark by which a row is known as ours: the first word of its comment. Pure.

What follows the first space belongs to the people at the router and is kept. White space and `%` in a key (the name of
an address list may have them) are written as `%` and two hexadecimal digits.
"""

from __future__ import annotations

from urllib.parse import unquote

PREFIX = "catraca:"
GARDEN = "garden:"
PROFILE = "profile:"


def comment_of(key: str, kept: str = "") -> str:
    """The comment of the row of `key`, with the words of people, `kept`, behind the mark."""
    mark = PREFIX + _as_word(key)
    return f"{mark} {kept}" if kept else mark


def key_of(comment: str) -> str | None:
    """The key that a comment bears; None: it is not ours."""
    if not comment.startswith(PREFIX):
        return None
    word = comment[len(PREFIX) :].split(" ", 1)[0]
    return (unquote(word) if "%" in word else word) or None


def kept_of(comment: str) -> str:
    """What people wrote: the comment without our mark."""
    return comment.partition(" ")[2] if comment.startswith(PREFIX) else comment


def subscription_of(key: str) -> int | None:
    """The subscription that a key is of; None: the router's own, or nothing that we would write."""
    head, colon, _ = key.partition(":")
    number = head[1:]
    is_ours = bool(colon) and head[:1] == "s" and number.isascii() and number.isdigit() and number[:1] != "0"
    return int(number) if is_ours else None


def is_garden(key: str) -> bool:
    """Whether it is a row of the walled garden."""
    return key.startswith(GARDEN)


def _as_word(key: str) -> str:
    if not any(letter.isspace() or letter == "%" for letter in key):
        return key
    return "".join(_escaped(letter) if letter.isspace() or letter == "%" else letter for letter in key)


def _escaped(letter: str) -> str:
    return "".join(f"%{octet:02X}" for octet in letter.encode())
