"""What must never be shown, recognised by name or by shape."""

from __future__ import annotations

import re
from typing import Any

from pydantic import SecretBytes, SecretStr

from core.secrets import Secret

HIDDEN = "***"
_NAME = re.compile(r"password|passwd|secret|token|credential|authorization|api_?key|private_?key", re.IGNORECASE)
_IN_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://[^/\s:@]*):[^@/\s]+@", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_TOKEN = re.compile(r"\bcat_[A-Za-z0-9_-]{20,}")
_ASSIGNED = re.compile(r"(?P<name>\b\w*(?:password|passwd|secret)\w*['\"]?\s*[:=]\s*)(?P<value>\S+)", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    return bool(_NAME.search(name))


def redact_text(text: str) -> str:
    """The text without passwords in URLs, bearer tokens, our own API tokens and `password=…`."""
    text = _IN_URL.sub(r"\g<scheme>:***@", text)
    text = _BEARER.sub(r"\1 ***", text)
    text = _TOKEN.sub(HIDDEN, text)
    return _ASSIGNED.sub(r"\g<name>***", text)


def redact(value: Any, name: str = "") -> Any:
    """The value as a log may show it, at any depth."""
    if isinstance(value, Secret | SecretStr | SecretBytes):
        return HIDDEN
    if isinstance(value, dict):
        return {key: redact(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item, name) for item in value]
    if name and is_secret_name(name) and value not in (None, ""):
        return HIDDEN
    return redact_text(value) if isinstance(value, str) else value
