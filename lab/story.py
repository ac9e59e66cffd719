"""`catraca lab`: the whole product, simulated routers, and two subscribers' month, told in plain words.

Nothing is faked on the product's side: it is `catraca up`, driven through its API; one router speaks RADIUS to it over
UDP, the other RouterOS's API over TCP. Only time is hurried, by the offset that the product and the routers share. Each
chapter says what was billed, which state follows, what a router was told and what it now does; what does not come true
ends the story with exit code 1.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from core.clock import RehearsalClock
from core.units import format_money
from lab.narrator import Narrator
from lab.nas import Event, Session, SimulatedNas
from lab.product import DidNotStart, Refused, StartedProduct
from lab.provider import JOAO_MAC, MARIA, MARIA_PASSWORD, NAS_SECRET, Provider, found_provider
from lab.tower import Tower, Unmoved, tower

ZONE = ZoneInfo("America/Sao_Paulo")
PATIENCE = 15.0
INTERIM_SECONDS = 30.0


class NotAsTold(Exception):
    """Something in the story did not come true; the text says what was expected and what was found."""


def run(arguments: Sequence[str]) -> int:
    """Play the story; `arguments` as on the command line after `catraca lab`. Gives the exit code."""
    parser = argparse.ArgumentParser(prog="catraca lab", description="Play the story of a made-up provider.")
    parser.add_argument("--data-dir", type=Path, help="keep the provider's data here (default: a temporary directory)")
    parser.add_argument("--stay", action="store_true", help="leave everything running afterwards, until Ctrl-C")
    options = parser.parse_args(list(arguments))
    narrator = Narrator()
    with tempfile.TemporaryDirectory(prefix="catraca-lab-") as scratch:
        try:
            return _play(options.data_dir or Path(scratch), narrator, options.stay)
        except (NotAsTold, Unmoved, Refused, DidNotStart) as error:
            narrator.failed(str(error))
            return 1
        except KeyboardInterrupt:
            return 130


def _play(data_dir: Path, narrator: Narrator, stay: bool) -> int:
    clock_file = data_dir / "rehearsal-clock"
    clock = RehearsalClock(clock_file)
    with StartedProduct(data_dir, {"CATRACA_REHEARSAL_CLOCK": str(clock_file.absolute())}) as product:
        where = product.address
        server = ("127.0.0.1", where.auth_port, where.acct_port)
        narrator.opened(f"HTTP API {where.http_url}   RADIUS 127.0.0.1:{where.auth_port} and :{where.acct_port}")
        with tower(clock) as torre, SimulatedNas(server, NAS_SECRET.encode(), clock=clock, interim_seconds=0) as nas:
            Story(product, nas, Tower(product.api, torre, narrator), clock, narrator).tell()
            if stay:
                narrator.stays(where.http_url, data_dir, f"{torre.host}:{torre.port}")
                while product.process.poll() is None:
                    nas.interim()
                    time.sleep(INTERIM_SECONDS)
    return 0


class Story:
    """Maria's month on a NAS that asks RADIUS, and Carlos's on a router that is held over its API."""

    def __init__(
        self, product: StartedProduct, nas: SimulatedNas, torre: Tower, clock: RehearsalClock, narrator: Narrator
    ) -> None:
        self.api, self.nas, self.tower, self.clock, self.narrator = product.api, nas, torre, clock, narrator

    def tell(self) -> None:
        self.provider = self.found()
        self.connect()
        self.join()
        marias, carlos = self.bill("Maria", self.provider.maria, 9990), self.bill("Carlos", self.provider.carlos, 6990)
        self.run_late(marias)
        self.suspend()
        self.trust()
        self.break_promise()
        self.meddle()
        self.pay(marias, carlos)
        self.close()

    def found(self) -> Provider:
        self.chapter("A provider opens")
        address, port = self.nas.coa_address
        provider = found_provider(self.api, address, port)
        self.narrator.fact("A router (borda-1, MikroTik) and a plan: Fibra 500 Mega, 500M down, 250M up, R$ 99,90.")
        self.narrator.fact("Billing rule: 5 days late → reduced to 2M/1M, 15 days late → suspended.")
        self.narrator.fact(f"Maria has a login; João's bakery a MAC address and the fixed {provider.joao_address}.")
        return provider

    def connect(self) -> None:
        self.chapter("Their routers dial in")
        maria = self.nas.dial(MARIA, MARIA_PASSWORD, method="mschapv2")
        joao = self.nas.dial(JOAO_MAC, "", method="mac")
        for who, session in (("Maria", maria), ("João", joao)):
            if not isinstance(session, Session):
                raise NotAsTold(f"{who} should have been accepted, the NAS saw {session}")
            self.narrator.nas(f"{who}: Access-Accept, {session.speed}, address {session.framed_ip_address}")
        if not isinstance(joao, Session) or str(joao.framed_ip_address) != self.provider.joao_address:
            raise NotAsTold(f"João should have {self.provider.joao_address}")
        self.expect("ACTIVE", "500M down, 250M up")

    def join(self) -> None:
        self.chapter("A tower out in the country: a MikroTik without RADIUS, held over its API")
        self.tower.join(self.provider.carlos)
        self.tower.expect("50M down, 25M up")

    def bill(self, who: str, subscription: int, cents: int) -> int:
        self.chapter(f"{who} is billed")
        due_on = self.today() + timedelta(days=3)
        invoice = self.api.post(
            "/invoices/charge-and-invoice", subscription_id=subscription, description="Internet",
            amount_cents=cents, due_on=due_on.isoformat(),
        )  # fmt: skip
        self.narrator.billed(f"Invoice {invoice['id']}: {format_money(cents)}, due on {due_on:%d/%m/%Y}.")
        return int(invoice["id"])

    def run_late(self, invoice: int) -> None:
        since = self.pass_days(9, f"The due date of invoice {invoice} passes, and six days more")
        self.dun()
        self.expect("REDUCED", "2M down, 1M up")
        self.told(since, "coa")
        self.tower.expect("2M down, 1M up")

    def suspend(self) -> None:
        since = self.pass_days(10, "Still nothing is paid: sixteen days late")
        self.dun()
        self.expect("SUSPENDED", "256k down, 256k up", "catraca-suspended")
        self.told(since, "disconnect")
        self.tower.expect("256k down, 256k up", "catraca-suspended")

    def trust(self) -> None:
        self.chapter("Maria calls: she will pay in two days")
        since = self.nas.event_count
        until = self.clock() + timedelta(days=2)
        note = "will pay in two days, talked to Maria"
        self.api.post(f"/subscriptions/{self.provider.maria}/trust-unblock", until=until.isoformat(), note=note)
        self.narrator.billed(f"Trust unblock until {until.astimezone(ZONE):%d/%m/%Y %H:%M}: {note}.")
        self.expect("ACTIVE", "500M down, 250M up")
        self.told(since, "disconnect")

    def break_promise(self) -> None:
        since = self.pass_days(3, "Two days pass, and the promise with them; nobody does anything")
        self.expect("SUSPENDED", "256k down, 256k up", "catraca-suspended")
        self.told(since, "disconnect")

    def meddle(self) -> None:
        self.chapter("A friend of Carlos's helps him at the router, by hand")
        self.tower.meddle()
        self.tower.expect("256k down, 256k up", "catraca-suspended")

    def pay(self, marias: int, carlos: int) -> None:
        self.chapter("Maria and Carlos pay")
        since = self.nas.event_count
        for invoice in (marias, carlos):
            receipt = self.api.post(f"/invoices/{invoice}/pay", method="pix")
            self.narrator.billed(f"Receipt {receipt['number']}: {format_money(receipt['amount_cents'])} by Pix.")
        self.expect("ACTIVE", "500M down, 250M up")
        self.told(since, "disconnect")
        self.tower.expect("50M down, 25M up")

    def close(self) -> None:
        self.chapter("And the others?")
        touched = [e for e in self.nas.events if e.kind in ("coa", "disconnect") and e.detail.get("user") == JOAO_MAC]
        if touched:
            raise NotAsTold(f"João paid all along and was touched {len(touched)} times")
        self.narrator.nas("João's session was not touched once.")
        self.tower.close()
        self.narrator.chapter(f"Maria's timeline (catraca subscription timeline {self.provider.maria})")
        for entry in self.api.get(f"/subscriptions/{self.provider.maria}/timeline")["items"]:
            self.narrator.entry(entry, ZONE)
        self.narrator.ended()

    def chapter(self, title: str) -> None:
        self.narrator.chapter(f"{self.clock().astimezone(ZONE):%d/%m/%Y}  {title}")

    def pass_days(self, days: int, title: str) -> int:
        """Time goes on; the router reports its sessions, as it would have done all along."""
        since = self.nas.event_count
        self.clock.advance(timedelta(days=days))
        self.nas.interim()
        self.chapter(title)
        return since

    def today(self) -> date:
        return self.clock().astimezone(ZONE).date()

    def dun(self) -> None:
        """The daily run; the one that beat starts at 06:00 may have been quicker, which makes no difference."""
        self.api.post("/dunning/runs")

    def expect(self, state: str, speed: str, address_list: str = "") -> None:
        """The state that the facts demand, and the live session that comes to run it."""
        explained = self.state(state)
        self.narrator.state(explained["sentence"])
        wanted = (speed, address_list)
        deadline = time.monotonic() + PATIENCE
        while (found := self.runs()) != wanted:
            if time.monotonic() > deadline:
                raise NotAsTold(f"Maria's session should run {wanted}, the NAS has {found or 'no session'}")
            time.sleep(0.02)

    def runs(self) -> tuple[str, str] | None:
        """Speed and address list of Maria's live session."""
        return next(((s.speed, s.address_list) for s in self.nas.sessions if s.user == MARIA), None)

    def state(self, state: str) -> dict[str, Any]:
        explained: dict[str, Any] = self.api.get(f"/subscriptions/{self.provider.maria}/explain")
        if explained["state"] != state:
            raise NotAsTold(f"Maria should be {state}; the product says: {explained['sentence']}")
        return explained

    def told(self, since: int, kind: str) -> None:
        """Say what the NAS was told after event `since` and what it now does."""
        order = self.nas.wait_for(lambda event: event.kind == kind, PATIENCE, since)
        self.narrator.nas(f"{'CoA' if kind == 'coa' else 'Disconnect'} received: {order.text}")
        if kind == "disconnect":
            accepted = self.nas.wait_for(_is_accept, PATIENCE, order.number)
            self.narrator.nas(f"dials again: {accepted.text}")
        session = next(s for s in self.nas.sessions if s.user == MARIA)
        walled = f", address list {session.address_list} (walled garden)" if session.address_list else ""
        self.narrator.nas(f"Maria now has {session.speed}{walled}")


def _is_accept(event: Event) -> bool:
    return event.kind == "accept" and event.detail.get("user") == MARIA
