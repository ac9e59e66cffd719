"""Names that a host or a spool gives itself once and keeps: a small file, made by whoever comes first."""

from __future__ import annotations

import os
import socket
import uuid
from contextlib import suppress
from pathlib import Path


def lasting_name(path: Path, proposal: str) -> str:
    """The name in `path`; the first call makes it `proposal`. OSError when the file cannot be made or read."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
        draft.write_text(proposal)
        with suppress(FileExistsError):
            os.link(draft, path)  # of two processes the first one names it
        draft.unlink()
        sync_directory(path.parent)
    return path.read_text().strip()


def host_name(data_dir: Path) -> str:
    """The name of this RADIUS host: several may run on one machine, each in its own data directory."""
    return lasting_name(data_dir / "radius" / "host", f"{socket.gethostname()[:64]}-{uuid.uuid4().hex[:8]}")


def sync_directory(directory: Path) -> None:
    """Make new names in a directory survive a power cut."""
    handle = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
