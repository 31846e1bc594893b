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
    failed: bool = False


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
    folder = scratch / workload.name
    try:
        with ExitStack() as stack:
            residents = _started(workload, series, folder, stack)
            for number in range(repeats * burst + 1):
                _round(residents, series, number)
        for one in series:
            one.seconds = [median(turns) for turns in _batches(one.seconds, burst)]
            if strace and workload.counts_syncs and not one.failed:
                one.syncs = _counted(strace, workload, one.contender, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return series


def _started(workload: Workload, series: list[Series], folder: Path, stack: ExitStack) -> dict[int, Resident]:
    residents = {}
    for index, one in enumerate(series):
        try:
            residents[index] = stack.enter_context(Resident(workload, one.contender, folder / f"{index}-timed"))
        except ContenderFailed:
            _mark_failed(one)
    return residents


def _round(residents: dict[int, Resident], series: list[Series], number: int) -> None:
    """Give each contender that still stands one turn; turn 0 warms up."""
    for index, resident in residents.items():
        if series[index].failed:
            continue
        try:
            turn = resident.turn(number)
        except ContenderFailed:
            _mark_failed(series[index])
            continue
        if number > 0:
            series[index].seconds.append(turn.seconds)
            series[index].facts.append(turn.facts)


def _batches(values: list[float], size: int) -> Iterable[list[float]]:
    return (values[start : start + size] for start in range(0, len(values), size))


def _counted(strace: str, workload: Workload, contender: Contender, folder: Path) -> float | None:
    index = workload.contenders.index(contender)
    try:
        return syncs.count(strace, workload, contender, folder / f"{index}-traced")
    except ContenderFailed as error:
        print(f"{workload.name}, {contender.name}: syncs not counted: {error}", file=sys.stderr)
        return None


def _mark_failed(one: Series) -> None:
    one.failed = True
    print(f"{one.contender.name} failed; see above.", file=sys.stderr)
