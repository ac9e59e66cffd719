"""What must never be shown, recognised by name or by shape.

Two ways lead to the same end. A value under a telling name (`password`, `x-api-key`, …) is hidden whole, at any depth;
so is every `Secret`. Text is searched for what looks like a secret: passwords in URLs, bearer and basic credentials,
our own tokens, private keys, `password=…`. Anything else that a log may be given is turned into text first, so that
an object's repr cannot carry out what its author forgot. A secret that stands bare in a sentence has no shape: who
writes it there has to hold it as a `Secret`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from pydantic import SecretBytes, SecretStr

from core.secrets import Secret

HIDDEN = "***"
DEEPEST = 20
"""Levels of nesting that are shown; a stranger's document may have thousands."""

_WORDS = (
    r"password|passwd|passphrase|pwd|senha|secret|token|credential|authorization|cookie|api[-_]?key|private[-_]?key"
)
_NAME = re.compile(_WORDS, re.IGNORECASE)
# Lengths are bounded so that a hostile text cannot make the search slow. A password may hold "@": the last one counts.
_IN_URL = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]{0,30}://[^/\s:@]{0,256}):\S{1,512}@", re.IGNORECASE)
_BEARER = re.compile(r"\b(?P<scheme>bearer)\s+(?!\*)\S+", re.IGNORECASE)
_BASIC = re.compile(r"\b(?P<scheme>basic)\s+(?P<value>[A-Za-z0-9+/_-]{4,}={0,2})", re.IGNORECASE)
_BARE = re.compile(
    r"\bcat_[A-Za-z0-9_-]{20,}"
    r"|\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?:.*?-----END [A-Z ]*PRIVATE KEY-----|.*)",
    re.DOTALL,
)
_HEADER = re.compile(r"\b(?P<name>(?:authorization|(?:set-)?cookie)\s{0,8}:\s{0,8})[^'\"\s][^\r\n]*", re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"(?P<name>(?:{_WORDS})[\w-]{{0,64}}\\?['\"]?\s{{0,8}}(?:=>|[:=])\s{{0,8}}(?:(?:bearer|basic)\s+)?b?)"
    r'(?P<value>\\"[^"]*"|"(?:[^"\\]|\\.)*"'
    r"|'(?:[^'\\]|\\.)*'|\S+)",
    re.IGNORECASE,
)


def is_secret_name(name: str) -> bool:
    return bool(_NAME.search(name))


def redact_text(text: str) -> str:
    """The text without passwords in URLs, credentials of HTTP, tokens, private keys and `password=…`."""
    text = _IN_URL.sub(r"\g<scheme>:***@", text)
    text = _BARE.sub(HIDDEN, text)
    text = _HEADER.sub(r"\g<name>***", text)
    text = _ASSIGNED.sub(r"\g<name>***", text)
    text = _BEARER.sub(r"\g<scheme> ***", text)
    return _BASIC.sub(_hide_basic, text)


def _hide_basic(found: re.Match[str]) -> str:
    """`Basic …` is a credential when it is base64 of `user:password`; else it is prose ("basic configuration")."""
    value = found["value"]
    try:
        plain = base64.b64decode(value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4), altchars=b"-_")
    except binascii.Error:
        return found[0]
    return f"{found['scheme']} {HIDDEN}" if b":" in plain else found[0]


def redact(value: Any, name: str = "", depth: int = 0) -> Any:
    """The value as a log may show it, at any depth: plain numbers, text, lists and dicts."""
    if isinstance(value, Secret | SecretStr | SecretBytes):
        return HIDDEN
    if depth > DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {_shown_key(key): redact(item, str(key), depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item, name, depth + 1) for item in value]
    if name and is_secret_name(name) and value not in (None, ""):
        return HIDDEN
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact_text(_as_text(value))


def _shown_key(key: object) -> str:
    return redact_text(_as_text(key))


def _as_text(value: object) -> str:
    try:
        return repr(value) if isinstance(value, BaseException | bytes) else str(value)
    except Exception:  # a log line is not worth a failure of the work that it tells of
        return f"<unprintable {type(value).__name__}>"
