"""Snapshots: a state of which every part changed, saved whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import states
from benchmarks.keepers.base import Keeper
from benchmarks.subject import Facts, Subject, named


class Saving(Subject):
    """Saves the state once in each turn, in a run that stays open."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Build the state."""
        super().__init__(folder, settings)
        self.state = states.build(settings["bytes"])
        self.keeper: Keeper = named(settings["keeper"])(folder, settings)
        self.keeper.open("bench")

    def prepare(self, number: int) -> None:
        """Let nothing be equal to what was saved before."""
        states.change(self.state, number)

    def run(self) -> None:
        """Save the state."""
        self.keeper.save(self.state)

    def settle(self) -> Facts:
        """Let the keeper settle."""
        return self.keeper.settle()

    def close(self) -> None:
        """End the run."""
        self.keeper.close()
