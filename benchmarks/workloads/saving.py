"""A forced save of a state of which every part changed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from benchmarks import states
from benchmarks.model import RATIO, Contender, Target, Workload
from benchmarks.subject import Facts, Subject
from benchmarks.workloads.floor import settle_file, write_file
from benchmarks.workloads.sizes import SIZES, Size
from milepost import CheckpointManager


class Saving(Subject):
    """Changes the state before each turn."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Build the state."""
        super().__init__(folder, settings)
        self.state = states.build(settings["bytes"])
        self.number = 0

    def prepare(self, number: int) -> None:
        """Let nothing be equal to what was saved before."""
        self.number = number
        states.change(self.state, number)


class Floor(Saving):
    """F: encode, new file, write, sync, rename, sync the directory."""

    def run(self) -> None:
        """Save the state."""
        directory = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            write_file(directory, "state.json", orjson.dumps(self.state))
        finally:
            os.close(directory)


class Milepost(Saving):
    """Ours. Two checkpoints are kept, so that every save deletes one as well, as it does in a long run."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Make the manager."""
        super().__init__(folder, settings)
        self.manager = CheckpointManager("bench", folder, max_checkpoints=2)

    def run(self) -> None:
        """Save the state."""
        path = self.manager.save_checkpoint(self.number, self.state, force=True)
        assert path is not None

    def close(self) -> None:
        """Close the manager."""
        self.manager.close()


class Manager2025(Saving):
    """The 2025 way: indented JSON, no sync."""

    def run(self) -> None:
        """Save the state."""
        path = self.folder / f"checkpoint_{self.number}.json"
        path.write_text(json.dumps(self.state, indent=2))

    def settle(self) -> Facts:
        """Sync the file, and delete the one before it."""
        settle_file(self.folder / f"checkpoint_{self.number}.json")
        (self.folder / f"checkpoint_{self.number - 1}.json").unlink(missing_ok=True)
        return {}


def _workload(size: Size) -> Workload:
    return Workload(
        name=f"save-{size.name}",
        group="Forced save",
        label=size.label,
        contenders=(
            Contender("floor F", f"{__name__}:Floor"),
            Contender("Milepost", f"{__name__}:Milepost"),
            Contender("the 2025 way", f"{__name__}:Manager2025", note="no sync: not comparable"),
        ),
        floor="floor F",
        targets=(Target("Milepost", RATIO, size.save_limit, "F"),),
        settings={"bytes": size.bytes},
        burst=size.burst,
        is_slow=size.is_slow,
    )


WORKLOADS = tuple(map(_workload, SIZES))
