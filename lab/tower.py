"""The second router of the story: no RADIUS, held over its API, with rows of its own people beside ours."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from core.clock import Clock
from core.units import format_rate
from lab.narrator import Narrator
from lab.product import Api
from lab.routeros.emulator import EmulatedRouter

CARLOS, CARLOS_PASSWORD = "carlos@lab", "c4rlos-s3nha"
NAME = "torre-1"
PATIENCE = 15.0
_USER, _PASSWORD = "catraca", "lab-secret-of-the-api-user"


class Unmoved(Exception):
    """The router did not come to show what it should; the text says what was expected and what is there."""


def tower(clock: Clock) -> EmulatedRouter:
    """A router that was in use before: a pool, a neighbour's secret, and a queue that somebody made by hand."""
    router = EmulatedRouter("7.20.4", NAME, {_USER: _PASSWORD}, clock=clock)
    router.by_hand("/ip/pool/add", name="clientes", ranges="100.65.0.10-100.65.0.250")
    router.by_hand("/ppp/secret/add", name="escola@municipio", password="de-antes", comment="convenio, nao mexer")
    router.by_hand("/queue/simple/add", name="camera-da-praca", target="10.9.9.9/32", max_limit="5M/5M")
    return router


class Tower:
    """What the storyteller sees of it."""

    def __init__(self, api: Api, router: EmulatedRouter, narrator: Narrator) -> None:
        self.api, self.router, self.narrator = api, router, narrator
        self.foreign = router.foreign_bytes()

    def join(self, subscription: int) -> None:
        """The product gets to know it, and that it serves the subscription; the rest happens by itself."""
        self.api.post(
            "/routers", name=NAME, address=self.router.host, port=self.router.port, login=_USER, password=_PASSWORD,
            ppp_local_address="100.65.0.1",
        )  # fmt: skip
        self.api.post(f"/routers/{NAME}/services", subscription_id=subscription, access="ppp")
        self._await("Carlos's secret", lambda: self._secret() is not None)
        for row in self._ours("/ppp/profile") + self._ours("/ppp/secret"):
            self.narrator.router(f"+ {row['name']}  ({row['comment']})")
        if self.router.dial(CARLOS, CARLOS_PASSWORD) is None:
            raise Unmoved(f"{NAME} should have let {CARLOS} in")

    def expect(self, speed: str, address_list: str = "") -> None:
        """Carlos's live session comes to have this speed and list."""
        self._await(f"a session with {speed}", lambda: (self._speed(), self._list()) == (speed, address_list))
        walled = f", address list {address_list} (walled garden)" if address_list else ""
        self.narrator.router(f"{CARLOS} is online with {speed}{walled}")

    def meddle(self) -> None:
        """Somebody at the router takes Carlos's limits away; the next look at the router finds it."""
        self.router.by_hand("/ppp/secret/set", id=self._secret_id(), profile="default")
        self.narrator.router(f"admin gives {CARLOS} the profile default, without any limit, in Winbox")
        applied = self.api.post(f"/routers/{NAME}/apply")
        for line in applied["words"]:
            self.narrator.router(line)
        found = self.api.get("/router-drift", name=NAME)["items"]
        if not found:
            raise Unmoved(f"the product should have noticed what was changed on {NAME}")
        self.narrator.router(f"drift of {found[0]['name']}, {found[0]['status']}; the router's log: {found[0]['who']}")

    def close(self) -> None:
        """Nothing is left to do, and nobody else's rows were touched."""
        self.api.post(f"/routers/{NAME}/apply")
        self._await("nothing to do", lambda: self.api.get(f"/routers/{NAME}/plan")["in_step"])
        if self.router.foreign_bytes() != self.foreign:
            raise Unmoved(f"rows of other people were touched on {NAME}")
        self.narrator.router(f"{NAME}: nothing to do; the rows of its own people are as they were.")

    def _await(self, what: str, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > deadline:
                raise Unmoved(f"{NAME} should show {what}; it has {self._speed()!r}, {self._list()!r}")
            time.sleep(0.02)

    def _ours(self, path: str) -> list[dict[str, str]]:
        return [row for row in self.router.rows(path) if row.get("comment", "").startswith("catraca:")]

    def _secret(self) -> dict[str, str] | None:
        return next((row for row in self._ours("/ppp/secret") if row["name"] == CARLOS), None)

    def _secret_id(self) -> str:
        secret: dict[str, Any] = self._secret() or {}
        return str(secret[".id"])

    def _speed(self) -> str:
        """Of the live session, from its dynamic queue, which has the subscriber's upload first."""
        queues = (row for row in self.router.rows("/queue/simple") if row["name"].endswith(f"-{CARLOS}>"))
        limit = next((row["max-limit"] for row in queues), "")
        upload, _, download = limit.partition("/")
        return f"{format_rate(int(download))} down, {format_rate(int(upload))} up" if download else ""

    def _list(self) -> str:
        entries = self.router.rows("/ip/firewall/address-list")
        return next((row["list"] for row in entries if row.get("dynamic") == "true"), "")
