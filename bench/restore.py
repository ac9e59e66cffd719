"""From "invoice paid" to CoA or Disconnect on the wire, embedded: `python -m bench.restore [--times N]`.

Starts the product as a user does, with a simulated NAS on which a subscriber is connected; each round lets a debt
grow old, runs dunning until the session is restricted, pays through the API, and measures from just before the
payment's request to the arrival of the order at the NAS.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles

from bench.results import Options, Row, Say, Step
from core.clock import RehearsalClock
from lab.nas import Event, SimulatedNas
from lab.product import Api, StartedProduct
from lab.provider import MARIA, MARIA_PASSWORD, NAS_SECRET, found_provider

ORDERS = ("coa", "disconnect")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    print(told(delays(parser.parse_args().times)))


def measure(options: Options, say: Say) -> Step:
    times = 4 if options.quick else 30
    what = f"invoice paid → CoA or Disconnect at the NAS, embedded, {times} times"
    return Step(rows=[Row(what, told(delays(times)), "", "python -m bench.restore --times 30")])


def told(seconds: list[float]) -> str:
    deciles = quantiles(seconds, n=10)
    return (
        f"median {median(seconds) * 1000:.0f} ms, p90 {deciles[-1] * 1000:.0f} ms, longest {max(seconds) * 1000:.0f} ms"
    )


def delays(times: int) -> list[float]:
    """Seconds from payment to order, of each of `times` rounds."""
    with tempfile.TemporaryDirectory(prefix="catraca-bench-") as scratch:
        clock = RehearsalClock(Path(scratch) / "clock")
        with StartedProduct(Path(scratch), {"CATRACA_REHEARSAL_CLOCK": str(Path(scratch) / "clock")}) as product:
            server = ("127.0.0.1", product.address.auth_port, product.address.acct_port)
            with SimulatedNas(server, NAS_SECRET.encode(), clock=clock, interim_seconds=0) as nas:
                provider = found_provider(product.api, *nas.coa_address)
                nas.dial(MARIA, MARIA_PASSWORD)
                return [one_round(product.api, nas, clock, provider.maria, number) for number in range(times)]


def one_round(api: Api, nas: SimulatedNas, clock: RehearsalClock, subscription: int, number: int) -> float:
    """One debt, one restriction (reduced and suspended by turns), one payment; gives seconds until the NAS is told."""
    due_on = clock().date()
    invoice = api.post(
        "/invoices/charge-and-invoice", subscription_id=subscription, description="bench", amount_cents=9990,
        due_on=due_on.isoformat(),
    )  # fmt: skip
    since = nas.event_count
    clock.advance(timedelta(days=7 if number % 2 else 17))
    nas.interim()
    api.post("/dunning/runs")
    settle(api, nas, nas.wait_for(lambda event: event.kind in ORDERS, 30, since))
    since, begun = nas.event_count, time.monotonic()
    api.post(f"/invoices/{invoice['id']}/pay", method="pix")
    told = nas.wait_for(lambda event: event.kind in ORDERS, 30, since)
    seconds = time.monotonic() - begun
    settle(api, nas, told)
    return seconds


def settle(api: Api, nas: SimulatedNas, told: Event) -> None:
    """Wait until the NAS has done and proven what it was told."""
    proof = "start" if told.kind == "disconnect" else "interim"
    nas.wait_for(lambda event: event.kind == proof, 30, told.number)
    await_convergence(api)


def await_convergence(api: Api) -> None:
    """Wait until no live session differs from what it should be."""
    for _ in range(600):
        sessions = api.get("/sessions", only_open=True)["items"]
        if sessions and not api.get("/sessions/diverging")["items"]:
            return
        time.sleep(0.05)
    raise RuntimeError(f"the sessions do not converge: {api.get('/sessions/diverging')['items']}")


if __name__ == "__main__":
    main()
