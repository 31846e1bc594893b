"""Four processes at once, each with a run of its own."""

from __future__ import annotations

from benchmarks.model import Workload
from benchmarks.roster import MILEPOST, own, peers

_PROCESSES = 4
_ITEMS = 100
_SUBJECT = "benchmarks.work.four:Four"
_FLOOR = "floor: four times A"

WORKLOADS = (
    Workload(
        name="four-processes",
        group="Four processes at once, a run each",
        label=f"{_PROCESSES} × {_ITEMS} × 2 KB",
        contenders=(
            own(_FLOOR, "files:Append", _SUBJECT),
            own("floor: four times Z", "files:ZeroAhead", _SUBJECT),
            own(MILEPOST, "ours:Phase", _SUBJECT),
            *peers("four", _SUBJECT),
        ),
        floor=_FLOOR,
        settings={"items": _ITEMS, "processes": _PROCESSES},
        operations=_PROCESSES * _ITEMS,
    ),
)
