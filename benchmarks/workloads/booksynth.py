"""What checkpoints cost a real job: phase 3 of booksynth over the bundled books, with and without."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.environments import CHECKOUT
from benchmarks.goals import SHARE
from benchmarks.model import Contender, Workload
from benchmarks.subject import Facts, Subject

_ANALYSES = CHECKOUT / "apps" / "booksynth" / "examples" / "analyses"


class Phase3(Subject):
    """Runs the command in a fresh process and a fresh folder."""

    module = "booksynth"

    def prepare(self, number: int) -> None:
        """Name a new output folder."""
        self.output = self.folder / f"output-{number}"
        self.seconds_file = self.folder / "manager_seconds"

    def run(self) -> None:
        """Run phase 3."""
        words = ["phase-3", "--analysis-dir", str(_ANALYSES), "--output-dir", str(self.output)]
        enabled = str(self.settings["checkpoints"]).lower()
        subprocess.run(
            [sys.executable, "-m", self.module, *words],
            env={
                **os.environ,
                "BOOKSYNTH_CHECKPOINTS__ENABLED": enabled,
                "BENCHMARK_SECONDS_FILE": str(self.seconds_file),
            },
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def settle(self) -> Facts:
        """Delete the results."""
        shutil.rmtree(self.output)
        return {}


class Phase3Timed(Phase3):
    """The same, with the time inside the manager's methods added up."""

    module = "benchmarks.timed_booksynth"

    def settle(self) -> Facts:
        """Return the manager's share of the run, the interpreter's start and imports left out."""
        manager, whole = map(float, Path(self.seconds_file).read_text(encoding="ascii").split())
        return {**super().settle(), SHARE: 100 * manager / whole}


def _contender(name: str, subject: str, *, checkpoints: bool) -> Contender:
    return Contender(name, f"{__name__}:{subject}", settings={"checkpoints": checkpoints})


WORKLOADS = (
    Workload(
        name="booksynth",
        group="Phase 3 of booksynth over the bundled books",
        label="whole command",
        contenders=(
            _contender("checkpoints off", "Phase3", checkpoints=False),
            _contender("checkpoints on", "Phase3", checkpoints=True),
            _contender("checkpoints on, timed inside", "Phase3Timed", checkpoints=True),
        ),
        floor="checkpoints off",
        burst=3,
        is_slow=True,
    ),
)
