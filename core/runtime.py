"""What one process works with: settings, database, keys, clock; opened once, at its edge."""

from __future__ import annotations

from dataclasses import dataclass

from core.clock import Clock, clock_from
from core.database import Database
from core.secrets import Keyring, open_keyring
from core.settings import Settings


@dataclass(frozen=True)
class Runtime:
    settings: Settings
    database: Database
    keyring: Keyring
    clock: Clock

    @classmethod
    def open(cls, settings: Settings) -> Runtime:
        """Build everything from the settings; makes the data directory (mode 0700) and the first key."""
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        keyring = open_keyring(settings.resolved_key_file)
        clock = clock_from(settings.rehearsal_clock)
        database = Database(settings.resolved_database_url, keyring, clock, settings)
        return cls(settings, database, keyring, clock)

    def close(self) -> None:
        self.database.close()
