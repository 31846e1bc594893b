"""The laws of the summary."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.booksynth.tests.support import record, tracker
from booksynth import summary
from booksynth.consolidate import consolidate
from booksynth.settings import Phase3Settings
from booksynth.shards import Problem
from booksynth.trackers import parse


def summary_of(books: dict[str, dict[str, Any]], *problems: Problem, **settings: Any) -> str:
    shards = {}
    for file, document in books.items():
        shard, _ = parse(file, json.dumps(document).encode())
        assert shard is not None
        shards[file] = shard
    chosen = Phase3Settings(**settings)
    return summary.render(consolidate(shards, problems, chosen).document)


def shelf(*titles: str) -> dict[str, dict[str, Any]]:
    return {
        f"file_{title}": tracker(title, {"critical": [record("Shared")], "important": [record(title)]})
        for title in titles
    }


def test_says_what_the_shelf_agrees_on() -> None:
    """The summary names what several books agree on, the top of the list, the counts, the books."""
    text = summary_of(shelf("A", "B", "C"))
    assert "3 books gave 6 recommendations" in text
    assert "### Shared\n\n3 books; 3 critical; confidence 0.875" in text
    assert "| Shared | critical | 3 | 0.875 | 8 hours | A; B; 1 more |" in text
    assert "| important | 3 |" in text
    assert "| A | 2 | 2 | `file_A` |" in text


def test_unused_files_and_their_reasons() -> None:
    """Files that were not used are listed with the reason, other problems with their place."""
    text = summary_of(
        shelf("A"),
        Problem("broken", "", "truncated", "the file is cut off"),
        Problem("file_A", "$.x", "wrong-type", "must be text"),
    )
    assert "| `broken` | the file is cut off |" in text
    assert "| `file_A` | `$.x` | must be text |" in text


def test_low_confidence_is_mentioned() -> None:
    """What is below the asked confidence is mentioned with its number."""
    text = summary_of(shelf("A", "B"), min_confidence=0.75)
    assert "2 recommendations below the confidence of 0.75" in text


def test_nothing_to_say() -> None:
    """A shelf of stubs gives a summary that says so."""
    text = summary_of({"a": tracker("A", {})})
    assert "No book had anything to say" in text
    assert "| `a` | a stub" in text


def test_threshold_is_said() -> None:
    """A threshold below 1 is part of how to read the list."""
    assert "alike to at least 0.9 by their words" in summary_of(shelf("A"), similarity_threshold=0.9)


def test_long_lists_are_cut_with_a_word() -> None:
    """Lists that are cut say how much is left out."""
    records = [record(f"Title {n:03}") for n in range(40)]
    books = {name: tracker(name, {"critical": records}) for name in "AB"}
    problems = [Problem("A", f"$[{n}]", "x", "bad") for n in range(60)]
    text = summary_of(books, *problems)
    assert "And 15 more in" in text
    assert "And 10 more in" in text


@pytest.mark.parametrize(
    "text",
    ["a | b", "`code`", "*bold* _it_", "[link](x)", "<b>html</b>", "# head", "1. one", "- item", "a\nb"],
)
def test_markdown_is_escaped(text: str) -> None:
    """Text of a book can neither break a table nor become markup."""
    lines = summary_of({"a": tracker("A", {"critical": [record(text)]})}).splitlines()
    rows = [line for line in lines if line.startswith("|") and "critical" in line and "hours" in line]
    assert len(rows) == 1
    assert len(rows[0].replace("\\|", "").split("|")) == 8
    for sign in "`*_[<#":
        if sign in text:
            assert f"\\{sign}" in rows[0]


@given(st.text(max_size=30))
def test_any_text_is_one_line(text: str) -> None:
    """Whatever a text holds, it is one line of printable characters."""
    assert summary.escape(text).isprintable()


def test_file_names_cannot_break_a_table() -> None:
    """A file's name may hold any sign and still stands in its cell, as code."""
    text = summary_of(shelf("A"), Problem("a|b`c", "", "truncated", "cut off"))
    assert "| ``a\\|b`c`` | cut off |" in text
