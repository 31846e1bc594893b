"""Items of 2 KB in a journal: one by one, in batches, and with less or more durability than against a power cut."""

from __future__ import annotations

from benchmarks.model import Workload
from benchmarks.roster import FLOOR_A, FLOOR_Z, MILEPOST, own, peers

_ITEMS = 300
_BATCH = 16
_IN_BATCHES = 20 * _BATCH
_ONE_BY_ONE = "benchmarks.work.items:Items"
_BATCHES = "benchmarks.work.items:Batches"
_UNSYNCED = "floor: append, no sync"

WORKLOADS = (
    Workload(
        name="items",
        group="Item journal",
        label=f"{_ITEMS} × 2 KB",
        contenders=(
            own(FLOOR_A, "files:Append", _ONE_BY_ONE),
            own(FLOOR_Z, "files:ZeroAhead", _ONE_BY_ONE),
            own(MILEPOST, "ours:Phase", _ONE_BY_ONE),
            *peers("items", _ONE_BY_ONE),
        ),
        floor=FLOOR_A,
        settings={"items": _ITEMS},
        operations=_ITEMS,
    ),
    Workload(
        name="items-batch16",
        group="Item journal, 16 that finished together",
        label=f"{_IN_BATCHES} × 2 KB, 16 at once",
        contenders=(
            own(FLOOR_A, "files:Append", _ONE_BY_ONE, note="one by one"),
            own("floor: append 16, fdatasync", "files:Append", _BATCHES),
            own(MILEPOST, "ours:Phase", _BATCHES),
            *peers("batches", _BATCHES),
        ),
        floor=FLOOR_A,
        settings={"items": _IN_BATCHES, "batch": _BATCH},
        operations=_IN_BATCHES,
    ),
    Workload(
        name="items-process",
        group="Item journal, durable against SIGKILL only",
        label=f"{_ITEMS} × 2 KB",
        contenders=(
            own(_UNSYNCED, "files:AppendUnsynced", _ONE_BY_ONE),
            own(MILEPOST, "ours:Phase", _ONE_BY_ONE, note="durability=process", durability="process"),
            *peers("process", _ONE_BY_ONE),
        ),
        floor=_UNSYNCED,
        settings={"items": _ITEMS},
        operations=_ITEMS,
        burst=3,
    ),
    Workload(
        name="items-strict",
        group="Item journal with a synced watermark",
        label=f"{_ITEMS} × 2 KB",
        contenders=(
            own(FLOOR_A, "files:Append", _ONE_BY_ONE),
            own(MILEPOST, "ours:Phase", _ONE_BY_ONE, note="durability=strict", durability="strict"),
        ),
        floor=FLOOR_A,
        settings={"items": _ITEMS},
        operations=_ITEMS,
    ),
)
