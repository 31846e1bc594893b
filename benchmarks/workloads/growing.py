"""A state that only grows, saved after each of 300 steps of 2 KB."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.model import Workload
from benchmarks.roster import FLOOR_F, MILEPOST, own, peers
from benchmarks.workloads.saving import MANAGER_2025

_STEPS = 300
_SUBJECT = "benchmarks.work.growing:Growing"

WORKLOADS = (
    Workload(
        name="growing",
        group="Growing state",
        label=f"{_STEPS} × 2 KB",
        contenders=(
            own(FLOOR_F, "files:Replace", _SUBJECT, note="the whole state each time"),
            own(MILEPOST, "ours:Throttled", _SUBJECT, note="the manager, throttled"),
            own("Milepost, phase.save()", "ours:Phase", _SUBJECT),
            *peers("growing", _SUBJECT),
            replace(MANAGER_2025, subject=_SUBJECT),
        ),
        floor=FLOOR_F,
        settings={"steps": _STEPS},
        operations=_STEPS,
    ),
)
