"""Stores that several machines share, each beside the least that its server asks for, and what codecs cost."""

from __future__ import annotations

from benchmarks.model import POSTGRESQL, S3, Contender, Workload
from benchmarks.roster import DBOS_POSTGRES, FLOOR_A, LANGGRAPH_POSTGRES, MILEPOST, ZSTD, ZSTD_AES, own, peers

_ITEMS = 300
_IN_BUCKET = 1000
_BATCH = 16
# A server and its neighbours wander more than a file does.
_BURST = 3
_ONE_BY_ONE = "benchmarks.work.items:Items"
_BATCHES = "benchmarks.work.items:Batches"
_RESUMING = "benchmarks.work.resuming:Resuming"
_GROUP = "Shared stores: records one by one"
_VERB = "Milepost, the store's verb"
_INSERT = "floor: INSERT and COMMIT"
_PUT = "floor: bare PUTs"
_SELECT = "floor: SELECT, decode all"
_GET = "floor: GET, decode all"
_LOADED = "Milepost, modules loaded before"
_PLAIN = "Milepost, plain"


def _sqlite(name: str, mode: str, synchronous: str) -> Workload:
    settings = {"journal_mode": mode.lower(), "synchronous": synchronous}
    return Workload(
        name=name,
        group=_GROUP,
        label=f"SQLite, {mode}, {synchronous}",
        contenders=(
            own(FLOOR_A, "files:Append", _ONE_BY_ONE),
            own(_INSERT, "sqlite:Sqlite", _ONE_BY_ONE, note="sqlite3"),
            own(_VERB, "shared:SqliteVerb", _ONE_BY_ONE),
            own(MILEPOST, "shared:Sqlite", _ONE_BY_ONE),
        ),
        floor=FLOOR_A,
        also_against=(_INSERT,),
        settings={"items": _ITEMS, **settings},
        operations=_ITEMS,
        burst=_BURST,
    )


def _s3(name: str, subject: str, items: int, label: str, *more: Contender, **settings: int) -> Workload:
    return Workload(
        name=name,
        group="Shared stores: records in a bucket",
        label=label,
        contenders=(
            own(_PUT, "objects:Objects", subject),
            own("floor: PUTs that create only", "objects:Objects", subject, is_conditional=True),
            own(_VERB, "shared:ObjectsVerb", subject),
            own(MILEPOST, "shared:Objects", subject),
            *more,
        ),
        floor=_PUT,
        settings={"items": items, **settings},
        operations=items,
        burst=_BURST if "batch" in settings else 1,
        counts_syncs=False,
        server=S3,
    )


def _resume(kind: str, floor: Contender, keeper: str, count: int, server: str | None, **settings: object) -> Workload:
    ours = (
        own(MILEPOST, f"shared:{keeper}", _RESUMING),
        own(_LOADED, f"loaded:{keeper}", _RESUMING, filled_by=f"benchmarks.keepers.shared:{keeper}"),
    )
    return Workload(
        name=f"store-resume-{kind}-{count}",
        group="Shared stores, resume: to the first pending item",
        label=f"{kind}, {count:,} done",
        contenders=(floor, *ours, *peers(f"store-resume-{kind}-{count}", _RESUMING)),
        floor=floor.name,
        settings={"done": count, **settings},
        counts_syncs=False,
        is_slow=count > 2000,
        server=server,
    )


def _resumes(count: int, at_once: int) -> tuple[Workload, ...]:
    select = own(_SELECT, "sqlite:SelectAll", _RESUMING)
    return (
        _resume("sqlite", select, "Sqlite", count, None, journal_mode="delete", synchronous="EXTRA"),
        _resume("postgresql", own(_SELECT, "postgres:Postgres", _RESUMING), "Postgres", count, POSTGRESQL),
        _resume(
            "s3", own(_GET, "objects:Objects", _RESUMING, note="16 at a time"), "Objects", count, S3,
            filled_at_once=at_once,
        ),
    )  # fmt: skip


def _codec(name: str, keeper: str, subject: str, label: str, operations: int, **settings: int) -> Workload:
    def one(contender: str, **codec: object) -> Contender:
        return own(contender, f"coded:{keeper}", f"benchmarks.work.coded:{subject}", "", **codec)

    return Workload(
        name=name,
        group="Codecs, in a folder",
        label=label,
        contenders=(
            one(_PLAIN),
            one(ZSTD, compress="zstd"),
            one("Milepost, AES-256-GCM", is_encrypted=True),
            one(ZSTD_AES, compress="zstd", is_encrypted=True),
        ),
        floor=_PLAIN,
        also_against=(ZSTD,),
        settings=settings,
        operations=operations,
        burst=_BURST if operations > 1 else 12,
    )


WORKLOADS = (
    _sqlite("store-sqlite", "DELETE", "EXTRA"),
    _sqlite("store-sqlite-wal", "WAL", "FULL"),
    Workload(
        name="store-postgresql",
        group=_GROUP,
        label=f"PostgreSQL, {_ITEMS} × 2 KB",
        contenders=(
            own(_INSERT, "postgres:Postgres", _ONE_BY_ONE, note="psycopg"),
            own(_VERB, "shared:PostgresVerb", _ONE_BY_ONE),
            own(MILEPOST, "shared:Postgres", _ONE_BY_ONE),
            *peers("store-postgresql", _ONE_BY_ONE),
        ),
        floor=_INSERT,
        also_against=(DBOS_POSTGRES, LANGGRAPH_POSTGRES),
        settings={"items": _ITEMS},
        operations=_ITEMS,
        burst=_BURST,
        counts_syncs=False,
        server=POSTGRESQL,
    ),
    _s3(
        "store-s3", _ONE_BY_ONE, _IN_BUCKET, f"{_IN_BUCKET:,} × 2 KB",
        own("Milepost, map", "shared:ObjectsMap", _ONE_BY_ONE, note="16 threads", threads=16),
    ),
    _s3("store-s3-batch16", _BATCHES, 62 * _BATCH, f"{62 * _BATCH} × 2 KB, 16 at once", batch=_BATCH),
    *_resumes(2000, at_once=1),
    *_resumes(100_000, at_once=100),
    _codec("codec-items", "Phase", "CodedItems", f"{_ITEMS} × 2 KB", _ITEMS, items=_ITEMS),
    _codec("codec-save-1MB", "Forced", "CodedSaving", "a state of 1 MB", 1, bytes=1_000_000),
)  # fmt: skip
