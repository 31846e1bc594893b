"""The laws of voted steps."""

from __future__ import annotations

from booksynth.steps import MOST, plain, voted


def test_own_steps_come_first_and_are_voted_for() -> None:
    """The steps of the chosen record keep their order; a book that says one in other words is a vote for it."""
    own = ["Step 1: Measure the latency", "2. Add an index"]
    others = [
        ("a", own[0]),
        ("a", own[1]),
        ("b", "Step 9: Measuring latencies"),
        ("b", "Document the change"),
        ("b", "measure the latency!"),
        ("c", "Document changes"),
        ("c", "Warn the users"),
    ]
    first, further = voted(own, others)
    assert first == [
        {"text": "Measure the latency", "votes": 2},
        {"text": "Add an index", "votes": 1},
        {"text": "Document the change", "votes": 2},
        {"text": "Warn the users", "votes": 1},
    ]
    assert further == []


def test_no_step_is_lost() -> None:
    """Of more steps than are shown the rest is kept apart, those with more votes in front."""
    own = [f"alpha{n}" for n in range(8)]
    new = [("a", f"beta{n}") for n in range(5)] + [("b", "beta4"), (("b"), " ")]
    first, further = voted(own, [*(("a", text) for text in own), *new])
    assert len(first) == MOST
    assert [one["text"] for one in first[8:]] == ["beta4", "beta0"]
    assert [one["text"] for one in further] == ["beta1", "beta2", "beta3"]


def test_numbers_before_steps() -> None:
    """A number before a step goes, a number within it stays."""
    assert plain("Step 3:  Do it") == "Do it"
    assert plain("3) Do it") == "Do it"
    assert plain("3 nodes are enough") == "3 nodes are enough"
    assert plain("Step 3:") == "Step 3:"
