"""Runs in folders, put through the laws that hold in any place."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from milepost.testing.conformance import BackDoor, RunConformance, in_folder
from milepost.testing.run_machine import Places
from tests.support.back_doors import FolderDoor


class TestFolders(RunConformance):
    fences = False

    @pytest.fixture
    def places(self, tmp_path: Path) -> Places:
        return partial(in_folder, tmp_path / "root")

    @pytest.fixture
    def back_door(self, tmp_path: Path) -> BackDoor:
        return FolderDoor(tmp_path / "root" / "phase")
