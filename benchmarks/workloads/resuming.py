"""From opening a store with many finished items to the first pending one, in a fresh process; and what comes after."""

from __future__ import annotations

from benchmarks.model import Contender, Workload
from benchmarks.roster import MILEPOST, PLAN, RESUME, STATUS, UNSYNCED, own, peers

_SUBJECT = "benchmarks.work.resuming:Resuming"
_LATER = "benchmarks.work.later:Later"
_DIRECTORY = "benchmarks.work.directory:Directory"
_ALL = "floor: read and decode all"
_KEYS = "floor: decode all, keep the keys"
_MILLION = 1_000_000
_RECORDS = 1000
_FIRST = "Milepost, the first 1,000"
_UNSYNCED = "floor: append, no sync"


def _floors(count: int) -> tuple[Contender, ...]:
    keys = own(_KEYS, "files:Append", _SUBJECT)
    # A million decoded results are about 5 GB.
    return (keys,) if count == _MILLION else (own(_ALL, "files:DecodeAll", _SUBJECT), keys)


def _resume(count: int, *, is_slow: bool) -> Workload:
    floors = _floors(count)
    return Workload(
        name=f"resume-{count}",
        group="Resume: to the first pending item",
        label=f"{count:,} done",
        contenders=(*floors, own(MILEPOST, "ours:Phase", _SUBJECT), *peers(f"resume-{count}", _SUBJECT)),
        floor=floors[0].name,
        settings={"done": count},
        counts_syncs=False,
        is_slow=is_slow,
    )


def _look(name: str, keeper: str) -> Contender:
    return own(name, f"ours:{keeper}", _SUBJECT, filled_by="benchmarks.keepers.ours:Phase")


def _later(name: str, of: str, keeper: str, *, done: int) -> Contender:
    subject = _LATER if done else f"{_LATER}Afresh"
    return own(name, keeper, subject, note=of, done=done)


WORKLOADS = (
    _resume(2000, is_slow=False),
    _resume(100_000, is_slow=True),
    Workload(
        name="directory",
        group="Directory after many records, written one by one",
        label="100,000 × 2 KB",
        contenders=(
            own(_UNSYNCED, "files:AppendUnsynced", _DIRECTORY),
            own(MILEPOST, "ours:Phase", _DIRECTORY, note="durability=process", durability="process"),
            own("sqlite3, NORMAL", "sqlite:Sqlite", _DIRECTORY, note=f"WAL; {UNSYNCED}", synchronous="NORMAL"),
        ),
        floor=_UNSYNCED,
        settings={"items": 100_000},
        operations=100_000,
        counts_syncs=False,
        is_slow=True,
    ),
    _resume(_MILLION, is_slow=True),
    Workload(
        name="look-1000000",
        group="Looking at a run, and planning what comes",
        label="1,000,000 done",
        contenders=(own(RESUME, "ours:Phase", _SUBJECT), _look(STATUS, "Status"), _look(PLAN, "Plan")),
        floor=RESUME,
        settings={"done": _MILLION},
        counts_syncs=False,
        is_slow=True,
    ),
    Workload(
        name="record-after-1000000",
        group="Record after a million others",
        label=f"{_RECORDS} × 2 KB",
        contenders=(
            _later(_FIRST, "a new run each turn", "ours:Phase", done=0),
            _later(MILEPOST, "after 1,000,000", "ours:Phase", done=_MILLION),
            _later("sqlite3, the first 1,000", "WAL, FULL", "sqlite:Sqlite", done=0),
            _later("sqlite3", "WAL, FULL; after 1,000,000", "sqlite:Sqlite", done=_MILLION),
        ),
        floor=_FIRST,
        also_against=("sqlite3, the first 1,000",),
        settings={"items": _RECORDS},
        operations=_RECORDS,
        is_slow=True,
        # Counted over a copy of its own, a million records would be written and read once more.
        counts_syncs=False,
    ),
)
