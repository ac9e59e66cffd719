"""A rig for the tests of the answering code; a module that needs another one makes its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories_auth import Rig
from tests.factories_calls import answering


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """The subscribers and the NAS of `tests.factories_calls`."""
    made = answering(tmp_path)
    yield made
    made.close()
