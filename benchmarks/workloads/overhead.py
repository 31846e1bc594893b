"""What keeping progress adds to each item of a loop whose items compute for a while."""

from __future__ import annotations

from benchmarks.model import Contender, Workload
from benchmarks.roster import FLOOR_A, MILEPOST, own, peers

_SUBJECT = "benchmarks.work.items:Loop"
_BARE = "bare loop"


def _workload(milliseconds: int, items: int, burst: int = 1) -> Workload:
    return Workload(
        name=f"overhead-{milliseconds}ms",
        group="Overhead on a loop",
        label=f"{items} items of {milliseconds} ms",
        contenders=(
            Contender(_BARE, _SUBJECT),
            own(FLOOR_A, "files:Append", _SUBJECT),
            own(MILEPOST, "ours:Phase", _SUBJECT),
            *peers("overhead", _SUBJECT),
        ),
        floor=_BARE,
        unit_cost=FLOOR_A,
        settings={"items": items, "item_seconds": milliseconds / 1000},
        operations=items,
        burst=burst,
    )


WORKLOADS = (_workload(1, 200, burst=3), _workload(10, 50, burst=2), _workload(100, 10))
