"""Runs a workload: all contenders in turn, A B C A B C, so that a slow moment of the machine slows all of them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks import syncs
from benchmarks.model import Contender, Workload
from benchmarks.resident import ContenderFailed, Resident
from benchmarks.subject import Facts


@dataclass
class Series:
    """What one contender's repeats took: *seconds* per repeat, each the median of its turns."""

    contender: Contender
    seconds: list[float] = field(default_factory=list)
    facts: list[Facts] = field(default_factory=list)
    syncs: float | None = None
    reason: str | None = None
    """Why it was not measured."""


def measure(workload: Workload, burst: int, repeats: int, scratch: Path, strace: str | None) -> list[Series]:
    """Return a series of *repeats* for each contender; one that fails is marked and the others go on.

    Args:
        workload: The work.
        burst: Turns of each contender in one repeat.
        repeats: How many repeats.
        scratch: The folder to work in.
        strace: What counts syncs, or None.
    """
    series = [Series(contender) for contender in workload.contenders]
    folder, shared = scratch / workload.name, scratch / "shared"
    try:
        with ExitStack() as stack:
            residents = _started(workload, series, folder, shared, stack)
            for number in range(repeats * burst + 1):
                _round(residents, series, number)
        for one in series:
            one.seconds = [median(turns) for turns in _batches(one.seconds, burst)]
            if strace and workload.counts_syncs and one.reason is None:
                one.syncs = _counted(strace, workload, one.contender, folder, shared)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return series


def _started(
    workload: Workload, series: list[Series], folder: Path, shared: Path, stack: ExitStack
) -> dict[int, Resident]:
    residents = {}
    for index, one in enumerate(series):
        place = folder / f"{index}-timed"
        try:
            residents[index] = stack.enter_context(Resident(workload, one.contender, place, shared=shared))
        except ContenderFailed as error:
            _mark_failed(one, error)
    return residents


def _round(residents: dict[int, Resident], series: list[Series], number: int) -> None:
    """Give each contender that still stands one turn; turn 0 warms up."""
    for index, resident in residents.items():
        if series[index].reason is not None:
            continue
        try:
            turn = resident.turn(number)
        except ContenderFailed as error:
            _mark_failed(series[index], error)
            continue
        if number > 0:
            series[index].seconds.append(turn.seconds)
            series[index].facts.append(turn.facts)


def _batches(values: list[float], size: int) -> Iterable[list[float]]:
    return (values[start : start + size] for start in range(0, len(values), size))


def _counted(strace: str, workload: Workload, contender: Contender, folder: Path, shared: Path) -> float | None:
    index = workload.contenders.index(contender)
    try:
        return syncs.count(strace, workload, contender, folder / f"{index}-traced", shared)
    except ContenderFailed as error:
        print(f"{workload.name}, {contender.name}: syncs not counted: {error}", file=sys.stderr)
        return None


def _mark_failed(one: Series, error: ContenderFailed) -> None:
    one.reason = str(error)
    print(f"NOT MEASURED: {one.contender.name}: {error}", file=sys.stderr, flush=True)
