"""Which experiments a drill makes."""

from __future__ import annotations

import pytest

from milepost.drill import CLOCKS, FAULTS, Experiment, faults_of
from milepost.drill.experiments import at_random, every_commit
from milepost.errors import InvalidArgument


def test_every_commit_meets_every_fault_before_and_after() -> None:
    """Each fault is tried before and after each commit, and half a write once."""
    made = list(every_commit(3, faults_of(FAULTS)))
    assert len(made) == len(set(made)) == 3 * (6 * 2 + 1)
    assert {one.at for one in made} == {1, 2, 3}
    assert [one for one in made if one.fault == "torn" and one.when == "after"] == []


def test_the_same_seed_draws_the_same_experiments() -> None:
    """A seed decides every experiment, however many there are, and another seed draws others."""
    draws = [list(at_random(40, seed, 9, 2.0, ["kill", "term"])) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
    assert {one.seconds is None for one in draws[0]} == {True, False}
    assert any(one.again for one in draws[0])
    assert all(1 <= one.at <= 9 for one in draws[0] if one.seconds is None)
    assert all(0 <= one.seconds <= 2.0 for one in draws[0] if one.seconds is not None)


def test_the_clock_is_two_faults() -> None:
    """The fault ``clock`` stands for one that goes back and one that goes forward, each told once."""
    assert faults_of(["clock", "kill", "kill"]) == [*CLOCKS, "kill"]
    assert {Experiment(one).strike for one in CLOCKS} == {"kill"}
    assert Experiment("clock-back").clock_seconds < 0 < Experiment("clock-forward").clock_seconds
    with pytest.raises(InvalidArgument, match="flood"):
        faults_of(["flood"])


@pytest.mark.parametrize(
    ("experiment", "words", "told"),
    [
        (Experiment("torn", 4), "--at 4 --when before --fault torn", "half way through commit 4"),
        (Experiment("kill", 2, "after", again=3), "--at 2 --when after --fault kill --again 3", "commit 3 of the"),
        (Experiment(seconds=0.25), "--at-seconds 0.250", "after 0.250 s"),
        (Experiment("clock-back", 1), "--at 1 --when before --fault clock-back", "a year back"),
    ],
)
def test_an_experiment_tells_how_to_make_it_again(experiment: Experiment, words: str, told: str) -> None:
    """An experiment has words for a person, and options that make it alone."""
    assert " ".join(experiment.words()) == words
    assert told in str(experiment)
