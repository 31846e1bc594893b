"""Loading what was saved last, from files that the system has in its cache."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import states
from benchmarks.keepers.base import Keeper
from benchmarks.subject import Facts, Subject, named


class Loading(Subject):
    """Saves the state once; each turn loads it, and the first compares."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Save the state so that the system has nothing left to do with it."""
        super().__init__(folder, settings)
        self.loaded: Any = None
        self.expected: Any = states.build(settings["bytes"])
        self.keeper: Keeper = named(settings["keeper"])(folder, settings)
        self.keeper.open("bench")
        self.keeper.save(self.expected)
        self.keeper.settle()
        self.keeper.close()

    def run(self) -> None:
        """Load the state."""
        self.loaded = self.keeper.load()

    def settle(self) -> Facts:
        """Compare once; free what was loaded outside the time."""
        if self.expected is not None and self.loaded != self.expected:
            raise AssertionError("what was loaded is not what was saved")
        self.expected = self.loaded = None
        return {}
