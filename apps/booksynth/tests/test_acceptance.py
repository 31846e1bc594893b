"""The laws of what tells that a recommendation is done."""

from __future__ import annotations

from typing import Any

import pytest

from booksynth.acceptance import acceptance, hours


def entry(*wordings: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """Return what is looked at of a recommendation: book and fields of each wording."""
    return {
        "variants": [{"digest": f"{place}", "fields": fields} for place, (_, fields) in enumerate(wordings)],
        "sources": [{"variant": f"{place}", "book": book} for place, (book, _) in enumerate(wordings)],
    }


@pytest.mark.parametrize(
    "step",
    [
        "Step 3: Verify that the restore is complete",
        "Measure the latency again",
        "Then compare both runs.",
        "Write a script and make sure that it fails without the key",
        "Plot the error rate before and after",
    ],
)
def test_steps_that_look_at_the_result(step: str) -> None:
    """A step that checks what was done is an acceptance check, without its number and otherwise word for word."""
    (check,) = acceptance(entry(("A", {"implementation_steps": [step]})))
    assert check.kind == "step"
    assert step.endswith(check.text)
    assert not check.text.startswith("Step")


@pytest.mark.parametrize("step", ["Write the tests", "Install the checker", "Step 2: Add a monitor", "  "])
def test_other_steps_are_none(step: str) -> None:
    """A step that makes something is no acceptance check."""
    assert acceptance(entry(("A", {"implementation_steps": [step]}))) == []


def test_what_several_books_say_comes_first() -> None:
    """Equal checks count once with all their books, impacts before steps, and most books first."""
    found = acceptance(
        entry(
            ("A", {"expected_impact": "Less waiting", "implementation_steps": ["Test it", "Verify it."]}),
            ("B", {"expected_impact": "Fewer pages", "implementation_steps": ["Step 1: VERIFY it"]}),
            ("C", {"expected_impact": "fewer pages!"}),
        )
    )
    assert [(one.kind, one.text, one.books) for one in found] == [
        ("impact", "Fewer pages", ("B", "C")),
        ("impact", "Less waiting", ("A",)),
        ("step", "VERIFY it", ("A", "B")),
        ("step", "Test it", ("A",)),
    ]


def test_nothing_is_made_up() -> None:
    """Where no book gives an impact or a check, there is none; values of a wrong type are passed over."""
    assert acceptance(entry(("A", {"expected_impact": "  ", "implementation_steps": [3], "title": "Verify it"}))) == []


@pytest.mark.parametrize(
    ("number", "text"), [(1, "1 hour"), (2.5, "2.5 hours"), (8.0, "8 hours"), (52_000.0, "52,000 hours")]
)
def test_hours_in_words(number: float, text: str) -> None:
    """Hours are told without needless decimals."""
    assert hours(number) == text
