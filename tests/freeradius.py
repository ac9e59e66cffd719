"""FreeRADIUS as the party that receives our CoA and Disconnect: the Debian program, in the foreground, on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

import pytest

PROGRAM = "/usr/sbin/freeradius"
DICTIONARIES = "/usr/share/freeradius"
_READY = "Ready to process requests"

_CONFIGURATION = """
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
}}
client those_who_may_ask {{
	{family} = {clients}
	secret = "{secret}"
}}
modules {{
	always ok {{
		rcode = ok
	}}
	always reject {{
		rcode = reject
	}}
}}
listen {{
	type = coa
	{family} = {address}
	port = {port}
	virtual_server = receiver
}}
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


def need_freeradius() -> None:
    """Skip the test where FreeRADIUS is not installed, saying so; in CI fail instead."""
    missing = [program for program in (PROGRAM, "/usr/bin/radclient") if not Path(program).exists()]
    if not missing:
        return
    if os.environ.get("CI"):
        pytest.fail(f"FreeRADIUS tests may not be skipped in CI: {missing} not installed")
    pytest.skip(f"{missing} not installed (Debian: freeradius, freeradius-utils)")


class FreeRadius:
    """One FreeRADIUS with its own configuration in a temporary directory, running between enter and exit.

    It checks every authenticator itself and runs with `-X`, so `log` is its own account of what it received.
    """

    def __init__(self, configuration: str, address: str, port: int) -> None:
        self.address = address
        self.port = port
        self._configuration = configuration

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
        port = _free_port(address)
        cases = [_CASE.format(user=user, answer=_ACK) for user in ack]
        cases += [_CASE.format(user=user, answer=_NAK.format(cause=cause)) for user, cause in (nak or {}).items()]
        configuration = _CONFIGURATION.format(
            directory="{directory}",
            family="ipv6addr" if ":" in address else "ipaddr",
            clients=address,
            address=address,
            port=port,
            secret=secret,
            cases="".join(cases),
            default=_ACK if otherwise is None else _NAK.format(cause=otherwise),
        )
        return cls(configuration, address, port)

    def __enter__(self) -> Self:
        need_freeradius()
        self._directory = Path(tempfile.mkdtemp(prefix="catraca-fr-", dir="/tmp"))
        (self._directory / "radiusd.conf").write_text(
            self._configuration.replace("{directory}", str(self._directory)), "utf-8"
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
        """The log once it contains `text`; AssertionError with the whole log when it does not come."""
        deadline = time.monotonic() + timeout
        while text not in (log := self.log):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise AssertionError(f"FreeRADIUS never said {text!r}:\n{log}")
            time.sleep(0.02)
        return log


def _free_port(address: str) -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
