"""The laws of reading how long something takes."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from booksynth.effort import MOST_HOURS, effort, hours


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("40 hours", (40, 40)),
        ("1 hour", (1, 1)),
        ("1.5 hours", (1.5, 1.5)),
        ("1,200 hours", (1200, 1200)),
        ("30 minutes", (0.5, 0.5)),
        ("2 days", (16, 16)),
        ("1 day", (8, 8)),
        ("2-3 weeks", (80, 120)),
        ("2 \u2013 3 weeks", (80, 120)),
        ("2 to 3 weeks", (80, 120)),
        ("between 2 and 4 days", (16, 32)),
        ("4 hours to 2 days", (4, 16)),
        ("4h-6h", (4, 6)),
        ("Half a day", (4, 4)),
        ("A week", (40, 40)),
        ("three months", (480, 480)),
        ("a couple of hours", (2, 2)),
        ("One day and a half", (12, 12)),
        ("~2 weeks", (80, 80)),
        ("approx. 10 hrs.", (10, 10)),
        ("About 3 person-days", (24, 24)),
        ("2 working days", (16, 16)),
        ("1 quarter", (480, 480)),
        ("1 year", (1920, 1920)),
        ("up to 3 days", (24, 24)),
        ("2  WEEKS.", (80, 80)),
        ("Ongoing", None),
        ("", None),
        ("0 hours", None),
        ("3-2 days", None),
        ("a few days", None),
        ("several weeks", None),
        ("2 weeks initially, then ongoing", None),
        ("TBD", None),
        ("8", None),
        ("8 hours per week", None),
    ],
)
def test_forms(text: str, expected: tuple[float, float] | None) -> None:
    """What a book says is read to its least and most hours, and what is not understood in full is unknown."""
    found = hours(text)
    assert found == (None if expected is None else pytest.approx(expected))


PIECES = st.sampled_from(
    [
        "1",
        "999,999",
        ",999" * 120,
        "0.000001",
        "٣",
        "sıx",
        "six",
        "ſix",
        "half a",
        "-",
        "to",
        "up to",
        " ",
        "hours",
        "mın",
        "MİNUTES",
        "WEEKS",
        "years",
        "quarters",
        "and a half",
        "about",
        "person-",
        " of work",
    ]
)
TEXTS = st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=8).map("".join), st.lists(PIECES).map(" ".join))


@given(TEXTS)
@example("1 m\u0131nute")
@example("\u017fix days")
@example("999,999,999,999,999,999 hours")
@example("1" + ",999" * 120 + " hours")
def test_any_text_is_read_or_unknown(text: str) -> None:
    """No text is an error, none means zero hours, and none means more than anybody plans."""
    found = hours(text)
    assert found is None or 0 < found[0] <= found[1] <= MOST_HOURS
    said = effort({"a": [text, "8 hours"], "b": ["4 hours"]})
    assert said["high_hours"] <= MOST_HOURS
    assert (text in said["unknown"]) == (found is None and bool(text.strip()))


@pytest.mark.parametrize("text", ["100,001 hours", "8 hours to 99 years", "up to 60 years", "999,999 days and a half"])
def test_beyond_any_plan(text: str) -> None:
    """What is beyond the bound is listed as it was said, and has no part in median and range."""
    assert hours("100,000 hours") == (MOST_HOURS, MOST_HOURS)
    said = effort({"a": [text], "b": ["8 hours"]})
    assert (said["median_hours"], said["high_hours"], said["unknown"]) == (8, 8, [text])


def test_one_voice_for_each_book() -> None:
    """The median goes by books, however often one repeats itself; the range holds all; the rest is listed."""
    said = {"a": ["8 hours", "16 hours", "Ongoing"], "b": ["1-2 weeks"], "c": ["whenever", ""], "d": ["1 hour"]}
    assert effort(said) == {
        "median_hours": 12,
        "low_hours": 1,
        "high_hours": 80,
        "stated": 3,
        "unknown": ["Ongoing", "whenever"],
    }


def test_unknown_is_never_zero() -> None:
    """Where nothing can be read, hours are null."""
    nothing = {"median_hours": None, "low_hours": None, "high_hours": None, "stated": 0}
    assert effort({"a": ["Ongoing"], "b": []}) == {**nothing, "unknown": ["Ongoing"]}
