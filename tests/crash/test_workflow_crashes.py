"""Every crash of a workflow's run: resumed, its outputs are the uninterrupted ones, and nothing that was done runs twice.

Run as a script, this module is the server that forks the job for each line it reads.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import milepost
from milepost.fs import FileSystem, use
from milepost.testing import SimulatedDisk, for_each_crash
from tests.support.flow_machine import ROOT, quick_fingerprints
from tests.support.flows import Job
from tests.support.manager_law import disk, no_damage_told

KILLED = -signal.SIGKILL
KILLS, SOAK_KILLS = 10, 1000


def _job(*, keeps_items: bool = False) -> Job:
    job = Job(ROOT)
    job.items = [("a", 1), ("b", 2)]
    job.keeps_items = keeps_items
    return job


def _runs(*jobs: Job) -> Any:
    """Return the scenario of *jobs* one after the other; what events say is durable is acknowledged."""

    def scenario(files: FileSystem, acknowledged: list[Any]) -> None:
        with use(files), quick_fingerprints():
            for number, job in enumerate(jobs):
                job.diary.clear()
                job.built().run(on_event=lambda event, number=number: _note(acknowledged, number, event))  # type: ignore[misc]
                acknowledged.append((number, "finished", ""))

    return scenario


def _note(acknowledged: list[Any], number: int, event: Any) -> None:
    if event.kind == "done":
        acknowledged.append((number, event.phase, event.key))
    elif event.kind == "completed":
        acknowledged.append((number, event.phase, ""))


def _goes_on(last: Job, *, of_number: int) -> Any:
    """Return the check that *last*, run on what is left, does nothing that was done, and gives the fresh outputs."""

    def check(left: SimulatedDisk, acknowledged: list[Any]) -> None:
        done = {(phase, key) for number, phase, key in acknowledged if number == of_number}
        with no_damage_told(), use(left), quick_fingerprints():
            plan = last.plan()
            outputs = last.run()
            assert dict(outputs) == last.expected(), "the outputs are not those of an undisturbed run"
            assert not set(last.diary.items) & done, "an item that was done runs again"
            entered = {(phase, "") for phase in last.diary.entered}
            assert not entered & done, "a phase that was complete is entered again"
            assert {one.phase for one in plan.phases if one.action == "reuse"} <= set(outputs.reused)
            assert last.run().ran == []

    return check


def test_a_first_run_survives_every_crash() -> None:
    """After every crash of a first run the same command goes on in the right phase and item."""
    counts = for_each_crash(_runs(_job()), _goes_on(_job(), of_number=0), disk, limit=2)
    assert counts.points > 150
    assert counts.states > 150


@pytest.mark.parametrize("keeps_items", [False, True])
def test_a_run_with_changes_survives_every_crash(*, keeps_items: bool) -> None:
    """While changed outputs set runs aside, or keep their items, a crash leaves nothing stale to be reused."""

    def changed() -> Job:
        job = _job(keeps_items=keeps_items)
        job.items = [("a", 3), ("b", 2), ("c", 2)]
        return job

    def start() -> SimulatedDisk:
        left = disk()
        _runs(_job(keeps_items=keeps_items))(left, [])
        return left

    counts = for_each_crash(_runs(changed()), _goes_on(changed(), of_number=0), start, limit=2)
    assert counts.states > 200


def test_a_crash_while_a_run_goes_on_is_only_another_crash() -> None:
    """What was acknowledged before a crash is kept by a resume that dies as well, at every moment of it."""
    small = _job()
    small.items = [("a", 1)]

    def last() -> Job:
        job = _job()
        job.items = small.items
        return job

    def resume(files: FileSystem, acknowledged: list[Any]) -> None:
        _runs(last())(files, acknowledged)

    sampled = _Every(160)
    counts = for_each_crash(
        _runs(small), _goes_on(last(), of_number=0), disk, recover=sampled.of(resume), limit=1
    )  # fmt: skip
    assert counts.nested_states > 20


class _Every:
    """Lets a scenario run for every *n*-th disk only: a sample, spread over all moments of dying."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.met = 0

    def of(self, scenario: Any) -> Any:
        """Return the sampled scenario."""

        def sampled(files: FileSystem, acknowledged: list[Any]) -> None:
            self.met += 1
            if self.met % self.n == 0:
                scenario(files, acknowledged)

        return sampled


# --- real kills


