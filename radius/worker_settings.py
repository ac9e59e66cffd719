"""The few settings that a RADIUS worker needs, readable without the library that checks all of them.

A worker that was killed should be back in a moment, and importing pydantic takes longer than all that the worker
itself needs. So its parent, which has checked the settings, sends it these as plain JSON. The names are those of
`core.settings.Settings`, which can stand in wherever one of these is wanted.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.settings import Settings

_PATHS = frozenset({"data_dir", "resolved_key_file", "lmdb_path", "spool_dir", "rehearsal_clock"})


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """`spool_dir` is the first accounting worker's; `radius.spool.spool_of` knows the others'."""

    data_dir: Path
    resolved_key_file: Path
    lmdb_path: Path
    spool_dir: Path
    radius_address: str
    radius_auth_port: int
    radius_acct_port: int
    reject_delay_seconds: float
    duplicate_cache_seconds: float
    log_level: str
    log_format: str
    rehearsal_clock: Path | None

    @classmethod
    def of(cls, settings: Settings) -> WorkerSettings:
        return cls(**{each.name: getattr(settings, each.name) for each in fields(cls)})

    def to_json(self) -> bytes:
        """One line, without its end. There is no secret in it."""
        return json.dumps(asdict(self), default=str).encode()

    @classmethod
    def from_json(cls, line: bytes) -> WorkerSettings:
        """What `to_json` made."""
        told: dict[str, Any] = json.loads(line)
        return cls(**told | {name: Path(told[name]) for name in _PATHS if told[name] is not None})
