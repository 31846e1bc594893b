"""Loading the newest checkpoint, from files that the system has in its cache."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from benchmarks import states
from benchmarks.model import RATIO, Contender, Target, Workload
from benchmarks.subject import Facts, Subject
from benchmarks.workloads.floor import settle_file
from benchmarks.workloads.sizes import SIZES, Size
from milepost import CheckpointManager


class Loading(Subject):
    """Saves the state once; each turn loads it, and the first compares."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Save the state."""
        super().__init__(folder, settings)
        self.path = folder / "state.json"
        self.loaded: Any = None
        self.expected: Any = states.build(settings["bytes"])
        self.save(self.expected)

    def save(self, state: Any) -> None:
        """Write the state so that the system has nothing left to do with it."""
        self.path.write_bytes(orjson.dumps(state))
        settle_file(self.path)

    def settle(self) -> Facts:
        """Compare once; free what was loaded outside the time."""
        if self.expected is not None and self.loaded != self.expected:
            raise AssertionError("what was loaded is not what was saved")
        self.expected = self.loaded = None
        return {}


class Floor(Loading):
    """Read and decode."""

    def run(self) -> None:
        """Load the state."""
        self.loaded = orjson.loads(self.path.read_bytes())


class Milepost(Loading):
    """Ours: the newest checkpoint is found, its digest verified, the journal behind it read and synced."""

    def save(self, state: Any) -> None:
        """Save by force and close."""
        with CheckpointManager("bench", self.folder) as manager:
            manager.save_checkpoint(1, state, force=True)

    def run(self) -> None:
        """Load the state as a resumed job does."""
        checkpoint = CheckpointManager("bench", self.folder).get_latest_checkpoint()
        assert checkpoint is not None
        self.loaded = checkpoint["state"]


class Manager2025(Loading):
    """The 2025 way: nothing is verified."""

    def save(self, state: Any) -> None:
        """Write indented JSON."""
        self.path.write_text(json.dumps(state, indent=2))
        settle_file(self.path)

    def run(self) -> None:
        """Load the state."""
        self.loaded = json.loads(self.path.read_text())


def _workload(size: Size) -> Workload:
    return Workload(
        name=f"load-{size.name}",
        group="Load of the newest checkpoint",
        label=size.label,
        contenders=(
            Contender("floor: read, decode", f"{__name__}:Floor"),
            Contender("Milepost", f"{__name__}:Milepost"),
            Contender("the 2025 way", f"{__name__}:Manager2025", note="nothing verified: not comparable"),
        ),
        floor="floor: read, decode",
        targets=(Target("Milepost", RATIO, size.load_limit, "× floor"),),
        settings={"bytes": size.bytes},
        burst=size.burst,
        is_slow=size.is_slow,
    )


WORKLOADS = tuple(map(_workload, SIZES))
