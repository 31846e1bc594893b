"""The figures in brief, for the README: who takes part as rows, a column for each kind of work; stores apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from benchmarks.results import Result, Row
from benchmarks.roster import MILEPOST
from benchmarks.work.resuming import PEAK

_ABSENT = "–"
_FLOOR = "the floor"


def _syncs(row: Row) -> str:
    return _ABSENT if row.syncs is None else f"{row.syncs:.1f}".removesuffix(".0")


def _ratio(unit: str) -> Callable[[Row], str]:
    def shown(row: Row) -> str:
        ratio = row.measures.get("ratio")
        return f"{ratio:.2f} {unit}" if isinstance(ratio, float) else _ABSENT

    return shown


def _resume(row: Row) -> str:
    assert row.seconds is not None
    return f"{row.seconds.value:.2f} s, {row.measures[PEAK]:.0f} MB"


Columns = tuple[tuple[str, str, Callable[[Row], str]], ...]

COLUMNS: Columns = (
    ("Syncs per item", "items", _syncs),
    ("Item journal", "items", _ratio("A")),
    ("Growing state", "growing", _ratio("F")),
    ("Snapshot 100 KB", "save-100KB", _ratio("F")),
    ("1 MB", "save-1MB", _ratio("F")),
    ("100 MB", "save-100MB", _ratio("F")),
    ("4 processes", "four-processes", _ratio("×")),
    ("Resume 100,000", "resume-100000", _resume),
)


STORES: Columns = (
    ("SQLite, DELETE", "store-sqlite", _ratio("A")),
    ("SQLite, WAL", "store-sqlite-wal", _ratio("A")),
    ("PostgreSQL", "store-postgresql", _ratio("INSERT")),
    ("S3, one by one", "store-s3", _ratio("PUT")),
    ("S3, 16 at once", "store-s3-batch16", _ratio("PUT")),
    ("PostgreSQL, resume 2,000", "store-resume-postgresql-2000", _resume),
)


def tables(results: Sequence[Result]) -> Iterable[str]:
    """Yield the lines of every table of which something was asked for, with an empty line between two."""
    asked = {result.workload.name for result in results}
    wanted = [one for one in (COLUMNS, STORES) if asked & {workload for _, workload, _ in one}]
    for columns in wanted:
        yield ""
        yield from table(results, columns)


def table(results: Sequence[Result], columns: Columns = COLUMNS) -> Iterable[str]:
    """Yield the lines of a Markdown table: the floor, Milepost, its peers, then what does not sync."""
    rows: dict[str, dict[str, str]] = {_FLOOR: {}, MILEPOST: {}}
    unsynced: set[str] = set()
    for heading, workload, shown in columns:
        for result in results:
            if result.workload.name == workload:
                _add(rows, unsynced, result, heading, shown)
    yield "| | " + " | ".join(heading for heading, *_ in columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    for name in sorted(rows, key=lambda name: name in unsynced):
        label = f"**{name}**" if name == MILEPOST else f"{name} (not synced: not comparable)" * (name in unsynced)
        figures = (rows[name].get(heading, _ABSENT) for heading, *_ in columns)
        yield f"| {label or name} | {' | '.join(figures)} |"


def _add(
    rows: dict[str, dict[str, str]],
    unsynced: set[str],
    result: Result,
    heading: str,
    shown: Callable[[Row], str],
) -> None:
    for row in result.rows:
        name = _FLOOR if row.contender == result.workload.floor else row.contender
        if name.startswith(("floor", f"{MILEPOST},", "sqlite3,")):
            continue
        if not row.is_comparable:
            unsynced.add(name)
        rows.setdefault(name, {})[heading] = "not measured" if row.seconds is None else shown(row)
