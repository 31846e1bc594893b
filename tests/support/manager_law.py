"""What a crash may leave of a manager's progress, as one check that all crash tests share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import milepost
from milepost.fs import FileSystem, use
from milepost.testing import SimulatedDisk

ROOT = Path("/checkpoints")
PHASE = "phase_3"
State = dict[str, Any]
Plan = dict[int, State]


class Clock:
    """A clock that stands still: what is due is said by ``force``, never by time."""

    def __init__(self, now: float = 1_795_000_000.0) -> None:
        self.at = now

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


def manager(*, clock: Clock | None = None, **settings: Any) -> milepost.CheckpointManager:
    """Return a manager of the phase on the filesystem in use."""
    return milepost.CheckpointManager(PHASE, ROOT, clock=clock or Clock(), **settings)


def disk() -> SimulatedDisk:
    """Return an empty simulated disk."""
    return SimulatedDisk(("/checkpoints",))


@contextmanager
def no_damage_told() -> Iterator[None]:
    """Fail if Milepost reports damage: a crash is not a bad medium, and must never look like one."""
    told: list[str] = []

    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())

    handler = Told(logging.ERROR)
    log = logging.getLogger("milepost")
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
    assert not told, told


def keeps(
    plan: Plan, *, also: Callable[[FileSystem], None] | None = None
) -> Callable[[SimulatedDisk, list[Any]], None]:
    """Return the check that a disk holds the last acknowledged iteration of *plan*, or the one in flight.

    The list of acknowledgements holds iterations. After the look, a new manager must be able to go on: to save and
    to find what it saved.
    """
    order = [None, *plan]

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        last = acknowledged[-1] if acknowledged else None
        with no_damage_told(), use(left):
            found = manager().get_latest_checkpoint()
            reached = found and found["iteration"]
            allowed = order[order.index(last) :][:2]
            assert reached in allowed, f"acknowledged {last}, found {reached}"
            if found:
                assert found["state"] == plan[found["iteration"]], f"iteration {reached} has another state"
            if also:
                also(left)
            after = manager()
            after.get_latest_checkpoint()
            after.save_checkpoint(1000, {"went": "on"}, force=True)
            after.save_checkpoint(1001, {"went": "further"})
            assert manager().get_latest_checkpoint()["iteration"] == 1001  # type: ignore[index]

    return check
