"""Sessions with a router over the RouterOS API: `connect` logs in, a `Session` reads and writes.

Logging in is plain (6.43 and later) or by challenge, on the same connection. Whatever is read comes as text; whatever
fails says how to mend it and shows no secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import md5
from time import monotonic

from provisioning.routeros.connection import (
    Command,
    CommandResult,
    Connection,
    Done,
    LoginRefused,
    Read,
    ReadRefused,
    RouterLost,
    RouterVersion,
    Target,
    Trapped,
)
from provisioning.routeros.driver import certificates
from provisioning.routeros.driver.pacing import cost_of, full_bucket
from provisioning.routeros.driver.pipeline import Answer, Limits, Pipeline, Request
from provisioning.routeros.driver.wire import Charset, Lacking, encode_word
from provisioning.routeros.rows import SENSITIVE

READ_SECONDS = 60.0
"""What all of a read, and a single written command, may take, however steadily its bytes trickle in."""
MASK = "•••"
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?")
_CHALLENGE = re.compile(r"[0-9a-fA-F]{32}")


def connect(target: Target, *, writes_per_second: int = 0, read_seconds: float = READ_SECONDS) -> Connection:
    """A logged-in session. RouterError: unreachable, certificate or login refused, silent, lost.

    `writes_per_second` counts rows; 0: unbounded.
    """
    stream = certificates.open_stream(target)
    pipeline = Pipeline(stream, Charset(target.charset), full_bucket(writes_per_second, monotonic()))
    session = Session(pipeline, target.timeout, read_seconds)
    try:
        _log_in(session, target)
        session.introduce()
    except BaseException:
        session.close()
        raise
    return session


def presented_fingerprint(host: str, port: int, timeout: float) -> str:
    """SHA-256, in hexadecimal, of the certificate that the router presents: to be compared and pinned.

    No password is sent for it, nor anything else. RouterError.
    """
    return certificates.presented_fingerprint(host, port, timeout)


class Session:
    """One logged-in connection to a router; see `connection.Connection`."""

    def __init__(self, pipeline: Pipeline, timeout: float, read_seconds: float) -> None:
        self.version, self.identity, self.board = RouterVersion(0, 0), "", ""
        self._pipeline = pipeline
        self._reading = Limits(timeout, read_seconds)
        self._writing = Limits(timeout, read_seconds, each=True)

    def read(self, path: str, fields: Sequence[str] = (), query: Sequence[str] = ()) -> list[dict[str, str]]:
        """See `Connection.read`."""
        rows = self.read_many([Read(path, fields, query)])[0]
        if isinstance(rows, ReadRefused):
            raise rows
        return rows

    def read_many(self, reads: Sequence[Read]) -> list[list[dict[str, str]] | ReadRefused]:
        """See `Connection.read_many`."""
        asked = [self._question(read, _proplist(read)) for read in reads]
        sent = [request for request in asked if isinstance(request, Request)]
        answers = iter(self._pipeline.exchange(sent, self._reading))
        return [_rows(next(answers)) if isinstance(request, Request) else request for request in asked]

    def count(self, reads: Sequence[Read]) -> list[int | ReadRefused]:
        """See `Connection.count`: `print` with `=count-only=` has its answer in the `=ret=` of `!done`."""
        asked = [self._question(read, (("count-only", "=count-only="),)) for read in reads]
        sent = [request for request in asked if isinstance(request, Request)]
        answers = iter(self._pipeline.exchange(sent, self._reading))
        return [_number(next(answers)) if isinstance(request, Request) else request for request in asked]

    def write(self, commands: Sequence[Command]) -> list[CommandResult]:
        """See `Connection.write`. A command that the router's character set cannot word is Trapped, and not sent."""
        asked = [self._order(command) for command in commands]
        sent = [request for request in asked if isinstance(request, Request)]
        answers = iter(self._pipeline.exchange(sent, self._writing))
        return [
            _result(next(answers), command) if isinstance(request, Request) else request
            for request, command in zip(asked, commands, strict=True)
        ]

    def log_in(self, words: Mapping[str, str]) -> Answer:
        """One step of logging in. Lacking, when the router's character set cannot word it."""
        body = _body(self._pipeline.charset, "/login", _attributes(words))
        return self._pipeline.exchange([Request(body, login=True)], self._reading)[0]

    def introduce(self) -> None:
        """Ask the router what it is. LoginRefused when this user may not read; RouterLost for an unknown version."""
        asked = (Read("/system/resource", ("version", "board-name")), Read("/system/identity", ("name",)))
        resource, identity = (self._about(rows) for rows in self.read_many(asked))
        self.version = version_of(resource.get("version", ""))
        self.board, self.identity = resource.get("board-name", ""), identity.get("name", "")

    def close(self) -> None:
        self._pipeline.close()

    def _question(self, read: Read, how: Sequence[tuple[str, str]]) -> Request | ReadRefused:
        words = [*how, *(("the query", word) for word in read.query)]
        try:
            return Request(_body(self._pipeline.charset, f"{read.path}/print", words))
        except Lacking as error:
            return ReadRefused(str(error))

    def _order(self, command: Command) -> Request | Trapped:
        try:
            body = _body(self._pipeline.charset, command.path, _attributes(command.words))
        except Lacking as error:
            return Trapped(str(error))
        return Request(body, cost=cost_of(command.words))

    def _about(self, rows: list[dict[str, str]] | ReadRefused) -> dict[str, str]:
        if isinstance(rows, ReadRefused):
            raise LoginRefused(
                f"{self._pipeline.where} lets this user in, but not read ({rows}): give its group `read`"
            )
        return rows[0] if rows else {}


