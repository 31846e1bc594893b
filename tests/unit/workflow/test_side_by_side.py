"""Independent phases side by side: they truly overlap, a failure lets the others finish, and stopping stops all."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

import milepost
from milepost.errors import BudgetReached, PhaseFailed
from tests.support.flows import PHASES, Job

PATIENCE_SECONDS = 30


def test_independent_phases_overlap(tmp_path: Path) -> None:
    """Two phases that wait for each other both come to their end, and no more than jobs of them are at work."""
    meeting = threading.Barrier(2, timeout=PATIENCE_SECONDS)
    flow = milepost.Workflow("w", store=tmp_path)
    for name in ("x", "y", "z", "u"):
        flow.phase(name=name)(lambda phase: [phase.name, meeting.wait() >= 0])
    outputs = flow.run(jobs=2)
    assert dict(outputs) == {name: [name, True] for name in ("x", "y", "z", "u")}


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_outputs_are_the_same_however_many_run(job: Job, jobs: int) -> None:
    """The outputs, their order and what is reused do not depend on jobs."""
    outputs = job.run(jobs=jobs)
    assert list(outputs.items()) == list(job.expected().items())
    assert list(job.run(jobs=jobs)) == PHASES
    assert job.diary.entered == []


def test_a_failure_lets_the_others_finish_and_begins_no_more(tmp_path: Path) -> None:
    """What is under way comes to its end beside a phase that failed, and neither dependents nor others begin."""
    # No assertion inside a body: pytest rewrites it, and code without its source counts a closure by what it holds.
    begun: list[str] = []
    failed = threading.Event()
    flow = milepost.Workflow("w", store=tmp_path)

    @flow.phase
    def fails(phase: milepost.Phase) -> None:
        begun.append(phase.name)
        under_way.wait(PATIENCE_SECONDS)
        failed.set()
        raise OSError("no luck")

    under_way = threading.Event()

    @flow.phase
    def goes_on(phase: milepost.Phase) -> list[str]:
        begun.append(phase.name)
        for item in phase.each(["a", "b", "c"]):
            under_way.set()
            phase.record([item, failed.wait(PATIENCE_SECONDS)])
        while any(thread.name == "milepost-fails" for thread in threading.enumerate()):
            time.sleep(0.01)  # the failure must be known before this ends, else the next phase begins rightly
        return list(phase.results())

    @flow.phase(after=fails)
    def depends(phase: milepost.Phase, _: Any) -> None:
        begun.append(phase.name)

    @flow.phase(after=goes_on)
    def later(phase: milepost.Phase, _: Any) -> None:
        begun.append(phase.name)

    with pytest.raises(PhaseFailed, match="fails: OSError: no luck"):
        flow.run(jobs=2)
    assert sorted(begun) == ["fails", "goes_on"]
    assert flow.plan(to="goes_on").is_finished
    with milepost.open("goes_on", store=tmp_path) as reader:
        assert list(reader.results().values()) == [["a", True], ["b", True], ["c", True]]


def test_all_failures_are_told_and_a_budget_before_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Of two phases that end at once the budget is raised, and the other error is logged."""
    meeting = threading.Barrier(2, timeout=PATIENCE_SECONDS)
    flow = milepost.Workflow("w", store=tmp_path)

    @flow.phase
    def fails(_phase: milepost.Phase) -> None:
        meeting.wait()
        raise OSError("no luck")

    @flow.phase(max_cost_usd=0)
    def spends(phase: milepost.Phase) -> Any:
        meeting.wait()
        return phase.call("a", lambda call_id: call_id, cost_usd=1)

    with pytest.raises(BudgetReached):
        flow.run(jobs=2)
    assert "another phase ended too: PhaseFailed: fails: OSError: no luck" in caplog.text


def test_an_error_that_is_no_exception_comes_out_of_its_thread(tmp_path: Path) -> None:
    """An exit in the body of a phase that runs in a thread ends the run as it would in the main thread."""
    flow = milepost.Workflow("w", store=tmp_path)

    @flow.phase
    def leaves(_phase: milepost.Phase) -> None:
        raise SystemExit(7)

    with pytest.raises(SystemExit) as caught:
        flow.run(jobs=2)
    assert caught.value.code == 7
