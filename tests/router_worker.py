"""One turn at a router in a process of its own, for tests that kill it. `python -m tests.router_worker ROUTER_ID`."""

from __future__ import annotations

import sys

from api import assembly
from core.runtime import Runtime
from core.settings import Settings
from provisioning.routeros.cycle.turn import run_cycle


def main() -> None:
    assembly.load()
    runtime = Runtime.open(Settings())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    run_cycle(runtime, int(sys.argv[1]), asked=True)
    sys.stdout.write("done\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
