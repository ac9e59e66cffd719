"""A canary secret is pushed through every way into the logs, and comes out nowhere."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from core.logs import configure_logs, get_logger
from core.secrets import Secret

CANARY = "Kanarie@9f3x"
MARK = "9f3x"
log = get_logger("catraca.test")
library = logging.getLogger("some.library")


class Careless:
    """An object whose author thought of repr, but not of secrets."""

    def __repr__(self) -> str:
        return f"Careless(password='a b {CANARY}')"


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    """Give the process back as it was."""
    root = logging.getLogger()
    handlers, level, configuration = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers, root.level = handlers, level
    structlog.configure(**configuration)
    structlog.contextvars.clear_contextvars()


def failing(error: Exception, told: Callable[[], Any]) -> Callable[[], None]:
    """Tell of `error`, which has a cause with the secret in it and a note."""

    def run() -> None:
        try:
            try:
                raise KeyError(f"token={CANARY}")
            except KeyError as cause:
                error.add_note(f"secret: {CANARY}")
                raise error from cause
        except Exception:
            told()

    return run


def bound() -> None:
    log.bind(password=CANARY).info("bound")


def in_context() -> None:
    with structlog.contextvars.bound_contextvars(api_token=CANARY, url=f"redis://u:{CANARY}@h"):
        log.info("in context")
        library.info("in context")


URL = f"redis://:{CANARY}@10.0.0.1:6379/0"
BOOM = ValueError(f"cannot reach {URL}")
ROUTES: dict[str, Callable[[], Any]] = {
    "event text": lambda: log.info(f"password={CANARY}"),
    "event that is a dict": lambda: log.info({"password": CANARY}),  # type: ignore[arg-type]
    "event that is an object": lambda: log.info(Careless()),  # type: ignore[arg-type]
    "key": lambda: log.info("x", password=CANARY),
    "key with an underscore": lambda: log.info("x", _password=CANARY),
    "nested": lambda: log.info("x", order=[{"headers": {"X-Api-Key": CANARY}}]),
    "key of a dict": lambda: log.info("x", hosts={URL: 1}),
    "Secret": lambda: log.info("x", value=Secret(CANARY), values=[Secret(CANARY)]),
    "Secret in the event": lambda: log.info(f"{Secret(CANARY)} {Secret(CANARY)!r}"),
    "Secret as an argument": lambda: log.info("%s %r", Secret(CANARY), Secret(CANARY)),
    "object": lambda: log.info("x", value=Careless(), values=(Careless(),)),
    "bytes": lambda: log.info("x", value=f"password={CANARY}".encode()),
    "argument": lambda: log.info("token=%s", CANARY),
    "named argument": lambda: log.info("it is %(password)s", {"password": CANARY}),
    "URL": lambda: log.warning(f"cannot reach {URL}"),
    "URL under a harmless name": lambda: log.warning("x", broker=URL),
    "bearer token": lambda: log.info("x", header=f"Authorization: Bearer {CANARY}"),
    "bound": bound,
    "context": in_context,
    "exception": failing(BOOM, lambda: log.exception("boom", password=CANARY)),
    "exception as a value": failing(BOOM, lambda: log.error("boom", reason=BOOM)),
    "exc_info": failing(BOOM, lambda: log.warning("boom", exc_info=True)),
    "library, text": lambda: library.info(f"password={CANARY}"),
    "library, argument": lambda: library.info("password=%s", CANARY),
    "library, arguments": lambda: library.info("%s and %s", {"password": CANARY}, URL),
    "library, named argument": lambda: library.info("it is %(password)s", {"password": CANARY}),
    "library, Secret": lambda: library.info("%s %r", Secret(CANARY), Secret(CANARY)),
    "library, object": lambda: library.info("%s", Careless()),
    "library, object as the text": lambda: library.info(Careless()),
    "library, extra": lambda: library.info("x", extra={"password": CANARY}),
    "library, exception": failing(BOOM, lambda: library.exception("boom")),
    "library, stack": lambda: library.info(f"password={CANARY}", stack_info=True),
    "library, arguments that do not fit": lambda: library.info("%d", CANARY),
}


@pytest.mark.parametrize("style", ["json", "text"])
@pytest.mark.parametrize("route", ROUTES.values(), ids=list(ROUTES))
def test_the_canary_comes_out_nowhere(route: Callable[[], Any], style: str, capfd: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    configure_logs("debug", style, stream)
    route()
    text = stream.getvalue()
    assert text.endswith("\n"), "the line itself must not be lost"
    assert MARK not in text
    assert MARK not in "".join(capfd.readouterr())


def test_before_the_logs_are_configured_nothing_comes_out_either() -> None:
    told = f"password={CANARY!r}, url={URL!r}"
    program = f"from core.logs import get_logger; get_logger('early').warning('%(password)s', dict({told}), {told})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "warning" in done.stderr
    assert MARK not in done.stderr
    assert done.stdout == "", "stdout is for what a command prints"


def test_a_line_in_json() -> None:
    stream = io.StringIO()
    configure_logs("info", "json", stream)
    get_logger("catraca.json").info("job done", kind="converge", nas=3, addresses=["10.0.0.1"], password="x")
    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "job done",
        "level": "info",
        "logger": "catraca.json",
        "kind": "converge",
        "nas": 3,
        "addresses": ["10.0.0.1"],
        "password": "***",
    }


def test_an_exception_keeps_its_traceback() -> None:
    stream = io.StringIO()
    configure_logs("info", "json", stream)
    failing(RuntimeError("the NAS is away"), lambda: library.exception("boom"))()
    told = json.loads(stream.getvalue())["exception"]
    assert "RuntimeError: the NAS is away" in told
    assert "KeyError" in told
    assert "test_logs.py" in told


@pytest.mark.parametrize(("style", "is_json"), [("auto", True), ("json", True), ("text", False)])
def test_the_style_of_a_stream_that_is_no_terminal(style: str, is_json: bool) -> None:
    stream = io.StringIO()
    configure_logs("info", style, stream)
    library.warning("hello")
    assert stream.getvalue().startswith("{") is is_json


def test_the_level_holds_for_both_kinds_of_logger() -> None:
    stream = io.StringIO()
    configure_logs("warning", "json", stream)
    get_logger("catraca.level").info("quiet")
    library.info("quiet")
    assert stream.getvalue() == ""
    get_logger("catraca.level").warning("loud")
    library.warning("loud")
    assert stream.getvalue().count("loud") == 2


@pytest.mark.parametrize("noisy", ["celery.beat", "kombu", "uvicorn.access", "httpx"])
def test_chatty_libraries_are_heard_from_warning_on(noisy: str) -> None:
    stream = io.StringIO()
    configure_logs("debug", "json", stream)
    logging.getLogger(noisy).info("chatter")
    assert stream.getvalue() == ""
    logging.getLogger(noisy).warning("matter")
    assert "matter" in stream.getvalue()


def test_a_line_that_cannot_be_formatted_names_its_place() -> None:
    stream = io.StringIO()
    configure_logs("info", "json", stream)
    library.info("%d", CANARY)
    assert "some.library" in stream.getvalue()
    assert "test_logs.py" in stream.getvalue()
    assert "TypeError" in stream.getvalue()
