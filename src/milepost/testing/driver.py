"""The crash driver: one scenario, dying before and after every operation, in every legal way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from milepost.fs.intercepted import Intercepted, Operation
from milepost.fs.seam import FileSystem
from milepost.testing.crashes import described, surviving_disks
from milepost.testing.disk import SimulatedDisk

Acknowledged = list[Any]
Scenario = Callable[[FileSystem, Acknowledged], None]
Check = Callable[[SimulatedDisk, Acknowledged], None]


@dataclass(slots=True)
class Counts:
    """How much was tried: *points* are moments of dying, *states* are checks made; nested ones in recovery."""

    points: int
    states: int
    nested_points: int = 0
    nested_states: int = 0


@dataclass(frozen=True, slots=True)
class _Moment:
    """The disk at one moment, with what was acknowledged until then."""

    disk: SimulatedDisk
    acknowledged: Acknowledged
    before: str
    when: str


def for_each_crash(
    scenario: Scenario,
    check: Check,
    disk_factory: Callable[[], SimulatedDisk] = SimulatedDisk,
    *,
    recover: Scenario | None = None,
    limit: int | None = None,
) -> Counts:
    """Let *scenario* die before and after each of its operations, and *check* every disk that may be left.

    A dead process does nothing more, so what a death leaves is the disk as it is at that moment, and one
    run shows all of them. At each moment the process alone may die (all is visible, and what was not
    synced is not durable yet), or the machine (the states of `milepost.testing.crashes`). The moment
    after the last operation counts too. Disks that nobody can tell apart, with equal acknowledgements,
    are checked once.

    Args:
        scenario: What is run; it appends to its list what it was promised, when it was promised. The
            values must not change afterwards.
        check: Raises if the disk does not keep what the list says. It may change both.
        disk_factory: Makes the disk on which the scenario starts.
        recover: If given, it is run on every disk left, dying in the same ways, and *check* is called
            for what these deaths leave; it may append to the list what it served.
        limit: The most crash states tried at each moment, see `surviving_disks`.

    Raises:
        BaseException: Whatever *check* raised, with a note that tells the moment and what was lost.
    """
    trials = _Trials(check, limit)
    moments = _moments(disk_factory(), scenario, [])
    # All of these first: a disk first met in a nested crash would not be met again as one to recover.
    left = [disk for moment in moments for disk in trials.held(moment)]
    counts = Counts(len(moments), len(left))
    for start in left if recover is not None else ():
        assert recover is not None
        deeper = _moments(start.disk.killed(), recover, list(start.acknowledged), f"{start.before}{start.when}; then ")
        counts.nested_points += len(deeper)
        counts.nested_states += sum(1 for moment in deeper for _ in trials.held(moment))
    return counts


class _Trials:
    """Checks disks, each of them once."""

    def __init__(self, check: Check, limit: int | None) -> None:
        self._check = check
        self._limit = limit
        self._seen: dict[tuple[object, ...], list[Acknowledged]] = {}

    def held(self, moment: _Moment) -> Iterator[_Moment]:
        """Check the disks that a death at *moment* may leave, and give those that were not met before."""
        if not self._is_new(moment.disk, moment.acknowledged):
            return
        yield self._held(moment, moment.disk, f"the process died {moment.when}")
        for state, left in surviving_disks(moment.disk, self._limit):
            if self._is_new(left, moment.acknowledged):
                lost = described(moment.disk.pending, state)
                yield self._held(moment, left, f"the power went {moment.when} ({lost})")

    def _held(self, moment: _Moment, left: SimulatedDisk, when: str) -> _Moment:
        try:
            self._check(left.killed(), list(moment.acknowledged))
        except BaseException as error:
            error.add_note(moment.before + when)
            raise
        return _Moment(left, moment.acknowledged, moment.before, when)

    def _is_new(self, disk: SimulatedDisk, acknowledged: Acknowledged) -> bool:
        known = self._seen.setdefault(disk.fingerprint(), [])
        if acknowledged in known:
            return False
        known.append(acknowledged)
        return True


def _moments(disk: SimulatedDisk, scenario: Scenario, acknowledged: Acknowledged, before: str = "") -> list[_Moment]:
    """Run *scenario* on *disk* and return the moments before and after each operation, and the end."""
    moments: list[_Moment] = []

    def note(when: str) -> None:
        moments.append(_Moment(disk.killed(), list(acknowledged), before, when))

    def note_operation(word: str, operation: Operation) -> None:
        if operation.mutates:
            note(f"{word} operation {operation.number}, {operation}")

    watched = Intercepted(
        disk, before=lambda operation: note_operation("before", operation), after=lambda o: note_operation("after", o)
    )
    scenario(watched, acknowledged)
    note("at the end")
    return moments
