"""The laws of the plans that are made of recommendations."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.booksynth.tests.support import record, tracker
from booksynth import plans
from booksynth.consolidate import consolidate
from booksynth.plans import DATA, PLAN, SOURCES, Planner
from booksynth.settings import Phase3Settings
from booksynth.trackers import SUFFIX, parse


def consolidated(*books: list[dict[str, Any]], **settings: Any) -> dict[str, Any]:
    shards = {}
    for number, records in enumerate(books):
        name = f"b{number}{SUFFIX}"
        shard, problems = parse(name, json.dumps(tracker(f"Book {number}", {"important": records})).encode())
        assert shard is not None
        assert problems == []
        shards[name] = shard
    return consolidate(shards, [], Phase3Settings(**settings)).document


def planned(document: dict[str, Any], place: int = 0) -> dict[str, str]:
    return Planner(document, 60).plan(document["recommendations"][place]["id"])


@given(st.text(), st.integers(8, 120))
def test_a_slug_is_safe(title: str, max_chars: int) -> None:
    """A slug has a-z, 0-9 and hyphens between words, within the limit, whatever the title."""
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", plans.slug(title, max_chars))
    assert len(plans.slug(title, max_chars)) <= max_chars


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Measure before you optimise.", "measure-before-you-optimise"),
        ("Über ﬁles & C++", "uber-files-c"),
        ("../../etc/passwd", "etc-passwd"),
        ("日本", "untitled"),
        ("aaaa bbbb cccc", "aaaa-bbbb"),
        ("abcdefghijklmnop", "abcdefghijkl"),
    ],
)
def test_slugs(title: str, expected: str) -> None:
    """A slug is made of the letters of a title and cut between words."""
    assert plans.slug(title, 12 if len(expected) <= 12 else 60) == expected


def test_a_plan_says_what_the_merged_record_says() -> None:
    """A plan has title, reason, steps as boxes, effort, priority and books of its recommendation."""
    text = planned(consolidated([record("Cache *it*")]))[PLAN]
    assert text.startswith("# Cache \\*it\\*\n")
    assert "Priority: important (1 important). Said by 1 book, confidence 0.5. Effort: 8 hours." in text
    assert "## What and why\n\nWhy and how: Cache \\*it\\*." in text
    assert "## Steps\n\n- [ ] Look\n- [ ] Do it\n" in text
    assert "## Said by\n\n- Book 0\n" in text


def test_what_no_book_says_is_an_open_point() -> None:
    """Steps and effort that no book gives are said to be missing, and none are made up."""
    bare = {"title": "Bare", "description": "D"}
    files = planned(consolidated([bare]))
    assert "No book gives steps." in files[PLAN]
    assert "Effort: not given." in files[PLAN]
    assert [point["code"] for point in json.loads(files[DATA])["open_points"]] == ["steps", "effort"]
    assert json.loads(files[DATA])["steps"] == []


def test_prerequisites_are_linked_where_there_is_a_plan() -> None:
    """A dependency that names a recommendation links its plan, and any other says why it does not."""
    records = [record("First", dependencies=["second!", "Nowhere", "First"]), record("Second")]
    document = consolidated(records)
    first = next(place for place, one in enumerate(document["recommendations"]) if one["title"] == "First")
    second = next(one for one in document["recommendations"] if one["title"] == "Second")
    files = planned(document, first)
    folder = Planner(document, 60).folder(second["id"])
    assert f"- [Second](../{folder}/PLAN.md)\n" in files[PLAN]
    assert "- Nowhere (no recommendation of the shelf has this name)" in files[PLAN]
    assert "[First]" not in files[PLAN]
    needed = {one["text"]: one["plan"] for one in json.loads(files[DATA])["prerequisites"]}
    assert needed == {"second!": folder, "Nowhere": None}


def test_a_prerequisite_below_the_confidence_has_no_plan() -> None:
    """A dependency on a recommendation that has no plan is told, not linked."""
    both = record("Both", dependencies=["Weak"])
    document = consolidated([both, record("Weak")], [both], min_confidence=0.7)
    assert [one["title"] for one in document["recommendations"]] == ["Both"]
    assert "- Weak (below the asked confidence, so it has no plan)" in planned(document)[PLAN]


def test_sources_hold_every_word() -> None:
    """The sources hold each merged record with all its fields as they were, and each place of it."""
    records = [record("Same", odd="a ``` fence\nand `marks`"), record("SAME!", description="Other")]
    document = consolidated(records[:1], records[1:])
    text = planned(document)[SOURCES]
    fenced = re.findall(r"^(`{3,})json\n(.*?)\n\1$", text, re.MULTILINE | re.DOTALL)
    assert sorted((json.loads(body) for _, body in fenced), key=str) == sorted(records, key=str)
    for source in document["recommendations"][0]["sources"]:
        assert f"`{source['file']}` | `{source['where']}` | 1 | `important`" in text


def test_titles_cannot_break_the_page() -> None:
    """Markdown, HTML, newlines and control signs in titles and steps are shown, not obeyed."""
    nasty = "# <b>x</b> | [y](z)\n\n# `code`\x1b[31m"
    document = consolidated([record(nasty, implementation_steps=[nasty, "- [x] done"], dependencies=[nasty + "!"])])
    text = planned(document)[PLAN] + Planner(document, 60).index()
    assert "<b>" not in text
    assert "\x1b" not in text
    assert [line for line in text.splitlines() if line.startswith("# ")][1:] == ["# Plans"]
    assert "- [ ] \\- \\[x\\] done" in text


def test_index_is_ranked_and_links_every_plan() -> None:
    """The index has a row for each recommendation, in the order of the document, with a link to its plan."""
    document = consolidated([record("One"), record("Two")], [record("Two")])
    planner = Planner(document, 60)
    rows = [line for line in planner.index().splitlines() if line.startswith("| ") and "PLAN.md" in line]
    assert [row.split("]")[0].split("[")[1] for row in rows] == ["Two", "One"]
    assert all(planner.folder(one["id"]) in row for one, row in zip(document["recommendations"], rows, strict=True))
    assert "no recommendation" in Planner(consolidated([]), 60).index()


def test_a_version_changes_with_what_the_plan_shows() -> None:
    """The version of a plan follows its recommendation and the names of its prerequisites, and nothing else."""
    needs = record("Needs", dependencies=["Other"])
    before = consolidated([needs, record("Other")])
    after = consolidated([needs, record("Other")], [record("Unrelated")])
    ids = {one["title"]: one["id"] for one in after["recommendations"]}
    assert plans.versions(before)[ids["Needs"]] == plans.versions(after)[ids["Needs"]]
    without = consolidated([needs])
    assert plans.versions(before)[ids["Needs"]] != plans.versions(without)[ids["Needs"]]
    changed = consolidated([needs, record("Other")], [needs])
    assert plans.versions(before)[ids["Needs"]] != plans.versions(changed)[ids["Needs"]]


def test_quoted_advice_is_labelled() -> None:
    """A plan that is all quotes says so, and one with other sources does not."""
    quote = {"title": "Never guess it", "description": "“Never guess it”", "kind": "quote"}
    label = "All of it is quoted from the books, word for word."
    assert label in planned(consolidated([quote]))[PLAN]
    assert label not in planned(consolidated([quote], [record("never guess it")]))[PLAN]
