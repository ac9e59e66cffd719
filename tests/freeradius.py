"""FreeRADIUS on loopback: it receives our CoA and Disconnect, or is the server that a simulated NAS dials."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import pytest

PROGRAM = "/usr/sbin/freeradius"
DICTIONARIES = "/usr/share/freeradius"
_READY = "Ready to process requests"

_FRAME = """
prefix = /usr
name = catraca-test
confdir = {directory}
raddbdir = {directory}
logdir = {directory}
run_dir = {directory}
libdir = /usr/lib/freeradius
max_requests = 1024
cleanup_delay = 5
log {{
	destination = stdout
}}
security {{
	allow_core_dumps = no
	reject_delay = 0
	status_server = no
}}
client those_who_may_ask {{
	{family} = {address}
	secret = "{secret}"
}}
modules {{
	always ok {{
		rcode = ok
	}}
	always reject {{
		rcode = reject
	}}
	chap {{
	}}
	mschap {{
	}}
	pap {{
	}}
}}
"""
_LISTEN = """
listen {{
	type = {kind}
	{family} = {address}
	port = {port}
	virtual_server = {server}
}}
"""
_RECEIVER = """
server receiver {{
	recv-coa {{
		switch &User-Name {{
{cases}
			case {{
{default}
			}}
		}}
	}}
}}
"""
_ACK = "\t\t\t\tok"
_NAK = "\t\t\t\tupdate reply {{\n\t\t\t\t\t&Error-Cause := {cause}\n\t\t\t\t}}\n\t\t\t\treject"
_CASE = '\t\t\tcase "{user}" {{\n{answer}\n\t\t\t}}\n'

_ACCESS = """
server access {{
	authorize {{
{first}
		switch &User-Name {{
{cases}
			case {{
				reject
			}}
		}}
		chap
		mschap
		pap
	}}
	authenticate {{
		Auth-Type PAP {{
			pap
		}}
		Auth-Type CHAP {{
			chap
		}}
		Auth-Type MS-CHAP {{
			mschap
		}}
	}}
	accounting {{
		ok
	}}
}}
"""
_SIGN = """
		update reply {
			&Message-Authenticator := 0x00
		}"""
_KNOWN = '&Cleartext-Password := "{password}"'
_KNOWN_BY_NAME = "&Auth-Type := Accept"
_UPDATE = "\t\t\t\tupdate {what} {{\n{lines}\n\t\t\t\t}}\n"


def need_freeradius() -> None:
    """Skip the test where FreeRADIUS is not installed, saying so; in CI fail instead."""
    missing = [program for program in (PROGRAM, "/usr/bin/radclient") if not Path(program).exists()]
    if not missing:
        return
    if os.environ.get("CI"):
        pytest.fail(f"FreeRADIUS tests may not be skipped in CI: {missing} not installed")
    pytest.skip(f"{missing} not installed (Debian: freeradius, freeradius-utils)")


@dataclass(frozen=True)
class User:
    """A subscriber as FreeRADIUS knows them; `reply` in its own words, e.g. `Framed-IP-Address := 10.0.0.9`."""

    password: str = ""
    reply: Sequence[str] = ()


def _known(user: User) -> str:
    known = _KNOWN.format(password=user.password) if user.password else _KNOWN_BY_NAME
    control = _UPDATE.format(what="control", lines=f"\t\t\t\t\t{known}")
    reply = "\n".join(f"\t\t\t\t\t&{line}" for line in user.reply)
    return control + (_UPDATE.format(what="reply", lines=reply) if reply else "")


class FreeRadius:
    """One FreeRADIUS with its own configuration in a temporary directory, running between enter and exit.

    It checks every authenticator itself and runs with `-X`, so `log` is its own account of what it received.
    """

    def __init__(self, secret: str, address: str, servers: Mapping[str, str], configuration: str) -> None:
        self.address = address
        self.ports = {kind: _free_port(address) for kind in servers}
        family = "ipv6addr" if ":" in address else "ipaddr"
        listens = [
            _LISTEN.format(kind=kind, family=family, address=address, port=self.ports[kind], server=server)
            for kind, server in servers.items()
        ]
        self._frame = partial(_FRAME.format, family=family, address=address, secret=secret)
        self._configuration = "".join(listens) + configuration

    @property
    def port(self) -> int:
        """The port for CoA and Disconnect."""
        return self.ports["coa"]

    @classmethod
    def coa_listener(
        cls,
        secret: str,
        *,
        ack: Iterable[str] = (),
        nak: Mapping[str, int] | None = None,
        otherwise: int | None = 503,
        address: str = "127.0.0.1",
    ) -> Self:
        """Receives CoA- and Disconnect-Requests from this host.

        Users in `ack` are acknowledged, those in `nak` refused with that Error-Cause, all others with `otherwise`
        (None: acknowledged). A request made with another secret gets no answer.
        """
        cases = [_CASE.format(user=user, answer=_ACK) for user in ack]
        cases += [_CASE.format(user=user, answer=_NAK.format(cause=cause)) for user, cause in (nak or {}).items()]
        default = _ACK if otherwise is None else _NAK.format(cause=otherwise)
        server = _RECEIVER.format(cases="".join(cases), default=default)
        return cls(secret, address, {"coa": "receiver"}, server)

    @classmethod
    def access_server(
        cls, secret: str, users: Mapping[str, User], *, address: str = "127.0.0.1", signed: bool = True
    ) -> Self:
        """Authenticates `users` (PAP, CHAP, MS-CHAPv2; by name alone without a password) and takes their accounting.

        `signed`: replies to Access-Requests carry Message-Authenticator.
        """
        cases = [_CASE.format(user=name, answer=_known(user)) for name, user in users.items()]
        server = _ACCESS.format(first=_SIGN if signed else "", cases="".join(cases))
        return cls(secret, address, {"auth": "access", "acct": "access"}, server)

    def __enter__(self) -> Self:
        need_freeradius()
        self._directory = Path(tempfile.mkdtemp(prefix="catraca-fr-", dir="/tmp"))
        (self._directory / "radiusd.conf").write_text(
            self._frame(directory=self._directory) + self._configuration, "utf-8"
        )
        with (self._directory / "stdout").open("wb") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "-X", "-d", str(self._directory), "-D", DICTIONARIES, "-n", "radiusd"],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self.wait_for_log(_READY)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def log(self) -> str:
        """Everything that FreeRADIUS has said so far."""
        return (self._directory / "stdout").read_text("utf-8", "replace")

    def wait_for_log(self, text: str, timeout: float = 10.0) -> str:
        """The log once it contains `text`; AssertionError with the end of the log when it does not come."""
        deadline = time.monotonic() + timeout
        while text not in (log := self.log):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise AssertionError(f"FreeRADIUS never said {text!r}; it ends with:\n{log[-2000:]}")
            time.sleep(0.02)
        return log


def _free_port(address: str) -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
