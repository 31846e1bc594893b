"""A state that only grows, saved after each of 300 steps of 2 KB while the interval has not passed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from benchmarks import states
from benchmarks.model import RATIO, Contender, Target, Workload
from benchmarks.subject import Facts, Subject
from benchmarks.workloads.floor import settle_file, write_file
from milepost import CheckpointManager

_STEPS = 300
WRITTEN = "bytes given to write / change"
KEPT = "bytes kept / change"


class Growing(Subject):
    """Does all steps in one turn, each turn in a fresh folder."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Make what the state grows by."""
        super().__init__(folder, settings)
        self.additions = [states.recommendation(number, scale=2.15) for number in range(_STEPS)]
        self.change_bytes = sum(len(orjson.dumps(one)) + 1 for one in self.additions)
        self.state: states.State = {}
        self.target = folder
        self.written_before = 0

    def prepare(self, number: int) -> None:
        """Begin with nothing."""
        self.target = self.folder / f"series-{number}"
        self.target.mkdir()
        self.state = {"recommendations": []}
        self.begin()
        self.written_before = _bytes_given_to_write()

    def run(self) -> None:
        """Grow and save, step by step."""
        results = self.state["recommendations"]
        for number, addition in enumerate(self.additions):
            results.append(addition)
            self.save(number)

    def settle(self) -> Facts:
        """Count bytes, then delete the files."""
        written = _bytes_given_to_write() - self.written_before
        self.end()
        kept = sum(path.stat().st_size for path in self.target.rglob("*") if path.is_file())
        shutil.rmtree(self.target)
        return {WRITTEN: written / self.change_bytes, KEPT: kept / self.change_bytes}

    def begin(self) -> None:
        """Open what is saved to."""

    def save(self, number: int) -> None:
        """Save after step *number*."""
        raise NotImplementedError

    def end(self) -> None:
        """Close it."""


class Floor(Growing):
    """A full F at every step: what a forced save costs at the least."""

    directory = -1

    def begin(self) -> None:
        """Open the directory."""
        self.directory = os.open(self.target, os.O_RDONLY | os.O_DIRECTORY)

    def save(self, number: int) -> None:
        """Write the whole state."""
        del number
        write_file(self.directory, "state.json", orjson.dumps(self.state))

    def end(self) -> None:
        """Close the directory."""
        os.close(self.directory)


class Milepost(Growing):
    """Ours, opening included: the first save is a checkpoint file, the others go to the journal."""

    manager: CheckpointManager

    def begin(self) -> None:
        """Make the manager."""
        self.manager = CheckpointManager("bench", self.target)

    def save(self, number: int) -> None:
        """Save without force."""
        self.manager.save_checkpoint(number, self.state)

    def end(self) -> None:
        """Close, then see that nothing is missing."""
        self.manager.close()
        loaded = CheckpointManager("bench", self.target).get_latest_checkpoint()
        assert loaded is not None
        assert loaded["state"] == self.state


class Manager2025(Growing):
    """The 2025 way, saving at every step: the whole state, not synced."""

    def save(self, number: int) -> None:
        """Write the whole state."""
        del number
        (self.target / "state.json").write_text(json.dumps(self.state, indent=2))

    def end(self) -> None:
        """Sync the file once."""
        settle_file(self.target / "state.json")


def _bytes_given_to_write() -> int:
    with open("/proc/self/io", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))


WORKLOADS = (
    Workload(
        name="throttled",
        group="Throttled save of a growing state",
        label="300 × 2 KB",
        contenders=(
            Contender("floor: F each time", f"{__name__}:Floor"),
            Contender("Milepost", f"{__name__}:Milepost"),
            Contender("the 2025 way", f"{__name__}:Manager2025", note="no sync: not comparable"),
        ),
        floor="floor: F each time",
        targets=(
            Target("Milepost", RATIO, 0.4, "F"),
            Target("Milepost", WRITTEN, 1.2, "×"),
            Target("Milepost", KEPT, 1.2, "×"),
        ),
        operations=_STEPS,
    ),
)
