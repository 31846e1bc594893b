"""How far each phase is, at once: by the running totals in its newest watermark, without a look at its records."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from milepost.clock import Clock, SystemClock
from milepost.errors import DamageError, InvalidArgument, MilepostError
from milepost.records import Kind, Record, Totals, decode_line
from milepost.report.overview import names
from milepost.run.index import Index
from milepost.run.manifest import PHASE_KEEPER
from milepost.run.place import Where
from milepost.run.progress import load_current
from milepost.run.subject import Subject, looked_at, stored_value
from milepost.run.tally import CALLS, NO_LOOPS, intent_of
from milepost.stores import RunStore


class RunState(StrEnum):
    """What becomes of a run at this moment: a process writes it, it is finished, or it waits to be gone on with.

    `DAMAGED` and `UNREADABLE` (the medium refused) say that nothing can be told.
    """

    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class PhaseStatus:
    """How far a phase is.

    *done*, *failed* and *expected* count items; *expected* is None where the number is not known. *rate_per_minute* and
    *eta_seconds* go by the newest attempt alone: what was done before it makes the rest no faster. *seconds* is how
    long that attempt has been at work, *idle_seconds* how long ago the newest record was made. *cost_usd* is what paid
    calls may have cost, *ambiguous* how many of them were sent and not answered. *host* and *pid* name the process
    that writes. *iteration* is that of a `CheckpointManager`. *problem* says why nothing could be told.
    """

    phase: str
    state: RunState
    keeper: str | None = None
    workflow: str | None = None
    attempt: int = 0
    done: int | None = None
    failed: int | None = None
    expected: int | None = None
    rate_per_minute: float | None = None
    eta_seconds: float | None = None
    seconds: float | None = None
    idle_seconds: float | None = None
    cost_usd: float = 0.0
    ambiguous: int = 0
    iteration: int | None = None
    host: str | None = None
    pid: int | None = None
    problem: str | None = None


def status(root: Where, phases: Iterable[str] = (), clock: Clock | None = None) -> list[PhaseStatus]:
    """Return how far each phase below *root* is; nothing is locked, synced or written.

    Args:
        root: The checkpoint folder or store.
        phases: The phases to look at; none for all.
        clock: The clock that tells ages.

    Raises:
        InvalidArgument: There is no such folder, or no such phase.
        StorageError: The folder cannot be read.
    """
    now = (clock or SystemClock()).now()
    return [_status(root, name, now) for name in list(phases) or names(root)]


def _status(root: Where, phase: str, now: float) -> PhaseStatus:
    try:
        with looked_at(root, phase) as subject:
            if subject.keeper is None and subject.manifest is None:
                raise InvalidArgument(f"{subject.path}: nothing of Milepost is kept here.")
            return _of_phase(subject, now) if subject.keeper == PHASE_KEEPER else _of_manager(subject, now)
    except InvalidArgument:
        raise
    except MilepostError as error:
        state = RunState.DAMAGED if isinstance(error, DamageError) else RunState.UNREADABLE
        return PhaseStatus(phase, state, problem=str(error))


def _of_phase(subject: Subject, now: float) -> PhaseStatus:
    totals = current_totals(subject.store)
    holder = subject.store.holder()
    is_running = holder is not None
    since_opened = totals.last_time - totals.opened_at
    progressed = totals.done - totals.done_before
    per_second = progressed / since_opened if progressed > 0 and since_opened > 0 else None
    left = max(0, totals.expected - totals.done) if totals.expected is not None else None
    state = RunState.FINISHED if totals.is_complete else RunState.STOPPED
    return PhaseStatus(
        phase=subject.phase,
        state=RunState.RUNNING if is_running else state,
        keeper=subject.keeper,
        workflow=subject.manifest.workflow if subject.manifest else None,
        attempt=totals.attempt,
        done=totals.done,
        failed=totals.failed,
        expected=totals.expected,
        rate_per_minute=per_second * 60 if per_second else None,
        eta_seconds=left / per_second if is_running and per_second and left is not None else None,
        seconds=max(0.0, (now if is_running else totals.last_time) - totals.opened_at) if totals.opened_at else None,
        idle_seconds=max(0.0, now - totals.last_time) if totals.last_time else None,
        cost_usd=totals.spent_usd,
        ambiguous=totals.ambiguous,
        host=holder.host if holder else None,
        pid=holder.pid if holder else None,
    )


def _of_manager(subject: Subject, now: float) -> PhaseStatus:
    progress = load_current(subject.store, stored_value).progress
    holder = subject.store.holder()
    return PhaseStatus(
        phase=subject.phase,
        state=RunState.RUNNING if holder else RunState.STOPPED,
        keeper=subject.keeper,
        idle_seconds=max(0.0, now - progress.time) if progress else None,
        iteration=progress.iteration if progress else None,
        host=holder.host if holder else None,
        pid=holder.pid if holder else None,
    )


def current_totals(store: RunStore) -> Totals:
    """Return what a journal's records come to: from its newest watermark where that tells, else by reading them all.

    Raises:
        DamageError: The journal must be read, and is damaged.
        StorageError: The medium refused.
    """
    seen = None
    with suppress(FileNotFoundError):  # the run was set aside between the listing and the look
        seen = store.glance()
    if seen is not None:
        totals = seen.totals
        for line in seen.lines:
            totals = _with(totals, decode_line(line))
        return totals
    index = Index()
    reading = store.read_journal(index.see)
    if reading is not None and reading.damage:
        raise reading.damage[0].error
    return index.totals()


def _with(totals: Totals, record: Record) -> Totals:
    """Return *totals* with one more record; an item that ran again because it changed counts once more for now."""
    changes: dict[str, Any] = {"last_time": record.time, "attempt": record.attempt}
    if record.kind is Kind.OPENED:
        changes |= {"opened_at": record.time, "done_before": totals.done}
    elif record.kind is Kind.COMPLETED:
        changes["is_complete"] = True
    elif record.kind is Kind.INTENT:
        spent = totals.spent_usd + ((intent_of(record) or {}).get("cost_usd") or 0.0)
        changes |= {"spent_usd": spent, "ambiguous": totals.ambiguous + 1}
    elif record.group == CALLS and record.kind in {Kind.DONE, Kind.FAILED}:
        changes["ambiguous"] = max(0, totals.ambiguous - 1)
    elif record.kind is Kind.DONE and record.group not in NO_LOOPS:
        changes["done"] = totals.done + 1
    elif record.kind is Kind.FAILED:
        changes["failed"] = totals.failed + 1
    return totals._replace(**changes)
