"""Gives a test of the manager a world of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.manager.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return an empty root folder with a clock and managers on it."""
    return World(tmp_path / "checkpoints")
