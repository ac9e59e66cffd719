"""FreeRADIUS's radclient, with its own encoders, against the real worker."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from radius.policy import Denial
from tests.factories_auth import SECRET, always, mac_record, nas, record
from tests.wire.auth_server import Server, running

PROGRAM = shutil.which("radclient")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    if PROGRAM is None:
        if os.environ.get("CI"):
            pytest.fail("radclient tests may not be skipped in CI: install freeradius-utils")
        pytest.skip("no radclient (Debian package freeradius-utils)")
    subscribers = record(), record(8, "gone", spans=always(Denial("cancelled"))), mac_record()
    with running(tmp_path, nas(1, "127.0.0.1", mac_auth=True), *subscribers, reject_delay_seconds=0.1) as made:
        yield made


def radclient(server: Server, attributes: str, command: str = "auth", secret: bytes = SECRET) -> str:
    """What radclient prints, answers and complaints together."""
    assert PROGRAM is not None
    target = f"{server.address}:{server.port}"
    run = subprocess.run(
        [PROGRAM, "-x", "-r", "1", "-t", "1", target, command, secret.decode()],
        input=attributes,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return run.stdout + run.stderr


SIGNED = "Message-Authenticator = 0x00"
ANA = f'User-Name = "ana", {SIGNED}'
RATE_LIMIT = 'Mikrotik-Rate-Limit = "50M/100M"'

EXCHANGES = {
    "PAP": (f'{ANA}, User-Password = "segredo"', ["Received Access-Accept", RATE_LIMIT, 'Framed-Pool = "clients"']),
    "PAP, wrong": (f'{ANA}, User-Password = "errado"', ["Received Access-Reject"]),
    "CHAP": (f'{ANA}, CHAP-Password = "segredo"', ["Received Access-Accept", RATE_LIMIT]),
    "CHAP, wrong": (f'{ANA}, CHAP-Password = "errado"', ["Received Access-Reject"]),
    "MS-CHAP": (f'{ANA}, MS-CHAP-Password = "segredo"', ["Received Access-Accept", "MS-CHAP-MPPE-Keys"]),
    "MS-CHAP, wrong": (f'{ANA}, MS-CHAP-Password = "errado"', ["Received Access-Reject"]),
    "PPPoE": (
        f'{ANA}, User-Password = "segredo", Service-Type = Framed-User, Framed-Protocol = PPP',
        ["Received Access-Accept", "Service-Type = Framed-User", "Framed-Protocol = PPP"],
    ),
    "MAC": (
        f'User-Name = "1:2:0:5e:10:0:1", User-Password = "", {SIGNED}',
        ["Received Access-Accept", RATE_LIMIT],
    ),
    "denied": (f'User-Name = "gone", User-Password = "segredo", {SIGNED}', ["Received Access-Reject"]),
    "proxied": (
        f'{ANA}, User-Password = "segredo", Proxy-State = 0x6f6e65, Proxy-State = 0x74776f',
        ["Received Access-Accept", "Proxy-State = 0x6f6e65\n\tProxy-State = 0x74776f"],
    ),
    "unsigned": ('User-Name = "ana", User-Password = "segredo"', ["No reply from server"]),
}


@pytest.mark.parametrize(("attributes", "expected"), EXCHANGES.values(), ids=EXCHANGES.keys())
def test_radclient_hears_what_it_should(server: Server, attributes: str, expected: list[str]) -> None:
    printed = radclient(server, attributes)
    for text in expected:
        assert text in printed, printed
    if "Received" in printed:
        answer = printed[printed.index("Received") :]
        assert "Message-Authenticator = 0x" in answer.splitlines()[1], "it comes first"


def test_status_server(server: Server) -> None:
    assert "Received Access-Accept" in radclient(server, SIGNED, "status")


def test_a_wrong_secret_is_met_with_silence(server: Server) -> None:
    printed = radclient(server, f'{ANA}, User-Password = "segredo"', secret=b"other")
    assert "No reply from server" in printed
    assert "Received" not in printed
