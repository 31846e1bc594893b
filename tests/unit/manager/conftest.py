"""Gives a test of the manager a world of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from milepost.fs import use
from tests.unit.manager.world import UnsyncedFiles, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return an empty root folder with a clock and managers on it; what syncs are for is shown by the crash tests."""
    with use(UnsyncedFiles()):
        yield World(tmp_path / "checkpoints")
