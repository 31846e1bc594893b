"""The drill as a pytest fixture: ``pytest_plugins = ["milepost.testing.drills"]`` in a ``conftest.py`` offers it.

::

    def test_my_job(drill):
        drill("job.py").identical()
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from milepost.drill import Drill, Report, Settings, as_text
from milepost.drill.outcomes import Verdict
from milepost.errors import InvalidArgument


class Drilled:
    """What came of a drill."""

    def __init__(self, report: Report) -> None:
        """Hold the *report*."""
        self.report = report

    def identical(self) -> None:
        """Let the test fail, with the report and the command that shows it again, unless all runs were identical."""
        __tracebackhide__ = True
        if self.report.verdict is not Verdict.IDENTICAL:
            pytest.fail(as_text(self.report), pytrace=False)


class Drills:
    """Makes drills of jobs that lie beside a test."""

    def __init__(self, beside: Path) -> None:
        """Look for scripts *beside* the test, then in the working folder."""
        self._beside = beside

    def __call__(
        self,
        command: str | os.PathLike[str] | Sequence[str],
        *,
        folder: str | os.PathLike[str] | None = None,
        faults: str | Sequence[str] = ("kill",),
        every_commit: bool = True,
        random: int | None = None,
        seed: int = 0,
        compare: Sequence[str] = (),
        ignore: Sequence[str] = (),
        keep_going: bool = False,
        jobs: int = 0,
        timeout_seconds: float | None = None,
    ) -> Drilled:
        """Drill a job, and return what came of it.

        Args:
            command: The path of a Python script, or the words of a command, or both in one text.
            folder: The working folder; without it that of the script, or else this process's own.
            faults: Any of kill, term, torn, enospc, second-writer and clock.
            every_commit: Whether each commit is tried; False needs *random*.
            random: Make so many experiments, drawn with *seed*, instead.
            seed: Draws the same experiments again.
            compare: Files and folders relative to *folder*; without it whatever an undisturbed run changes.
            ignore: Patterns of files that are not compared.
            keep_going: Whether the drill goes on behind the first difference.
            jobs: How many run side by side; 0 is one for each core.
            timeout_seconds: When a run is killed; None is ten times the undisturbed one and a minute.

        Raises:
            InvalidArgument: One of these cannot be worked with; the message names it.
        """
        if not every_commit and random is None:
            raise InvalidArgument("every_commit=False: say how many experiments are made, with random=.")
        words, home = self._found(command, None if folder is None else Path(folder))
        settings = Settings(
            command=words,
            folder=home,
            faults=[faults] if isinstance(faults, str) else faults,
            random=random,
            seed=seed,
            compare=compare,
            ignore=ignore,
            keep_going=keep_going,
            jobs=jobs,
            timeout_seconds=timeout_seconds,
        )
        return Drilled(Drill(settings).run())

    def _found(self, command: str | os.PathLike[str] | Sequence[str], folder: Path | None) -> tuple[list[str], Path]:
        """Return the words of a command and the folder that it works in."""
        if not isinstance(command, str | os.PathLike):
            return list(command), folder or Path.cwd()
        for base in (folder, self._beside, Path.cwd()):
            script = None if base is None else base / command
            if script is not None and script.is_file():
                inside = folder is None or base == folder
                word = script.relative_to(folder or script.parent) if inside else script
                return [sys.executable, str(word)], folder or script.parent
        return shlex.split(os.fspath(command)), folder or Path.cwd()


@pytest.fixture
def drill(request: pytest.FixtureRequest) -> Drills:
    """Return what drills a job: ``drill("job.py").identical()``."""
    return Drills(request.path.parent)
