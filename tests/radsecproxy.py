"""radsecproxy: takes RADIUS over UDP from this host and carries it over TLS, as a NAS that speaks no TLS is helped."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import pytest

from radius.radsec_tls import TlsFiles

PROGRAM = shutil.which("radsecproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

_CONFIGURATION = """
LogLevel 5
ListenUDP 127.0.0.1:{udp_port}
tls default {{
    CACertificateFile {files.ca}
    CertificateFile {files.certificate}
    CertificateKeyFile {files.private_key}
}}
client 127.0.0.1 {{
    type udp
    secret "{secret}"
}}
server catraca {{
    host 127.0.0.1
    port {tls_port}
    type tls
    secret radsec
    statusServer {status}
    matchCertificateAttribute SubjectAltName:DNS:/^{name}$/
    certificateNameCheck off
}}
realm * {{
    server catraca
    accountingServer catraca
}}
"""


def need_radsecproxy() -> None:
    """Skip the test where radsecproxy is not installed, saying so; in CI fail instead."""
    if PROGRAM is not None:
        return
    if os.environ.get("CI"):
        pytest.fail("radsecproxy tests may not be skipped in CI: install radsecproxy")
    pytest.skip("no radsecproxy (Debian package radsecproxy)")


class RadsecProxy:
    """Runs between enter and exit. `server_name` is what the server's certificate must bear."""

    def __init__(self, files: TlsFiles, tls_port: int, secret: str, server_name: str, *, status: str = "off") -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._configuration = _CONFIGURATION.format(
            files=files, tls_port=tls_port, udp_port=self.port, secret=secret, name=server_name, status=status
        )

    def __enter__(self) -> Self:
        need_radsecproxy()
        assert PROGRAM is not None
        self._directory = Path(tempfile.mkdtemp(prefix="catraca-rsp-", dir="/tmp"))
        (self._directory / "radsecproxy.conf").write_text(self._configuration, "utf-8")
        with (self._directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "-f", "-c", self._directory / "radsecproxy.conf"], stdout=log, stderr=subprocess.STDOUT
            )
        try:
            self.wait_for_log("TLS connection to catraca", "tlsconnect: TLS connection")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def log(self) -> str:
        """Everything that it has said so far."""
        return (self._directory / "log").read_text("utf-8", "replace")

    def wait_for_log(self, *texts: str, timeout: float = 10.0) -> str:
        """The log once it contains one of the texts; AssertionError with its end when none comes."""
        deadline = time.monotonic() + timeout
        while not any(text in self.log for text in texts):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise AssertionError(f"radsecproxy never said {texts}; it ends with:\n{self.log[-3000:]}")
            time.sleep(0.02)
        return self.log
