"""What the crash tests of forking, importing, clearing, repairing and pruning share: runs to start from, and looks."""

from __future__ import annotations

from typing import Any

import milepost
from milepost.fs import use
from milepost.run.subject import looked_at, runs_aside
from milepost.testing import SimulatedDisk
from tests.support.manager_law import PHASE, ROOT, Clock, disk, manager

ITEMS = ["a", "b", "c", "d"]
STATES = {1: {"books": ["A"]}, 2: {"books": ["A", "B"]}, 3: {"books": ["A", "B", "C"]}}


def job() -> dict[str, Any]:
    """Run the whole job once and return its results."""
    with milepost.Phase(PHASE, store=ROOT, clock=Clock()) as phase:
        for item in phase.each(ITEMS):
            phase.record({"item": item})
        return dict(phase.results())


def done() -> list[str]:
    """Return what is done in the phase's run, as a reader sees it."""
    with milepost.open(PHASE, store=ROOT) as phase:
        return list(phase.results())


def aside() -> list[str]:
    """Return the runs that were set aside."""
    with looked_at(ROOT, PHASE) as subject:
        return runs_aside(subject.store)


def with_items() -> SimulatedDisk:
    """Return a disk with a finished run of a `Phase`."""
    made = disk()
    with use(made):
        job()
    return made.killed()


def with_states() -> SimulatedDisk:
    """Return a disk with a manager's run of three checkpoints and a change after them."""
    made = disk()
    with use(made), manager() as saver:
        for iteration, state in STATES.items():
            saver.save_checkpoint(iteration, state, force=True)
        saver.save_checkpoint(4, {"books": []})
    return made.killed()
