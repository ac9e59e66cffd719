"""`python -m lab.routeros --routers 100 --json`: emulated routers until the input ends."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import suppress

from lab.routeros.fleet import Fleet


def main(arguments: list[str] | None = None) -> None:
    asked = _arguments().parse_args(arguments)
    with Fleet(asked.routers, asked.first_port, asked.version, latency=asked.latency) as fleet:
        _say(json.dumps({"host": "127.0.0.1", "ports": fleet.ports}) if asked.json else _table(fleet))
        with suppress(KeyboardInterrupt):
            for line in sys.stdin:
                if line.strip():
                    _say(fleet.answer(line))


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m lab.routeros", description=__doc__)
    parser.add_argument("--routers", type=int, default=1, help="how many")
    parser.add_argument("--first-port", type=int, default=0, help="of the first; the others follow (0: free ports)")
    parser.add_argument("--version", default="7.20.4", help="of RouterOS")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds for each exchange")
    parser.add_argument("--json", action="store_true", help="one line of JSON with the ports")
    return parser


def _table(fleet: Fleet) -> str:
    users = ", ".join(f"{user} / {password}" for user, password in fleet.routers[0].core.users.items())
    routers = [f"{router.identity} 127.0.0.1:{router.port}" for router in fleet.routers]
    return "\n".join([*routers, f"user / password: {users}"])


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
