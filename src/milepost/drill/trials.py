"""One experiment: a copy of the folder, an interruption, resumes until the job is done, and the comparison."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from milepost.drill.attempts import Bench, Ended, attempt
from milepost.drill.experiments import Experiment
from milepost.drill.folders import copy_of
from milepost.drill.naming import output_difference
from milepost.drill.observed import Observation, faults, observe
from milepost.drill.outcomes import Outcome
from milepost.drill.processes import end_all
from milepost.drill.stores import wiped
from milepost.drill.undisturbed import Undisturbed, bytes_of
from milepost.fs.drilled import Plan
from milepost.fs.trees import remove_tree

MOST_RESUMES = 5
_MOST_FILES_TOLD = 5


class Place(NamedTuple):
    """Where one experiment is made: a copy of the working folder, and the control folders of its attempts."""

    folder: Path
    control: Path


@contextmanager
def place(bench: Bench, pristine: Path, number: int) -> Iterator[Place]:
    """Make a copy for experiment *number*; nothing of it, no process and no file, is left behind the block."""
    found = Place(bench.scratch / f"c{number:07d}", bench.scratch / f"d{number:07d}")
    try:
        copy_of(pristine, found.folder, bench.scratch, bench.stop.check)
        yield found
    finally:
        end_all(found.control)
        bench.problems.extend(wiped(sorted(found.control.glob("*"))))
        remove_tree(found.folder)
        remove_tree(found.control)


def tried(bench: Bench, pristine: Path, usual: Undisturbed, experiment: Experiment, number: int) -> Outcome:
    """Make one experiment and compare what came of it with the *usual*, undisturbed run.

    Raises:
        Stopped: The drill was asked to stop.
        OSError: A copy could not be made.
    """
    with place(bench, pristine, number) as here:
        story = [_struck(bench, here, experiment)]
        while not _is_over(story):
            story.append(_resumed(bench, here, experiment, len(story) + 1))
        differing = _differing(usual, here) if story[-1].exit_code == 0 else []
        if differing and len(story) == 1 and story[0].is_struck and experiment.fault != "second-writer":
            # It was stopped and says that all is well, as a job does that stops on request. Its user runs it again.
            story.append(_resumed(bench, here, experiment, 2))
            differing = _differing(usual, here) if story[-1].exit_code == 0 else []
        controls = [path for one in story for path in (one.control, one.control / "second")]
        seen = observe(controls)
        texts = [*_unfinished(story[-1], bench), *_named(differing, usual, here, story[-1])]
        return Outcome(
            experiment,
            story[0].is_struck,
            len(story),
            [*texts, *(faults(seen, usual.seen, len(story) - 1) if story[-1].exit_code == 0 else _paid(seen, usual))],
            [str(one) for one in seen.ambiguous],
            story[-1].said if story[-1].exit_code != 0 else "",
            _moment(story[0]),
        )


def _moment(first: Ended) -> str:
    """Say which operation the commit was that the drill struck at."""
    return "" if first.struck is None else f"{first.struck['verb']} of {first.struck['file']}"


def _struck(bench: Bench, here: Place, experiment: Experiment) -> Ended:
    plan = Plan() if experiment.seconds is not None else Plan(experiment.at, experiment.when, experiment.strike)
    return attempt(bench, here.folder, here.control / "1", plan, kill_after_seconds=experiment.seconds)


def _resumed(bench: Bench, here: Place, experiment: Experiment, count: int) -> Ended:
    plan = Plan(experiment.again) if count == 2 else Plan()
    return attempt(bench, here.folder, here.control / str(count), plan, clock_seconds=experiment.clock_seconds)


def _is_over(story: list[Ended]) -> bool:
    last = story[-1]
    return last.exit_code == 0 or last.exit_code is None or len(story) > MOST_RESUMES


def _unfinished(last: Ended, bench: Bench) -> list[str]:
    if last.exit_code is None:
        return [f"the job did not end within {bench.timeout_seconds:.0f} s and was killed"]
    if last.exit_code != 0:
        how = f"signal {-last.exit_code}" if last.exit_code < 0 else f"exit code {last.exit_code}"
        return [f"the job cannot be finished after the interruption: {how}, also after {MOST_RESUMES} resumes"]
    return []


def _paid(seen: Observation, usual: Undisturbed) -> list[str]:
    """Say what was paid twice by a job that did not finish: which items ran is no question then."""
    known = {(one.phase, one.key) for one in usual.seen.twice}
    return [str(one) for one in seen.twice if (one.phase, one.key) not in known]


def _differing(usual: Undisturbed, here: Place) -> list[str]:
    found = usual.found_in(here.folder)
    names = sorted(usual.files.keys() | found.keys())
    return [name for name in names if usual.files.get(name) != found.get(name)]


def _named(differing: list[str], usual: Undisturbed, here: Place, last: Ended) -> Iterator[str]:
    for name in differing[:_MOST_FILES_TOLD]:
        wanted, found = (bytes_of(folder, name) for folder in (usual.folder, here.folder))
        yield output_difference(name, wanted, found, (usual.run, last.run))
    if len(differing) > _MOST_FILES_TOLD:
        yield f"{len(differing) - _MOST_FILES_TOLD} more files differ"
