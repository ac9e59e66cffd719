"""`catraca up` as a process: starts, says where it is, keeps others out, stops in time, and starts again as it was."""

from __future__ import annotations

import os
import pty
import select
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lab.product import Api, StartedProduct
from tests.scenarios.waiting import until

STOP_SECONDS = 5.0
"""What the product promises; it ends by force after 4.5 s, so this does not depend on how busy the machine is."""
PLAN = {"name": "Fibra", "price_cents": 9990, "download_bps": "500M", "upload_bps": "250M"}


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartedProduct]:
    """One that goes on running; tests that stop theirs start their own."""
    with StartedProduct(tmp_path_factory.mktemp("up")) as started:
        yield started


def catraca(data_dir: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`catraca …` on this data directory, waited for."""
    return subprocess.run(
        [sys.executable, "-m", "api.cli", *words],
        env={**os.environ, "CATRACA_DATA_DIR": str(data_dir), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def printed(product: StartedProduct) -> str:
    return (product.data_dir / "product.log").read_text()


def stop(product: StartedProduct, number: signal.Signals = signal.SIGTERM) -> int:
    product.process.send_signal(number)
    return product.process.wait(STOP_SECONDS)


def test_it_prints_where_everything_listens_and_answers_there(product: StartedProduct) -> None:
    text = printed(product)
    where = product.address
    assert f"{where.http_url}/api/v1" in text
    assert f"UDP {where.auth_port}" in text
    assert f"UDP {where.acct_port}" in text
    assert product.api.get("/audit")["items"]
    assert httpx.get(f"{where.http_url}/readyz").json() == {"status": "ok"}
    assert httpx.get(f"{where.http_url}/api/v1/plans").status_code == 401


def test_the_first_token_is_kept_for_its_owner_and_reaches_no_log(product: StartedProduct) -> None:
    path = product.data_dir / "operator-token"
    token = path.read_text().strip()
    assert str(path) in printed(product)
    assert token not in printed(product)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    [first] = product.api.get("/tokens")["items"]
    assert first["operator"] == "operator"


def test_a_terminal_is_shown_the_first_token_once(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    settings = {"CATRACA_HTTP_PORT": "0", "CATRACA_RADIUS_AUTH_PORT": "0", "CATRACA_RADIUS_ACCT_PORT": "0"}
    for showing in (True, False):
        command = [sys.executable, "-m", "api.cli", "up", "--data-dir", str(tmp_path)]
        process = subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, env={**os.environ, **settings})
        shown = b""
        while b"operator's token" not in shown or not shown.endswith(b"\r\n"):
            assert select.select([ours], [], [], 60)[0], "it says nothing"
            shown += os.read(ours, 4096)
        process.terminate()
        assert process.wait(10) == 0
        while select.select([ours], [], [], 0)[0]:
            shown += os.read(ours, 4096)
        assert ((tmp_path / "operator-token").read_bytes().strip() in shown) is showing
    os.close(ours)
    os.close(theirs)


def test_no_secret_is_logged(product: StartedProduct) -> None:
    product.api.post("/nas", name="a", network="192.0.2.1", secret="a-shared-secret")
    answer = httpx.get(
        f"{product.address.http_url}/api/v1/plans?name=x", headers={"Authorization": "Bearer cat_" + "z" * 43}
    )
    assert answer.status_code == 401
    assert "/api/v1/nas" in printed(product)
    assert "a-shared-secret" not in printed(product)
    assert "z" * 43 not in printed(product)


def test_a_second_instance_on_the_same_data_is_refused(product: StartedProduct) -> None:
    for role in ("up", "radius"):
        second = catraca(product.data_dir, role, CATRACA_HTTP_PORT="0")
        assert second.returncode == 1
        assert f"in use by process {product.process.pid}" in second.stderr
        assert "Traceback" not in second.stderr
    assert httpx.get(f"{product.address.http_url}/readyz").status_code == 200


def test_a_taken_port_is_told(product: StartedProduct, tmp_path: Path) -> None:
    port = product.address.http_url.rpartition(":")[2]
    other = catraca(tmp_path / "other", "up", CATRACA_HTTP_PORT=port)
    assert other.returncode == 1
    assert f"port {port}" in other.stderr
    assert "Traceback" not in other.stderr
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        ports = {"CATRACA_HTTP_PORT": "0", "CATRACA_RADIUS_AUTH_PORT": port, "CATRACA_RADIUS_ADDRESS": "127.0.0.1"}
        other = catraca(tmp_path / "other", "up", **ports)
    assert other.returncode == 1
    assert port in other.stderr
    assert "Traceback" not in other.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_it_stops_in_time_with_a_request_unfinished_and_leaves_no_process(
    tmp_path: Path, number: signal.Signals
) -> None:
    with StartedProduct(tmp_path) as product:
        token = (tmp_path / "operator-token").read_text().strip()
        host, port = product.address.http_url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as idle:
            lines = ("POST /api/v1/plans HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", "Content-Length: 99")
            idle.sendall("\r\n".join((*lines, "", "{")).encode())
            assert stop(product, number) == 0
        with pytest.raises(ProcessLookupError):  # the product leads a process group of its own
            os.killpg(product.process.pid, 0)
        assert "Traceback" not in printed(product)


def test_it_starts_again_with_all_its_state(tmp_path: Path) -> None:
    with StartedProduct(tmp_path) as first:
        plan = first.api.post("/plans", **PLAN)
        token = (tmp_path / "operator-token").read_text()
        assert stop(first) == 0
    assert not (tmp_path / "status.json").exists()
    with StartedProduct(tmp_path) as second:
        assert second.api.get(f"/plans/{plan['id']}") == plan
        assert (tmp_path / "operator-token").read_text() == token
        assert len(second.api.get("/tokens")["items"]) == 1


def test_it_starts_again_after_it_was_killed(tmp_path: Path) -> None:
    with StartedProduct(tmp_path) as first:
        plan = first.api.post("/plans", **PLAN)
        first.process.kill()
        first.process.wait()
    with StartedProduct(tmp_path) as second:
        assert second.api.get(f"/plans/{plan['id']}") == plan


def test_its_worker_does_what_the_api_and_the_command_line_leave_to_it(product: StartedProduct) -> None:
    plan = product.api.post("/plans", **PLAN)
    product.api.patch(f"/plans/{plan['id']}", upload_bps="300M")
    until(lambda: statuses(product.api) == ["done"], "the job of the API is done")
    changed = catraca(product.data_dir, "plan", "change", str(plan["id"]), "--upload-bps", "350M", "--json")
    assert changed.returncode == 0, changed.stderr
    until(lambda: statuses(product.api) == ["done", "done"], "the job of the command line is done")
    assert product.api.get(f"/plans/{plan['id']}")["upload_bps"] == 350_000_000
    assert {entry["source"] for entry in product.api.get("/audit", entity="plan")["items"]} == {"api", "cli"}


def statuses(api: Api) -> list[str]:
    return [job["status"] for job in api.get("/jobs", kind="plan.changed")["items"]]


def test_a_database_that_is_gone_is_told_at_the_start(tmp_path: Path) -> None:
    url = "postgresql+psycopg://nobody@127.0.0.1:1/catraca"
    gone = catraca(tmp_path, "up", CATRACA_HTTP_PORT="0", CATRACA_DATABASE_URL=url)
    assert gone.returncode == 1
    assert "cannot be reached" in gone.stderr
    assert "Traceback" not in gone.stderr


def test_the_roles_run_apart_on_one_installation(tmp_path: Path) -> None:
    early = catraca(tmp_path, "api", CATRACA_HTTP_PORT="0")
    assert early.returncode == 1
    assert "catraca migrate" in early.stderr
    assert catraca(tmp_path, "migrate").returncode == 0
    for role in ("api", "radius"):
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli", role],
            env={**os.environ, **apart(tmp_path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        with process.stdout:
            line = process.stdout.readline()
            assert "127.0.0.1" in line
            if role == "api":
                assert httpx.get(f"{line.split()[-1]}/readyz").json() == {"status": "ok"}
            process.terminate()
            assert process.wait(STOP_SECONDS) == 0


def apart(data_dir: Path) -> dict[str, str]:
    ports = [free_port() for _ in range(2)]
    return {
        "CATRACA_DATA_DIR": str(data_dir),
        "CATRACA_HTTP_PORT": "0",
        "CATRACA_RADIUS_ADDRESS": "127.0.0.1",
        "CATRACA_RADIUS_AUTH_PORT": str(ports[0]),
        "CATRACA_RADIUS_ACCT_PORT": str(ports[1]),
    }


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
