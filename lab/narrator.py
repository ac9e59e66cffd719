"""The storyteller's voice: a few kinds of lines, readable on a terminal and in a file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape


class Narrator:
    """Prints the story. Colours come only on a terminal."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)

    def opened(self, where: str) -> None:
        self._say("[bold]Catraca lab[/]: one process tree, a made-up provider, simulated routers, hurried time.")
        self._say(f"  {where}")

    def chapter(self, title: str) -> None:
        self._say(f"\n[bold]{title}[/]")

    def fact(self, text: str) -> None:
        self._say(f"  {text}")

    def billed(self, text: str) -> None:
        self._say(f"  [cyan]billing[/]  {text}")

    def state(self, text: str) -> None:
        self._say(f"  [yellow]state[/]    {text}")

    def nas(self, text: str) -> None:
        self._say(f"  [green]NAS[/]      {text}")

    def router(self, text: str) -> None:
        self._say(f"  [magenta]torre-1[/]  {escape(text)}")

    def entry(self, entry: Mapping[str, Any], zone: ZoneInfo) -> None:
        at = datetime.fromisoformat(str(entry["at"])).astimezone(zone)
        change = f"{entry['state_before']} → {entry['state_after']}" if entry["state_after"] else ""
        text = "  ".join(part for part in (change, str(entry["note"])) if part)
        self._say(f"  {at:%d/%m %H:%M}  {entry['event']:<18} {text}".rstrip())

    def ended(self) -> None:
        self._say("\n[bold green]The story ended well[/]: every state, answer and live session was as told.")

    def failed(self, text: str) -> None:
        self._say(f"\n[bold red]Not as told[/]: {text}")

    def stays(self, url: str, data_dir: Path, router: str) -> None:
        self._say(f"\nEverything keeps running until Ctrl-C: {url}/api/v1/openapi.json, and")
        self._say(f"  export CATRACA_DATA_DIR={data_dir} CATRACA_REHEARSAL_CLOCK={data_dir / 'rehearsal-clock'}")
        self._say("  catraca subscription list; catraca router plan torre-1; catraca router drift")
        self._say(f"torre-1 answers RouterOS's API on {router} (user catraca, password lab-secret-of-the-api-user).")

    def _say(self, text: str) -> None:
        self._console.print(text)
