"""Structured logs that cannot carry a secret: everything passes `core.redaction`, exceptions too."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog

from core.redaction import HIDDEN, is_secret_name, redact

Event = MutableMapping[str, Any]
_INTERNAL = {"_record", "_from_structlog"}  # what structlog's formatter puts beside the event


def configure_logs(level: str = "info", style: str = "auto", stream: TextIO | None = None) -> None:
    """Send structlog and the standard library's loggers through the same processors to `stream` (stderr)."""
    out = stream or sys.stderr
    as_text = style == "text" or (style == "auto" and out.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    renderer: Any = structlog.dev.ConsoleRenderer(colors=False) if as_text else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            _hide_named_arguments,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = _Handler(out)
    handler.addFilter(_hide_arguments_of_record)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in ("celery", "kombu", "amqp", "alembic", "httpx", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def hide_secrets(_logger: Any, _method: str, event: Event) -> Event:
    """The last processor before a line leaves for its rendering; the exception is text by then."""
    for key, value in list(event.items()):
        if key not in _INTERNAL:
            event[key] = redact(value, key)
    return event


def _hide_named_arguments(_logger: Any, _method: str, event: Event) -> Event:
    """Before `"%(password)s" % {…}` becomes a text in which nothing tells the secret from its surroundings."""
    arguments = event.get("positional_args")
    if arguments:
        event["positional_args"] = tuple(_without_secrets(item) for item in arguments)
    return event


def _hide_arguments_of_record(record: logging.LogRecord) -> bool:
    record.args = _without_secrets(record.args)
    return True


def _without_secrets(arguments: Any) -> Any:
    if not isinstance(arguments, Mapping):
        return arguments
    return {name: HIDDEN if is_secret_name(str(name)) else value for name, value in arguments.items()}


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """The library would print the raw arguments of a line that cannot be formatted."""
        kind = type(sys.exc_info()[1]).__name__
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(f"a log line of {record.name} ({record.pathname}:{record.lineno}) was lost: {kind}\n")


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger


def _speak_before_configured() -> None:
    """Until `configure_logs` runs, lines go to stderr as text; they cannot carry a secret either."""
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            _hide_named_arguments,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.format_exc_info,
            hide_secrets,
            structlog.dev.ConsoleRenderer(colors=False),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=_to_stderr,
    )


def _to_stderr(*_name: object) -> structlog.PrintLogger:
    return structlog.PrintLogger(sys.stderr)


if not structlog.is_configured():
    _speak_before_configured()
