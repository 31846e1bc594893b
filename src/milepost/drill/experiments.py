"""Which experiments a drill makes: every commit, random ones by a seed, or one that is named."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from milepost.errors import InvalidArgument

YEAR_SECONDS = 365.25 * 86_400
FAULTS = ("kill", "term", "torn", "enospc", "second-writer", "clock")
"""What a user may ask for; ``clock`` stands for two faults."""

CLOCKS = {"clock-back": -YEAR_SECONDS, "clock-forward": 30 * YEAR_SECONDS}
"""How far, in seconds, the wall clock is moved for the resume."""

WHENS = ("before", "after")
ONE_FAULT = (*(fault for fault in FAULTS if fault != "clock"), *CLOCKS)
_SHARE_AGAIN = 0.3
"""The share of random experiments that are interrupted a second time, while they resume."""


class Experiment(NamedTuple):
    """One interruption: at commit number *at*, or *seconds* after the start, and perhaps *again* in the resume.

    *at* and *again* count from 1; 0 is never.
    """

    fault: str = "kill"
    at: int = 0
    when: str = "before"
    seconds: float | None = None
    again: int = 0

    @property
    def strike(self) -> str:
        """What is done to the process: a moved clock begins with a kill."""
        return "kill" if self.fault in CLOCKS else self.fault

    @property
    def clock_seconds(self) -> float:
        """How far the wall clock of the resume is moved."""
        return CLOCKS.get(self.fault, 0.0)

    def words(self) -> list[str]:
        """Return the options of the command line that make this experiment alone."""
        if self.seconds is not None:
            words = ["--at-seconds", f"{self.seconds:.3f}"]
        else:
            words = ["--at", str(self.at), "--when", self.when, "--fault", self.fault]
        return [*words, "--again", str(self.again)] if self.again else words

    def __str__(self) -> str:
        if self.seconds is not None:
            text = f"SIGKILL of all its processes after {self.seconds:.3f} s"
        else:
            text = _TOLD[self.fault].format(f"{self.when} commit {self.at}", f"commit {self.at}")
        return f"{text}, killed again before commit {self.again} of the resume" if self.again else text


_TOLD = {
    "kill": "SIGKILL {0}",
    "term": "SIGTERM {0}",
    "torn": "SIGKILL half way through {1}",
    "enospc": "no space on the disk from {0} on",
    "second-writer": "started a second time {0}",
    "clock-back": "SIGKILL {0}, resumed with the clock a year back",
    "clock-forward": "SIGKILL {0}, resumed with the clock 30 years ahead",
}


def faults_of(words: Sequence[str]) -> list[str]:
    """Return the faults that *words* ask for, each once, ``clock`` as the two that it stands for.

    Raises:
        InvalidArgument: One is none of `FAULTS`.
    """
    found: list[str] = []
    for word in words:
        if word not in FAULTS and word not in CLOCKS:
            raise InvalidArgument(f"fault {word!r}: one or more of {', '.join(FAULTS)} are needed.")
        found += list(CLOCKS) if word == "clock" else [word]
    return list(dict.fromkeys(found))


def every_commit(commits: int, faults: Sequence[str]) -> Iterator[Experiment]:
    """Yield each fault before and after each of so many *commits*; half a write has no before and after."""
    for at in range(1, commits + 1):
        for fault in faults:
            for when in WHENS[:1] if fault == "torn" else WHENS:
                yield Experiment(fault, at, when)


def at_random(count: int, seed: int, commits: int, seconds: float, faults: Sequence[str]) -> Iterator[Experiment]:
    """Yield *count* experiments drawn with *seed*: at commits, and kills at any moment of a run of so many *seconds*.

    The same seed draws the same commits, and the same moments as shares of a run's length.
    """
    draw = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    for _ in range(count):
        fault, at, when = draw.choice(faults), draw.randint(1, commits), draw.choice(WHENS)
        share, by_time = draw.random(), draw.random() < 0.5
        again = draw.randint(1, max(1, commits - at)) if draw.random() < _SHARE_AGAIN else 0
        if fault == "kill" and by_time:
            yield Experiment(seconds=round(share * seconds, 3), again=again)
        else:
            yield Experiment(fault, at, "before" if fault == "torn" else when, again=again)
