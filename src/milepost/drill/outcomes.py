"""What a drill found: of each experiment, and all together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from milepost.drill.experiments import Experiment


class Verdict(StrEnum):
    """What came of a drill. `FAILED`: the undisturbed run failed, or nothing could be tried."""

    IDENTICAL = "identical"
    DIFFERENT = "different"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one experiment.

    *reached* tells whether its moment came, *attempts* counts the runs until the job finished, *texts* say what is
    wrong, *ambiguous* which calls may have been paid twice, *said* is the end of what the last attempt printed to
    standard error where the job did not finish. *moment* says what its commit was.
    """

    experiment: Experiment
    reached: bool
    attempts: int
    texts: Sequence[str] = ()
    ambiguous: Sequence[str] = ()
    said: str = ""
    moment: str = ""

    def __str__(self) -> str:
        return f"{self.experiment} ({self.moment})" if self.moment else str(self.experiment)


@dataclass(frozen=True, slots=True)
class Difference:
    """What is wrong, in words, after an *experiment* (None: between undisturbed runs), and the command to see it."""

    texts: Sequence[str]
    reproduce: str
    experiment: str | None = None
    said: str = ""


@dataclass(slots=True)
class Report:
    """The whole drill. *seconds* and *usual_seconds* are of the drill and of one undisturbed run."""

    command: str
    folder: str
    verdict: Verdict = Verdict.IDENTICAL
    seed: int | None = None
    faults: Sequence[str] = ()
    commits: int = 0
    usual_seconds: float = 0.0
    seconds: float = 0.0
    planned: int = 0
    tried: int = 0
    unreached: int = 0
    attempts: int = 0
    compared: Sequence[str] = ()
    items: int = 0
    calls: int = 0
    differences: list[Difference] = field(default_factory=list)
    ambiguous: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problem: str = ""
    said: str = ""

    @property
    def exit_code(self) -> int:
        """The exit code that tells it: 0 identical, 1 a difference, 2 nothing could be proved."""
        return {Verdict.IDENTICAL: 0, Verdict.DIFFERENT: 1, Verdict.FAILED: 2}[self.verdict]
