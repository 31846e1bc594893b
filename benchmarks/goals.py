"""What Milepost promises of its speed and size, in one place: the workloads are measured, this is what they must show.

The numbers are those of the design; `make bench` prints each beside what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.roster import DBOS_POSTGRES, LANGGRAPH_POSTGRES, MILEPOST, PLAN, STATUS, ZSTD, ZSTD_AES
from benchmarks.work.coded import SIZE
from benchmarks.work.growing import KEPT, WRITTEN
from benchmarks.work.resuming import ON_DISK, PEAK, PER_ITEM

RATIO = "ratio"
"""The measure that every contender has: its median over the floor's."""
EXTRA = "extra ms"
"""How many milliseconds more than the floor a contender takes."""
SECONDS = "seconds"
"""How long a turn takes."""
EACH = "µs each"
"""How many microseconds an operation takes."""
ADDED_A = "added, in A"
"""What a contender adds to each item, as a multiple of what the one adds that only appends and syncs."""
BEYOND = "µs added beyond 0.85 A"
"""What is left of it after 0.85 of that."""
OVERHEAD_IN_A = 0.85


def against(contender: str) -> str:
    """Return the name of the measure that sets a contender's median against that of another than the floor."""
    return f"ratio to {contender}"


FOREIGN = "optional modules loaded"
SHARE = "percent of the run in the manager"


@dataclass(frozen=True)
class Goal:
    """At most *limit* of a *measure* for one contender of a workload."""

    workload: str
    measure: str
    limit: float
    unit: str
    contender: str = MILEPOST


GOALS: tuple[Goal, ...] = (
    Goal("items", RATIO, 0.85, "A"),
    Goal("items-batch16", RATIO, 0.16, "A each"),
    Goal("items-process", EACH, 20, "µs each"),
    Goal("items-strict", RATIO, 1.4, "A"),
    Goal("growing", RATIO, 0.4, "F"),
    Goal("growing", WRITTEN, 1.2, "×"),
    Goal("growing", KEPT, 1.2, "×"),
    Goal("save-10KB", RATIO, 1.15, "F"),
    Goal("save-100KB", RATIO, 1.3, "F"),
    Goal("save-1MB", RATIO, 1.8, "F"),
    Goal("save-10MB", RATIO, 1.8, "F"),
    Goal("save-100MB", RATIO, 1.8, "F"),
    Goal("load-10KB", RATIO, 1.2, "× floor"),
    Goal("load-100KB", RATIO, 1.2, "× floor"),
    Goal("load-1MB", RATIO, 1.2, "× floor"),
    Goal("load-10MB", RATIO, 1.2, "× floor"),
    Goal("load-100MB", RATIO, 1.2, "× floor"),
    Goal("resume-2000", RATIO, 1.2, "× floor"),
    Goal("resume-100000", SECONDS, 0.6, "s"),
    Goal("resume-100000", PER_ITEM, 200, "bytes"),
    Goal("directory", ON_DISK, 1.35, "×"),
    Goal("resume-1000000", SECONDS, 6, "s"),
    Goal("resume-1000000", PEAK, 350, "MB"),
    Goal("resume-1000000", PER_ITEM, 200, "bytes"),
    Goal("look-1000000", SECONDS, 1, "s", STATUS),
    Goal("look-1000000", PEAK, 200, "MB", STATUS),
    Goal("look-1000000", RATIO, 1.0, "× resume", PLAN),
    Goal("record-after-1000000", RATIO, 1.1, "× the first"),
    Goal("four-processes", RATIO, 1.0, "× four floors"),
    Goal("overhead-1ms", BEYOND, 30, "µs"),
    Goal("overhead-10ms", BEYOND, 30, "µs"),
    Goal("overhead-100ms", BEYOND, 30, "µs"),
    Goal("import", EXTRA, 60, "ms", "import milepost"),
    Goal("import", FOREIGN, 0, "modules", "import milepost"),
    Goal("store-sqlite", RATIO, 1.3, "A"),
    Goal("store-sqlite-wal", RATIO, 1.3, "A"),
    Goal("store-postgresql", RATIO, 1.5, "× INSERT"),
    Goal("store-postgresql", against(DBOS_POSTGRES), 0.5, "×"),
    Goal("store-postgresql", against(LANGGRAPH_POSTGRES), 0.5, "×"),
    Goal("store-s3-batch16", RATIO, 1.3, "× PUT"),
    Goal("codec-save-1MB", RATIO, 1.3, "× plain", ZSTD),
    Goal("codec-save-1MB", SIZE, 0.25, "×", ZSTD),
    Goal("codec-save-1MB", against(ZSTD), 1.3, "×", ZSTD_AES),
    Goal("booksynth", RATIO, 1.05, "×", "checkpoints on"),
    Goal("booksynth", SHARE, 5, "%", "checkpoints on, timed inside"),
    Goal("phases", PEAK, 250, "MB", "phase 3"),
    Goal("phases-trackers", PEAK, 250, "MB", "phase 3"),
)


@dataclass(frozen=True)
class Verdict:
    """A goal, what was measured, and whether it is met. What was not measured is not met.

    Where single repeats lie on both sides of the limit, it is not *certain*: measure again on a quieter machine.
    """

    goal: Goal
    value: float | None
    is_met: bool
    is_certain: bool = True


def verdicts(
    workload: str,
    contender: str,
    measures: Mapping[str, float | str],
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> list[Verdict]:
    """Hold the *measures* of a contender against its goals; *ranges* are those of single repeats."""
    return [
        _verdict(goal, measures.get(goal.measure), (ranges or {}).get(goal.measure))
        for goal in GOALS
        if (goal.workload, goal.contender) == (workload, contender)
    ]


def _verdict(goal: Goal, measured: float | str | None, between: tuple[float, float] | None) -> Verdict:
    if not isinstance(measured, int | float) or math.isnan(measured):
        return Verdict(goal, None, is_met=False)
    is_certain = between is None or not between[0] <= goal.limit <= between[1]
    return Verdict(goal, float(measured), measured <= goal.limit, is_certain)
