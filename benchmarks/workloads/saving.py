"""A forced save of a state of which every part changed."""

from __future__ import annotations

from benchmarks.model import Contender, Workload
from benchmarks.roster import FLOOR_F, MILEPOST, UNSYNCED, own, peers
from benchmarks.workloads.sizes import SIZES, Size

_SUBJECT = "benchmarks.work.saving:Saving"

MANAGER_2025 = Contender(
    "the 2025 manager", _SUBJECT, UNSYNCED, settings={"keeper": "benchmarks.keepers.files:Manager2025"},
    is_comparable=False,
)  # fmt: skip


def _workload(size: Size) -> Workload:
    return Workload(
        name=f"save-{size.name}",
        group="Snapshot: a forced save",
        label=size.label,
        contenders=(
            own(FLOOR_F, "files:Replace", _SUBJECT),
            own(MILEPOST, "ours:Forced", _SUBJECT),
            *peers("save-large" if size.is_slow else "save", _SUBJECT),
            MANAGER_2025,
        ),
        floor=FLOOR_F,
        settings={"bytes": size.bytes},
        burst=size.burst,
        is_slow=size.is_slow,
    )


WORKLOADS = tuple(map(_workload, SIZES))
