"""FreeRADIUS's radclient: a RADIUS client that is not ours, with encoders of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

PROGRAM = shutil.which("radclient")
Value = str | int | bytes
"""Text goes out in quotes, which suits addresses and named values too; octets go out in hexadecimal."""
Attributes = Mapping[str, Value]

ACCEPT, REJECT = "Access-Accept", "Access-Reject"
ACCOUNTED = "Accounting-Response"

_RECEIVED = re.compile(r"^Received (\S+) Id \d+ from ")
_ATTRIBUTE = re.compile(r"^\t(\S+) = (.*)$")
_SIGNED: Attributes = {"Message-Authenticator": b"\0"}  # radclient fills in the right one
_PATIENCE = ("-t", "10", "-r", "3")
_CURTLY = ("-t", "1", "-r", "1")


def need_radclient() -> None:
    """Skip the test where radclient is not installed, saying so; in CI fail instead."""
    if PROGRAM is not None:
        return
    if os.environ.get("CI"):
        pytest.fail("radclient tests may not be skipped in CI: install freeradius-utils")
    pytest.skip("no radclient (Debian package freeradius-utils)")


@dataclass(frozen=True)
class Answer:
    """What radclient received, by its own account; an empty `code` is silence.

    A reply whose authenticators are wrong counts as none: radclient checks them.
    """

    code: str
    attributes: tuple[tuple[str, str], ...]
    printed: str

    def get(self, name: str) -> str:
        """The value of the first attribute of this name, without quotes; "" when there is none."""
        return next((value.strip('"') for found, value in self.attributes if found == name), "")

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.attributes]


class Radclient:
    """Sends requests to one server; `source` is the local address to send from."""

    def __init__(self, auth_port: int, acct_port: int, secret: str, source: str = "127.0.0.1") -> None:
        need_radclient()
        self.auth_port, self.acct_port, self.secret, self.source = auth_port, acct_port, secret, source

    def authenticate(self, attributes: Attributes, *, patient: bool = True) -> Answer:
        """Send one Access-Request, signed; not `patient`: one second and one try, where silence is expected."""
        [answer] = self.run("auth", self.auth_port, [{**_SIGNED, **attributes}], patient=patient)
        return answer

    def account(self, attributes: Attributes, *, patient: bool = True) -> Answer:
        """Send one Accounting-Request."""
        [answer] = self.run("acct", self.acct_port, [attributes], patient=patient)
        return answer

    def status(self, port: int) -> Answer:
        """Send Status-Server (RFC 5997)."""
        [answer] = self.run("status", port, [_SIGNED])
        return answer

    def together(self, requests: Sequence[Attributes]) -> list[Answer]:
        """Send several Access-Requests at the same time; the answers in the order of their arrival."""
        signed = [{**_SIGNED, **attributes} for attributes in requests]
        return self.run("auth", self.auth_port, signed, "-p", str(len(signed)))

    def run(
        self, command: str, port: int, requests: Sequence[Attributes], *options: str, patient: bool = True
    ) -> list[Answer]:
        """Run radclient once; at least one answer, which is silence when nothing came."""
        assert PROGRAM is not None
        source: Attributes = {"Packet-Src-IP-Address": self.source}
        text = "\n\n".join(_written({**source, **attributes}) for attributes in requests)
        ended = subprocess.run(
            [PROGRAM, "-x", *(_PATIENCE if patient else _CURTLY), *options, f"127.0.0.1:{port}", command, self.secret],
            input=text + "\n",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        printed = ended.stdout + ended.stderr
        assert "radclient:" not in printed, printed  # it did not understand us
        return _answers(ended.stdout) or [Answer("", (), printed)]


def _written(attributes: Attributes) -> str:
    return ", ".join(f"{name} = {_value(value)}" for name, value in attributes.items())


def _value(value: Value) -> str:
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    return str(value) if isinstance(value, int) else f'"{value}"'


def _answers(printed: str) -> list[Answer]:
    """Each `Received …` line and the indented lines below it."""
    found: list[Answer] = []
    lines = printed.splitlines()
    for number, line in enumerate(lines):
        if received := _RECEIVED.match(line):
            below = []
            for following in lines[number + 1 :]:
                if (attribute := _ATTRIBUTE.match(following)) is None:
                    break
                below.append((attribute[1], attribute[2]))
            found.append(Answer(received[1], tuple(below), printed))
    return found