class Diary:
    """What the job did and was promised, one line each; a line that was written survives the kill."""

    def __init__(self, path: str) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, *words: str) -> None:
        """Write a line down."""
        os.write(self._handle, (" ".join(words) + "\n").encode())


def _built(store: str, diary: Diary) -> milepost.Workflow:
    flow = milepost.Workflow("flow", store=store, on_event=lambda event: _told(diary, event))
    keys = [f"item{n}" for n in range(6)]

    def body(phase: milepost.Phase, items: Sequence[str], *outputs: Any) -> Any:
        diary.note("entered", phase.name)
        for item in phase.each(items):
            diary.note("begun", phase.name, item)
            time.sleep(0.001)
            phase.record({"item": item, "before": len(outputs)})
        return [dict(phase.results()), *outputs]

    flow.phase(name="one", items=keys)(body)
    flow.phase(name="two", items=keys[:3], after="one")(body)
    flow.phase(name="three", items=lambda first: sorted(first[0]), after="one")(body)
    flow.phase(name="four", items=keys[:2], after=["two", "three"])(body)
    return flow


def _told(diary: Diary, event: Any) -> None:
    if event.kind in ("done", "completed"):
        diary.note(event.kind, event.phase, event.key or "")


def serve() -> None:
    """Run the job for every line that comes, kill it after so many seconds, and answer with its exit code."""
    for line in sys.stdin:
        told = json.loads(line)
        process = os.fork()
        if process == 0:
            outputs = _built(told["store"], Diary(told["diary"])).run(jobs=told["jobs"])
            Path(told["output"]).write_text(repr(dict(outputs)))
            os._exit(0)
        if told["kill"] is not None:
            while not os.path.exists(told["diary"]):
                time.sleep(0.0005)
            time.sleep(told["kill"])
            os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _assert_survives(tmp_path: Path, kills: int, jobs: int) -> None:
    """Kill the workflow at random moments until *kills* hit, each chain of runs to its end."""
    seed = random.SystemRandom().randrange(2**32)
    moments = random.Random(seed)
    with subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None

        def run(root: Path, number: int, kill: float | None) -> int:
            assert server.stdin is not None
            assert server.stdout is not None
            root.mkdir(exist_ok=True)
            told = {"store": str(root / "store"), "output": str(root / "output"), "jobs": jobs, "kill": kill}
            server.stdin.write(json.dumps(told | {"diary": str(root / f"diary {number:04d}")}) + "\n")
            server.stdin.flush()
            return int(server.stdout.readline())

        assert run(tmp_path / "first", 0, None) == 0  # loads what is loaded late
        begun = time.monotonic()
        assert run(tmp_path / "whole", 0, None) == 0
        longest = time.monotonic() - begun
        expected = (tmp_path / "whole" / "output").read_text()
        landed = chain = 0
        while landed < kills:
            chain += 1
            root, number, code = tmp_path / f"chain {chain}", 0, KILLED
            while code == KILLED:
                code = run(root, number, moments.uniform(0, longest) if moments.random() < 0.8 else None)
                landed += code == KILLED
                number += 1
            assert code == 0, f"seed {seed}"
            assert (root / "output").read_text() == expected, f"seed {seed}"
            _assert_nothing_twice(root, seed)
        server.stdin.close()


def _assert_nothing_twice(root: Path, seed: int) -> None:
    done: set[str] = set()
    for diary in sorted(root.glob("diary *")):
        lines = [line.partition(" ") for line in diary.read_text().splitlines()]
        begun = {rest for word, _, rest in lines if word == "begun"}
        entered = {rest + " " for word, _, rest in lines if word == "entered"}
        assert not (begun | entered) & done, f"seed {seed}: what was acknowledged is done again"
        done |= {rest for word, _, rest in lines if word in ("done", "completed")}


@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_at_random_moments_a_workflow_goes_on(tmp_path: Path, jobs: int) -> None:
    """However often SIGKILL ends a workflow, the same command goes on, and its outputs are the uninterrupted ones."""
    _assert_survives(tmp_path, KILLS, jobs)
    assert (tmp_path / "chain 1" / "output").exists()


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_a_thousand_times_a_workflow_goes_on(tmp_path: Path, jobs: int) -> None:
    """A thousand real kills at random moments lose nothing."""
    _assert_survives(tmp_path, SOAK_KILLS, jobs)
    assert (tmp_path / "chain 1" / "output").exists()


if __name__ == "__main__":
    serve()
