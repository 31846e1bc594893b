"""One attempt of a job under a drill: started in a copy, struck as planned, watched to its end."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from milepost.clock import OFFSET_VARIABLE
from milepost.drill.clocks import Window
from milepost.drill.naming import Run
from milepost.drill.observed import noted
from milepost.drill.processes import Job, Running, Stop, running, tail
from milepost.fs.drilled import COMMITS, GO_ON, PAUSED, PLAN, STRUCK, Plan
from milepost.fs.installed import NAMESPACE_VARIABLE
from milepost.fs.trees import make_folder, make_pipe, open_pipe, write_plainly

HASH_SEED = "PYTHONHASHSEED"
_LEAST_PATIENCE_SECONDS = 2.0
"""How long at least a second writer may wait for the first, which waits for it."""


class Bench(NamedTuple):
    """What all runs of a drill share: the command, a *scratch* folder, the environment, and how long a run may take.

    *usual_seconds* is how long an undisturbed run took, 0 while nobody knows. *problems* gathers what could not be
    tidied up.
    """

    command: Sequence[str]
    scratch: Path
    environment: Mapping[str, str]
    timeout_seconds: float
    stop: Stop
    usual_seconds: float = 0.0
    problems: list[str] = []  # noqa: RUF012 -- given by the drill, which tells them


class Ended(NamedTuple):
    """How an attempt ended: *exit_code* is None where it took too long, negative for a signal that killed it.

    *commits* are all it made, *struck* is what the agent noted at the plan's commit, *said* is the end of its standard
    error.
    """

    control: Path
    exit_code: int | None
    seconds: float
    commits: int
    is_struck: bool
    struck: dict[str, Any] | None
    said: str
    run: Run


def attempt(
    bench: Bench,
    folder: Path,
    control: Path,
    plan: Plan,
    *,
    clock_seconds: float = 0.0,
    kill_after_seconds: float | None = None,
) -> Ended:
    """Run the job once in *folder*.

    Args:
        bench: What all runs share.
        folder: The copy that it runs in.
        control: A folder of its own for what the agents in its processes note; made here.
        plan: What they do, and at which commit.
        clock_seconds: How far Milepost's wall clock is moved.
        kill_after_seconds: When the whole tree is killed; None for never.

    Raises:
        Stopped: The drill was asked to stop; the job is gone.
        OSError: The command cannot be started.
    """
    began = time.time()
    own = {NAMESPACE_VARIABLE: f"{bench.scratch.name}-{folder.name}"}
    environment = {**bench.environment, **own, **({OFFSET_VARIABLE: repr(clock_seconds)} if clock_seconds else {})}
    job = Job(bench.command, folder, _prepared(control, plan), environment)
    since = time.monotonic()
    if plan.at and plan.fault == "second-writer":
        exit_code = _with_a_second(bench, job)
    else:
        with running(job) as started:
            if kill_after_seconds is None:
                exit_code = _end_of(started, bench)
            elif (exit_code := started.wait(bench.stop, kill_after_seconds)) is None:
                exit_code = started.kill()
    commits, struck = noted(control / COMMITS), next(iter(noted(control / STRUCK)), None)
    return Ended(
        control,
        exit_code,
        time.monotonic() - since,
        len(commits),
        struck is not None or kill_after_seconds is not None,
        struck,
        tail(control / "stderr"),
        Run(Window(began, time.time()), frozenset(one["pid"] for one in commits)),
    )


def _prepared(control: Path, plan: Plan) -> Path:
    make_folder(control)
    write_plainly(control / PLAN, json.dumps(plan._asdict()).encode())
    return control


def _end_of(started: Running, bench: Bench) -> int | None:
    """Return the exit code; None where it took too long and was killed."""
    exit_code = started.wait(bench.stop, bench.timeout_seconds)
    if exit_code is None:
        started.kill()
    return exit_code


def _with_a_second(bench: Bench, job: Job) -> int | None:
    """Run *job*; while it stands still at its commit, run the same command beside it.

    A second writer that waits for the first is given some time only: then both go on.
    """
    for name in (PAUSED, GO_ON):
        make_pipe(job.control / name)
    with _opened(job.control / PAUSED) as paused, _opened(job.control / GO_ON) as go_on, running(job) as first:
        exit_code = first.wait(bench.stop, bench.timeout_seconds, also=paused)
        if exit_code is not None:
            return exit_code
        try:
            os.read(paused, 1)
        except BlockingIOError:  # neither at its end nor at its commit: it took too long
            first.kill()
            return None
        other = job._replace(control=_prepared(job.control / "second", Plan()))
        with running(other) as second:
            patience = max(_LEAST_PATIENCE_SECONDS, 2 * bench.usual_seconds)
            its_end = second.wait(bench.stop, patience)
            os.write(go_on, b"\n")
            exit_code = _end_of(first, bench)
            if its_end is None:
                _end_of(second, bench)
    return exit_code


@contextmanager
def _opened(pipe: Path) -> Iterator[int]:
    handle = open_pipe(pipe)
    try:
        yield handle
    finally:
        os.close(handle)
