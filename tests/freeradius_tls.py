"""FreeRADIUS as a NAS that listens for CoA and Disconnect over TLS, and checks everything itself."""

from __future__ import annotations

import socket
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from radius.radsec_tls import TlsFiles
from tests.freeradius import DICTIONARIES, PROGRAM, FreeRadius, need_freeradius

_CONFIGURATION = """
thread pool {{
	start_servers = 2
	max_servers = 4
	min_spare_servers = 1
	max_spare_servers = 3
	max_requests_per_server = 0
}}
clients radsec {{
	client those_who_have_a_certificate {{
		ipaddr = 127.0.0.1
		proto = tls
		secret = radsec
	}}
}}
listen {{
	type = coa
	ipaddr = 127.0.0.1
	port = {port}
	proto = tcp
	virtual_server = receiver
	clients = radsec
	limit {{
		max_connections = 16
		lifetime = 0
		idle_timeout = 30
	}}
	tls {{
		private_key_file = {files.private_key}
		certificate_file = {files.certificate}
		ca_file = {files.ca}
		require_client_cert = yes
		tls_min_version = "1.2"
		tls_max_version = "1.3"
		cipher_list = "DEFAULT"
		ecdh_curve = ""
	}}
}}
server receiver {{
	recv-coa {{
		switch &User-Name {{
{cases}
			case {{
				update reply {{
					&Error-Cause := 503
				}}
				reject
			}}
		}}
	}}
}}
"""
_ACK = '\t\t\tcase "{user}" {{\n\t\t\t\tok\n\t\t\t}}\n'
_NAK = """
			case "{user}" {{
				update reply {{
					&Error-Cause := {cause}
				}}
				reject
			}}
"""


class FreeRadiusTls(FreeRadius):
    """Receives CoA- and Disconnect-Requests over TLS from this host: users in `ack` are acknowledged, those in `nak`
    refused with that Error-Cause, all others with 503. It will not serve TLS in one thread, as `-X` has it."""

    def __init__(self, files: TlsFiles, ack: Iterable[str], nak: Mapping[str, int]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.tls_port = int(probe.getsockname()[1])
        cases = [_ACK.format(user=user) for user in ack]
        cases += [_NAK.format(user=user, cause=cause) for user, cause in nak.items()]
        configuration = _CONFIGURATION.format(port=self.tls_port, files=files, cases="".join(cases))
        super().__init__("radsec", "127.0.0.1", {}, configuration)

    def __enter__(self) -> Self:
        need_freeradius()
        self._directory = Path(tempfile.mkdtemp(prefix="catraca-fr-", dir="/tmp"))
        written = self._frame(directory=self._directory) + self._configuration
        (self._directory / "radiusd.conf").write_text(written, "utf-8")
        with (self._directory / "stdout").open("wb") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "-fxx", "-l", "stdout", "-d", self._directory, "-D", DICTIONARIES, "-n", "radiusd"],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self.wait_for_log("Ready to process requests")
        except BaseException:
            self.__exit__()
            raise
        return self
