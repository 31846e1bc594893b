"""Loading the newest checkpoint, from files that the system has in its cache."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.model import Workload
from benchmarks.roster import MILEPOST, own
from benchmarks.workloads.saving import MANAGER_2025
from benchmarks.workloads.sizes import SIZES, Size

_SUBJECT = "benchmarks.work.loading:Loading"
_FLOOR = "floor: read, decode"


def _workload(size: Size) -> Workload:
    return Workload(
        name=f"load-{size.name}",
        group="Load of the newest checkpoint",
        label=size.label,
        contenders=(
            own(_FLOOR, "files:Replace", _SUBJECT),
            own(MILEPOST, "ours:Forced", _SUBJECT, note="digest verified, journal read and synced"),
            replace(MANAGER_2025, subject=_SUBJECT, note="nothing verified: not comparable"),
        ),
        floor=_FLOOR,
        settings={"bytes": size.bytes},
        burst=size.burst,
        is_slow=size.is_slow,
    )


WORKLOADS = tuple(map(_workload, SIZES))
