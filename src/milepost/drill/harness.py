"""The drill: undisturbed runs, then experiment after experiment, side by side, until one differs."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from milepost.drill.attempts import HASH_SEED, Bench
from milepost.drill.experiments import Experiment, at_random, every_commit, faults_of
from milepost.drill.folders import LINKED, Selection, copy_of, keep_compiled
from milepost.drill.outcomes import Difference, Outcome, Report, Verdict
from milepost.drill.processes import Stop
from milepost.drill.stores import wiped
from milepost.drill.trials import tried
from milepost.drill.undisturbed import USUAL_SEED, Three, Undisturbed, three_runs, unlike
from milepost.errors import InvalidArgument
from milepost.fs.trees import remove_tree, scratch_folder
from milepost.stores.opening import without_secrets

_LONGEST_RUN_SECONDS = 24 * 3600.0
_LEAST_TIMEOUT_SECONDS = 60.0
_TIMES_USUAL = 10


class Settings(NamedTuple):
    """What a drill is asked for.

    *command* runs the job in *folder*, a copy of which it gets each time. *random* is a number of experiments drawn
    with *seed*, None for every commit; *only* is one experiment by itself. *compare* names files and folders relative
    to *folder*, *ignore* holds patterns of files that are not compared. *jobs* run side by side (0: one for each
    core). A run that takes longer than *timeout_seconds* is killed; None is ten times the undisturbed one and a
    minute.
    """

    command: Sequence[str]
    folder: Path
    faults: Sequence[str] = ("kill",)
    random: int | None = None
    seed: int = 0
    only: Experiment | None = None
    compare: Sequence[str] = ()
    ignore: Sequence[str] = ()
    keep_going: bool = False
    jobs: int = 0
    timeout_seconds: float | None = None


class Step(NamedTuple):
    """How far a drill is, for a progress bar: *done* of *total* experiments, *total* 0 in the undisturbed runs."""

    done: int
    total: int
    differences: int


class Drill:
    """One drill. `run` makes it; `stop`, from any thread or signal handler, ends it and leaves nothing behind."""

    def __init__(self, settings: Settings, on_step: Callable[[Step], None] = lambda _: None) -> None:
        """Check the settings; nothing is run yet.

        Raises:
            InvalidArgument: One of them cannot be worked with; the message names it.
        """
        self._settings = _checked(settings)
        self._on_step = on_step
        self._stop = Stop()
        self._problems: list[str] = []
        self._workers = settings.jobs or len(os.sched_getaffinity(0))
        command = without_secrets(shlex.join(settings.command))
        self.report = Report(command, str(settings.folder), faults=faults_of(settings.faults))

    def stop(self) -> None:
        """Ask the drill to end: `run` raises `Stopped` soon."""
        self._stop.ask()

    def run(self) -> Report:
        """Make all experiments and return what was found.

        Raises:
            Stopped: `stop` was called; no process and no temporary folder is left, and `report` holds what was found
                until then.
            OSError: The temporary folder cannot be made or filled.
        """
        since = time.monotonic()
        scratch = scratch_folder("milepost-drill-")
        try:
            self._try_all(scratch)
        finally:
            self.report.seconds = time.monotonic() - since
            self._problems += wiped(sorted(scratch.glob("of_*")))
            self.report.notes += sorted(set(self._problems))
            remove_tree(scratch)
            self._stop.close()
        return self.report

    def _try_all(self, scratch: Path) -> None:
        settings, pristine = self._settings, scratch / "pristine"
        copy_of(settings.folder, pristine, scratch, self._stop.check)
        limit = settings.timeout_seconds or _LONGEST_RUN_SECONDS
        command = _resolved(settings.command, settings.folder, pristine)
        bench = Bench(command, scratch, dict(os.environ), limit, self._stop, problems=self._problems)
        self._on_step(Step(0, 0, 0))
        selection = Selection(settings.compare, settings.ignore)
        try:
            runs = three_runs(bench, pristine, selection, self._workers)
        except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
            self._fail(f"the command cannot be started: {error.strerror}: {settings.command[0]}")
            return
        usual = self._judged(runs)
        if usual is None:
            return
        seconds = usual.ended.seconds
        bench = bench._replace(
            environment={HASH_SEED: USUAL_SEED, **_pinned(bench.environment)},
            timeout_seconds=settings.timeout_seconds or _TIMES_USUAL * seconds + _LEAST_TIMEOUT_SECONDS,
            usual_seconds=seconds,
        )
        keep_compiled(usual.folder, pristine)
        self._experiment(bench, pristine, usual)

    # --- the undisturbed runs

    def _judged(self, runs: Three) -> Undisturbed | None:
        """Tell what the undisturbed runs show; return the one to compare with, None where it ends here."""
        report, first = self.report, runs.first
        report.commits, report.usual_seconds = first.ended.commits, first.ended.seconds
        report.items, report.calls = len(first.seen.started), first.seen.sent
        report.compared = sorted(first.files)
        failed = next((run.ended for run in runs if run is not None and run.ended.exit_code != 0), None)
        if failed is not None:
            report.said = failed.said
            how = "takes too long" if failed.exit_code is None else f"ends with exit code {failed.exit_code}"
            self._fail(f"the undisturbed job {how}; a drill needs a job that runs through by itself")
        elif not first.ended.commits:
            self._fail(
                "no commit was seen: the job does not save anything through Milepost, or it starts its processes "
                "without the environment that they inherit (MILEPOST_DRILL)"
            )
        elif first.seen.started and not runs.second.seen.started:
            self._fail(
                "the second undisturbed run went on from the first one: the checkpoints lie outside the working "
                "folder; name a store below it"
            )
        elif not first.files:
            self._fail(
                "there is nothing to compare: the job wrote no file in its working folder, and no result into its "
                "checkpoints there" + (", or none that is named by --compare" if self._settings.compare else "")
            )
        if report.verdict is Verdict.FAILED:
            return None
        return self._deterministic(runs)

    def _deterministic(self, runs: Three) -> Undisturbed | None:
        differing = unlike(runs)
        commits = {run.ended.commits for run in runs if run is not None}
        if len(commits) > 1:
            self.report.notes.append(
                f"undisturbed runs made {min(commits)} to {max(commits)} commits: what finished together is one"
            )
        if runs.first.only_kept:
            self.report.notes.append("the job wrote no file, so what its phases keep was compared")
        if runs.other_seed is None:
            self.report.notes.append("PYTHONHASHSEED is set, so whether the order of sets counts was not looked at")
        if not runs.first.seen.started:
            self.report.notes.append("no phase told of its items, so how often each ran was not looked at")
        if not differing:
            return runs.first
        self._differ(Difference(list(differing.values()), self._command([])))
        ignored = shlex.join([word for name in differing for word in ("--ignore", _literally(name))])
        self.report.notes.append(f"what may differ from run to run can be left out: {ignored}")
        kept = {name: it for name, it in runs.first.files.items() if name not in differing}
        if not self._settings.keep_going or not kept:
            return None
        left_out = (*self._settings.ignore, *map(_literally, differing))
        selection = runs.first.selection._replace(ignored=left_out)
        return runs.first._replace(files=kept, selection=selection)

    # --- the experiments

    def _planned(self, usual: Undisturbed) -> tuple[int, Iterator[Experiment]]:
        settings, commits = self._settings, usual.ended.commits
        if settings.only is not None:
            return 1, iter([settings.only])
        faults = faults_of(settings.faults)
        if settings.random is not None:
            self.report.seed = settings.seed
            drawn = at_random(settings.random, settings.seed, commits, usual.ended.seconds, faults)
            return settings.random, drawn
        everything = list(every_commit(commits, faults))
        return len(everything), iter(everything)

    def _experiment(self, bench: Bench, pristine: Path, usual: Undisturbed) -> None:
        """Make experiments side by side; none is begun behind the first that differs, unless asked to keep going."""
        self.report.planned, planned = self._planned(usual)
        numbered = enumerate(planned, start=1)
        outcomes: list[tuple[int, Outcome]] = []
        with ThreadPoolExecutor(self._workers) as pool:
            under_way: dict[Future[Outcome], int] = {}
            try:
                while True:
                    going_on = self._settings.keep_going or not any(outcome.texts for _, outcome in outcomes)
                    free = self._workers - len(under_way) if going_on else 0
                    for number, experiment in islice(numbered, free):
                        under_way[pool.submit(tried, bench, pristine, usual, experiment, number)] = number
                    if not under_way:
                        break
                    for done in wait(under_way, return_when=FIRST_COMPLETED).done:
                        outcomes.append((under_way.pop(done), done.result()))
                        differences = sum(bool(outcome.texts) for _, outcome in outcomes)
                        self._on_step(Step(len(outcomes), self.report.planned, differences))
            except BaseException:
                self._stop.ask()
                raise
            finally:
                self._count(outcomes)

    def _count(self, outcomes: list[tuple[int, Outcome]]) -> None:
        report = self.report
        report.tried, report.attempts = len(outcomes), sum(outcome.attempts for _, outcome in outcomes)
        report.unreached = sum(not outcome.reached for _, outcome in outcomes)
        report.ambiguous = sorted({text for _, outcome in outcomes for text in outcome.ambiguous})
        differing = [outcome for _, outcome in sorted(outcomes, key=lambda one: one[0]) if outcome.texts]
        for outcome in differing if self._settings.keep_going else differing[:1]:
            words = self._command(outcome.experiment.words())
            self._differ(Difference(outcome.texts, words, str(outcome), outcome.said))
        if report.unreached:
            report.notes.append(f"in {report.unreached} experiments the job ended before its moment came")
        if report.verdict is Verdict.IDENTICAL and report.tried and report.unreached == report.tried:
            self._fail("no experiment was made: the job made fewer commits than the one that was asked for")

    # --- telling

    def _fail(self, problem: str) -> None:
        self.report.verdict, self.report.problem = Verdict.FAILED, problem

    def _differ(self, difference: Difference) -> None:
        self.report.verdict = Verdict.DIFFERENT
        self.report.differences.append(difference)

    def _command(self, words: Sequence[str]) -> str:
        """Return the command line that makes an experiment again, *words* being what names it."""
        settings = self._settings
        asked = [word for one in settings.compare for word in ("--compare", one)]
        asked += [word for one in settings.ignore for word in ("--ignore", one)]
        if settings.timeout_seconds is not None:
            asked += ["--timeout", f"{settings.timeout_seconds:g}"]
        command = map(without_secrets, settings.command)
        return shlex.join(["milepost", "drill", *words, *asked, "--", *command])


def _checked(settings: Settings) -> Settings:
    if not settings.command:
        raise InvalidArgument("a command to drill is needed, such as: milepost drill -- python job.py")
    faults_of(settings.faults)
    for what, number, least in (
        ("random", settings.random, 1),
        ("jobs", settings.jobs, 0),
        ("timeout", settings.timeout_seconds, 0.001),
    ):
        if number is not None and number < least:
            raise InvalidArgument(f"{what} {number}: at least {least} is needed.")
    if not settings.folder.is_dir():
        raise InvalidArgument(f"{settings.folder}: there is no such folder to work in.")
    if not hasattr(os, "pidfd_open"):
        raise InvalidArgument("a drill needs Linux 5.3 or later: it watches and ends processes by its means.")
    return settings._replace(compare=[_relative(settings.folder, one) for one in settings.compare])


def _relative(folder: Path, path: str) -> str:
    whole = Path(os.path.normpath(folder / path))
    with suppress(ValueError):
        return whole.relative_to(os.path.normpath(folder)).as_posix()
    raise InvalidArgument(
        f"--compare {path}: it lies outside the working folder {folder}, which is all that is copied."
    )


def _resolved(command: Sequence[str], folder: Path, pristine: Path) -> Sequence[str]:
    """Return *command* such that a program which the copies do not hold is found where it lies."""
    head = os.path.normpath(command[0])
    if os.sep not in command[0] or os.path.isabs(head):
        return command
    if Path(head).parts[0] in LINKED or not (pristine / head).exists():
        return [str(folder / head), *command[1:]]
    return command


def _pinned(environment: dict[str, str] | object) -> dict[str, str]:
    assert isinstance(environment, dict)
    return {name: it for name, it in environment.items() if name != HASH_SEED or it != "random"}


def _literally(name: str) -> str:
    """Return a pattern that matches *name* and nothing else."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)