def version_of(shown: str) -> RouterVersion:
    """`7.20.4 (stable)`, `7.20rc3 (testing)`. RouterLost for what is no version."""
    found = _VERSION.match(shown.strip())
    if not found:
        raise RouterLost(f"the router says that its version is {shown!r}, which is none of RouterOS")
    major, minor, patch = found.groups(default="0")
    return RouterVersion(int(major), int(minor), int(patch))


def _log_in(session: Session, target: Target) -> None:
    """Plain first; a router older than 6.43 answers with a challenge."""
    try:
        answer = session.log_in({"name": target.login, "password": target.password})
        if not answer.trap and answer.ret:
            answer = session.log_in({"name": target.login, "response": _response(target, answer.ret)})
    except Lacking as error:
        raise LoginRefused(f"{error}: change it at the router, or the router's character set here") from None
    if answer.trap:
        said = _masked(answer.trap.message, [target.password])
        raise LoginRefused(
            f"{target.host} refuses the login {target.login}: {said}. Check user and password, that its group has the "
            "policies api, read, write and sensitive, and that it may come from this address (/user)"
        )


def _response(target: Target, challenge: str) -> str:
    """MD5 over 0, password and challenge, as routers before 6.43 want it."""
    if not _CHALLENGE.fullmatch(challenge):
        raise RouterLost(f"{target.host} asks for a kind of login that is not known here")
    secret = Charset(target.charset).encode(target.password, "password")
    return "00" + md5(b"\x00" + secret + bytes.fromhex(challenge), usedforsecurity=False).hexdigest()


def _body(charset: Charset, path: str, words: Sequence[tuple[str, str]] | Iterator[tuple[str, str]]) -> bytes:
    """The words of a sentence; each comes with the name by which an error calls it."""
    first = encode_word(charset.encode(path, "the path"))
    return first + b"".join(encode_word(charset.encode(word, name)) for name, word in words)


def _attributes(words: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((name, f"={name}={value}") for name, value in words.items())


def _proplist(read: Read) -> list[tuple[str, str]]:
    wanted = ",".join(dict.fromkeys((".id", *read.fields)))
    return [(".proplist", f"=.proplist={wanted}")] if read.fields else []


def _number(answer: Answer) -> int | ReadRefused:
    if answer.trap is not None:
        return ReadRefused(answer.trap.message, answer.trap.category)
    if not (answer.ret.isascii() and answer.ret.isdecimal()):
        return ReadRefused("the router was asked for a number of rows and gave none")
    return int(answer.ret)


def _rows(answer: Answer) -> list[dict[str, str]] | ReadRefused:
    """All rows or none: with a trap, the router stopped somewhere."""
    trap = answer.trap
    return answer.rows if trap is None else ReadRefused(trap.message, trap.category)


def _result(answer: Answer, command: Command) -> CommandResult:
    if answer.trap is None:
        return Done(answer.ret)
    secrets = [value for name, value in command.words.items() if name in SENSITIVE]
    return Trapped(_masked(answer.trap.message, secrets), answer.trap.category)


def _masked(said: str, secrets: Sequence[str]) -> str:
    """A router may quote what it refuses."""
    for secret in filter(None, secrets):
        said = said.replace(secret, MASK)
    return said
