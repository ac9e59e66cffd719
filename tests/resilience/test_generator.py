"""The load generator of the benchmarks speaks RADIUS as others do: FreeRADIUS answers every mode as it should."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.authentication import MODES
from bench.generator import WrongAnswers, build, run
from bench.records import SECRET
from tests.freeradius import FreeRadius, User

USERS = {f"user{number:06d}": User(f"pass{number:06d}") for number in range(1, 6)}
COUNT = 60
"""FreeRADIUS keeps 1,024 requests here, each for five seconds."""
FEW = ("-n", len(USERS), "-c", COUNT, "-u", 0, "-d", 60, "-t", 30, "-w", 8)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("gcc") is None:
        if os.environ.get("CI"):
            pytest.fail("tests of the load generator may not be skipped in CI: install gcc")
        pytest.skip("no gcc")
    return build(tmp_path_factory.mktemp("generator"))


@pytest.fixture(scope="module")
def freeradius() -> Iterator[FreeRadius]:
    with FreeRadius.access_server(SECRET, USERS) as server:
        yield server


@pytest.mark.parametrize("mode", MODES)
def test_every_login_is_accepted(mode: str, program: Path, freeradius: FreeRadius) -> None:
    load = run(program, freeradius.ports["auth"], MODES[mode], *FEW)
    assert (load.answers, load.unanswered) == (COUNT, 0)
    assert load.signed == COUNT, "FreeRADIUS signs its replies here, and the generator checks them"


@pytest.mark.parametrize("mode", MODES)
def test_every_wrong_password_is_rejected(mode: str, program: Path, freeradius: FreeRadius) -> None:
    load = run(program, freeradius.ports["auth"], MODES[mode], *FEW, "-b", 100)
    assert (load.answers, load.unanswered) == (COUNT, 0)


@pytest.mark.parametrize("kind", ["start", "interim", "stop"])
def test_accounting_is_acknowledged(kind: str, program: Path, freeradius: FreeRadius) -> None:
    load = run(program, freeradius.ports["acct"], ("-m", "acct", "-A", kind), *FEW)
    assert (load.answers, load.unanswered) == (COUNT, 0)


def test_an_accept_that_should_be_a_reject_is_noticed(program: Path) -> None:
    everybody = {name: User() for name in USERS}
    with FreeRadius.access_server(SECRET, everybody) as careless, pytest.raises(WrongAnswers, match="unexpected"):
        run(program, careless.ports["auth"], MODES["PAP"], *FEW, "-b", 100)


def test_an_accept_without_the_server_s_proof_is_noticed(program: Path) -> None:
    everybody = {name: User() for name in USERS}
    with FreeRadius.access_server(SECRET, everybody) as careless, pytest.raises(WrongAnswers, match="badproof"):
        run(program, careless.ports["auth"], MODES["MS-CHAPv2"], *FEW)
