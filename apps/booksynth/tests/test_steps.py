"""The laws of voted steps."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from booksynth import terms, texts
from booksynth.acceptance import STEP_NUMBER
from booksynth.steps import MOST, plain, voted


def test_own_steps_come_first_and_are_voted_for() -> None:
    """The steps of the chosen record keep their order; a book that says one in other words is a vote for it."""
    own = ["Step 1: Measure the latency", "2. Add an index"]
    others = [
        ("a", own),
        ("b", ["Step 9: Measuring latencies", "Document the change", "measure the latency!"]),
        ("c", ["Document changes", "Warn the users"]),
    ]
    first, further = voted(own, others)
    assert first == [
        {"text": "Measure the latency", "votes": 2},
        {"text": "Add an index", "votes": 1},
        {"text": "Document the change", "votes": 2},
        {"text": "Warn the users", "votes": 1},
    ]
    assert further == []


def test_more_than_are_shown() -> None:
    """Of more steps than are shown the rest is kept apart, those with more votes in front."""
    own = [f"alpha{n}" for n in range(8)]
    new = [f"beta{n}" for n in range(5)]
    first, further = voted(own, [("a", own), ("a", new), ("b", ["beta4", " "])])
    assert len(first) == MOST
    assert [one["text"] for one in first[8:]] == ["beta4", "beta0"]
    assert [one["text"] for one in further] == ["beta1", "beta2", "beta3"]


BEFORE, APPLY, AFTER = "Run the tests before the change", "Apply the change", "Run the tests after the change"
STEPS = st.lists(
    st.one_of(
        st.sampled_from([BEFORE, APPLY, AFTER, "1. Run tests", "run the TESTS", " ", "..."]), st.text(max_size=8)
    ),
    max_size=6,
)


@given(own=STEPS, records=st.lists(st.tuples(st.sampled_from("abc"), STEPS), max_size=4))
@example(own=[BEFORE, APPLY, AFTER], records=[])
@example(own=[], records=[("a", [BEFORE, AFTER])])
@example(own=[], records=[("a", ["Run tests"]), ("b", [BEFORE, AFTER])])
def test_no_step_is_lost(own: list[str], records: list[tuple[str, list[str]]]) -> None:
    """A step that is in neither list has the key of a listed one, or is like a listed one of another record."""
    everyone = [own, *(said for _, said in records)]
    first, further = voted(own, [("own", own), *records])
    listed = [one["text"] for one in [*first, *further]]
    keys = [texts.key(text) for text in listed]
    assert len(set(keys)) == len(keys)
    shown = [[plain(text) for text in said if plain(text)] for said in everyone]
    assert (
        keys[: len(first)][: len({*map(texts.key, shown[0])})] == list(dict.fromkeys(map(texts.key, shown[0])))[:MOST]
    )
    for number, said in enumerate(shown):
        elsewhere = {text for other, some in enumerate(shown) if other != number for text in some} & {*listed}
        for text in said:
            assert texts.key(text) in keys or any(_alike(text, other) for other in elsewhere)


def _alike(one: str, other: str) -> bool:
    stems, others = set(terms.stems(one)), set(terms.stems(other))
    return 2 * len(stems & others) >= len(stems | others)


def test_steps_of_one_record_stay() -> None:
    """Steps of one record that share most of their words all stand, and each is voted for by what is nearest to it."""
    own = [BEFORE, APPLY, AFTER]
    first, _ = voted(own, [("a", own), ("b", [AFTER]), ("c", ["Run tests, all of them, after changes"])])
    assert [(one["text"], one["votes"]) for one in first] == [(BEFORE, 1), (APPLY, 1), (AFTER, 3)]
    first, _ = voted([APPLY], [("a", [APPLY]), ("b", [BEFORE, AFTER])])
    assert [one["text"] for one in first] == [APPLY, BEFORE, AFTER]


@pytest.mark.parametrize(
    "text",
    ["0.5% of requests are sampled", "3.12 or newer of Python", "Step 2.5 of the guide applies", "Step 1-3 first"],
)
def test_numbers_that_are_no_place(text: str) -> None:
    """A number that says something stays, with its decimals."""
    assert plain(text) == text
    assert STEP_NUMBER.sub("", text) == text


def test_numbers_before_steps() -> None:
    """A number before a step goes, a number within it stays."""
    assert plain("Step 3:  Do it") == "Do it"
    assert plain("3) Do it") == "Do it"
    assert plain("3 nodes are enough") == "3 nodes are enough"
    assert plain("Step 3:") == "Step 3:"
    assert plain("Step 3:Do it") == plain("step 3. Do it") == plain("Step 3 - Do it") == plain("3. Do it") == "Do it"
