"""The log of a RADIUS worker: lines as `core.logs` writes them, without the time that its libraries take to import.

A worker logs little and only what it phrases itself; what it says passes `core.redaction` all the same.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO


def configure_worker_logs(level: str, style: str, stream: TextIO | None = None) -> None:
    """Send all log lines to `stream` (stderr), as JSON or as text; `auto`: as text on a terminal."""
    out = stream or sys.stderr
    handler = logging.StreamHandler(out)
    handler.setFormatter(_Text() if style == "text" or (style == "auto" and out.isatty()) else _Json())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        told = {
            "event": _shown(record.getMessage()),
            "logger": record.name,
            "level": record.levelname.lower(),
            "timestamp": _instant(record),
        }
        if record.exc_info:
            told["exception"] = _shown(self.formatException(record.exc_info))
        return json.dumps(told)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        lines = [f"{_instant(record)} [{record.levelname.lower()}] {_shown(record.getMessage())} [{record.name}]"]
        if record.exc_info:
            lines.append(_shown(self.formatException(record.exc_info)))
        return "\n".join(lines)


def _instant(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")


def _shown(text: str) -> str:
    from core.redaction import redact_text  # here, because most workers never say anything

    return redact_text(text)
