"""What each phase of booksynth takes, in time and memory: a fresh process each, the phases before it done already."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.environments import CHECKOUT
from benchmarks.model import Contender, Workload
from benchmarks.subject import Facts, Subject
from benchmarks.work.resuming import PEAK

EXAMPLES = CHECKOUT / "apps" / "booksynth" / "examples"
TRACKERS = "BENCHMARK_TRACKERS"
"""Names a folder of real trackers that do not come with the sources; without it they are not measured."""

ALL, AGAIN = "all phases", "all phases, nothing changed"
STARTED_PEAK = "peak MB of a process it started"
PHASES = ("phase_2", "phase_3", "phase_4")


class Run(Subject):
    """Runs the command over a shelf, up to or only for one phase."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Put the shelf together from the folders of *settings*."""
        super().__init__(folder, settings)
        self.shelf, self.output = folder / "shelf", folder / "output"
        self.peaks = folder / "peaks"
        for part in settings["shelf"]:
            shutil.copytree(part, self.shelf, dirs_exist_ok=True)

    def prepare(self, number: int) -> None:
        """Do all that comes before what is measured."""
        del number  # each turn is the first in its folder
        phase = self.settings["phase"]
        if phase == AGAIN:
            self._booksynth()
        elif phase in PHASES[1:]:
            self._booksynth("--to", PHASES[PHASES.index(phase) - 1])

    def run(self) -> None:
        """Run what is measured."""
        phase = self.settings["phase"]
        self._booksynth(*(("--only", phase) if phase in PHASES else ()))

    def settle(self) -> Facts:
        """Delete the results; return the peaks."""
        shutil.rmtree(self.output)
        own, started = map(int, self.peaks.read_text(encoding="ascii").split())
        return {PEAK: own / 1e6, **({STARTED_PEAK: started / 1e6} if started else {})}

    def _booksynth(self, *more: str) -> None:
        words = ["run", str(self.shelf), "--output", str(self.output), *more]
        subprocess.run(
            [sys.executable, "-m", "benchmarks.peak_booksynth", *words],
            env={**os.environ, "BENCHMARK_PEAK_FILE": str(self.peaks)},
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def _workload(name: str, group: str, *shelf: Path) -> Workload:
    names = {**{phase: phase.replace("_", " ") for phase in PHASES}, ALL: ALL, AGAIN: AGAIN}
    return Workload(
        name=name,
        group=group,
        label="whole command",
        contenders=tuple(
            Contender(shown, f"{__name__}:Run", settings={"phase": phase}) for phase, shown in names.items()
        ),
        floor=ALL,
        settings={"shelf": [str(part) for part in shelf]},
        counts_syncs=False,
        is_slow=True,
    )


_REAL = os.environ.get(TRACKERS)

WORKLOADS = (
    _workload("phases", "Each phase of booksynth over the bundled shelf", EXAMPLES / "shelf", EXAMPLES / "analyses"),
    *((_workload("phases-trackers", "Each phase of booksynth over real trackers", Path(_REAL)),) if _REAL else ()),
)
