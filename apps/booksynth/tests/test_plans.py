"""The laws of the plans that are made of recommendations, and of what stands on top of them."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.booksynth.tests.support import record, tracker
from booksynth import catalogue, plans
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


def planner(document: dict[str, Any]) -> Planner:
    return Planner(document, 60, 0.5)


def planned(document: dict[str, Any], place: int = 0) -> dict[str, str]:
    return planner(document).plan(document["recommendations"][place]["id"])


def changed(document: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return *document* with other values in its first recommendation."""
    first, *rest = document["recommendations"]
    return {**document, "recommendations": [{**first, **fields}, *rest]}


def points(document: dict[str, Any]) -> dict[str, str]:
    return {one["code"]: one["text"] for one in json.loads(planned(document)[DATA])["open_points"]}


EFFORT = {"median_hours": 8.0, "low_hours": 8.0, "high_hours": 8.0, "stated": 1, "unknown": []}


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
    text = planned(changed(consolidated([record("Cache *it*")]), effort=EFFORT))[PLAN]
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
    assert [point["code"] for point in json.loads(files[DATA])["open_points"]] == [
        "steps",
        "effort",
        "acceptance",
    ]
    assert "## Done when\n\nNo book says how to tell that it is done.\n" in files[PLAN]
    assert json.loads(files[DATA])["steps"] == []


def test_prerequisites_are_linked_where_there_is_a_plan() -> None:
    """A dependency that names a recommendation links its plan, and any other says why it does not."""
    records = [record("First", dependencies=["second!", "Nowhere", "First"]), record("Second")]
    document = consolidated(records)
    first = next(place for place, one in enumerate(document["recommendations"]) if one["title"] == "First")
    second = next(one for one in document["recommendations"] if one["title"] == "Second")
    files = planned(document, first)
    folder = planner(document).folder(second["id"])
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
    document = consolidated(
        [record(nasty, implementation_steps=[nasty, "- [x] done"], dependencies=["<b>Buy</b> [disks](z)\n# first"])]
    )
    text = planned(document)[PLAN] + catalogue.index(planner(document))
    assert planned(document)[PLAN].count("\n## ") == 7
    assert "<b>" not in text
    assert "\x1b" not in text
    assert [line for line in text.splitlines() if line.startswith("# ")][1:] == ["# Plans"]
    assert "- [ ] \\- \\[x\\] done" in text


def test_index_is_ranked_and_links_every_plan() -> None:
    """The index has a row for each recommendation, in the order of the document, with a link to its plan."""
    document = consolidated([record("One"), record("Two")], [record("Two")])
    made = planner(document)
    rows = [line for line in catalogue.index(made).splitlines() if line.startswith("| ") and "PLAN.md" in line]
    assert [row.split("]")[0].split("[")[1] for row in rows] == ["Two", "One"]
    assert all(made.folder(one["id"]) in row for one, row in zip(document["recommendations"], rows, strict=True))
    assert "no recommendation" in catalogue.index(planner(consolidated([])))


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


def test_steps_have_their_votes() -> None:
    """Steps have how many books say them, those beyond the first ones stand apart, and numbers in front are dropped."""
    document = changed(
        consolidated([record()], [record(description="Other")]),
        implementation_steps=[{"text": "Step 1: Look", "votes": 2}, {"text": "Do it", "votes": 1}],
        further_steps=[{"text": "Tell everybody", "votes": 1}],
    )
    files = planned(document)
    assert "## Steps\n\n- [ ] Look (2 books)\n- [ ] Do it (1 book)\n" in files[PLAN]
    assert "## Further steps\n\n- [ ] Tell everybody (1 book)\n" in files[PLAN]
    assert json.loads(files[DATA])["steps"][0] == {"text": "Look", "votes": 2}
    assert json.loads(files[DATA])["further_steps"] == [{"text": "Tell everybody", "votes": 1}]


def test_open_conflicts() -> None:
    """Split votes, estimates that differ or cannot be read, and members that are not alike are open points."""
    document = consolidated([record(time_estimate="2 hours")], [record(description="Other", time_estimate="Ongoing")])
    effort = {**EFFORT, "low_hours": 2.0, "high_hours": 40.0, "unknown": ["Ongoing"]}
    split = changed(document, effort=effort, cohesion=0.41, priority_votes={"critical": 1, "important": 1})
    found = points(split)
    assert found["priority"] == "The books differ on the priority: 1 critical, 1 important."
    assert found["effort"] == "The estimates differ: 2 hours, Ongoing."
    assert found["effort-unknown"] == "Not a number of hours: Ongoing."
    assert "not much alike (cohesion 0.41)" in found["wordings"]
    assert "Effort: 8 hours (2 hours to 40 hours), “Ongoing”." in planned(split)[PLAN]
    assert "see whether they mean the same" in points(changed(document, effort=EFFORT, cohesion=0.9))["wordings"]
    alone = changed(consolidated([record()]), effort=EFFORT, cohesion=1.0)
    assert points(alone) == {}


def test_a_theme_and_a_model_are_named() -> None:
    """A plan names its theme and the model that wrote its words; another title of the theme is another version."""
    document = consolidated([record()])
    theme = {"id": "theme-1", "title": "Fast *reads*"}
    by = {"by": "model", "model": "m-1", "reason": None}
    named = {**changed(document, theme="theme-1", synthesis=by), "themes": [theme]}
    text = planned(named)[PLAN]
    assert "Theme: Fast \\*reads\\*." in text
    assert "A language model (m-1) put these words together; those of the books are in SOURCES.md." in text
    renamed = {**named, "themes": [{**theme, "title": "Other"}]}
    assert plans.versions(named) != plans.versions(renamed)
    assert "language model" not in planned(document)[PLAN]


def test_a_cycle_is_told() -> None:
    """Recommendations that need each other say so in their plans, and the order shows the cycle and breaks it by rank."""
    records = [record("One", dependencies=["Two"]), record("Two", dependencies=["One"]), record("Three")]
    document = consolidated(records)
    for entry in document["recommendations"]:
        entry["dependencies"] = [{**one, "is_cyclic": True} for one in entry["dependencies"]]
    place = next(place for place, one in enumerate(document["recommendations"]) if one["title"] == "One")
    assert "(needs this in turn, see [ORDER.md](../ORDER.md))" in planned(document, place)[PLAN]
    assert "the books give no order" in planned(document, place)[PLAN]
    alone = consolidated([record("One", dependencies=["One"])])
    assert "cycle" not in points(alone)
    page = catalogue.files(planner(document))["ORDER.md"]
    assert page.count("(in a cycle)") == 2
    assert "## Cycles" in page
    assert "1 recommendation needs no other and is needed by none" in page


def test_tables_cannot_hold_formulas() -> None:
    """No cell of the index or of the issues begins like a formula, and every other title comes back as it was."""
    titles = ["=1+1", "@name does", ' -2 of, "them"', "＝SUM of all rows", "+3", "Plain"]
    files = catalogue.files(planner(consolidated([record(title) for title in titles])))
    for name in (catalogue.INDEX_TABLE, catalogue.ISSUES_TABLE):
        rows = list(csv.DictReader(io.StringIO(files[name].lstrip("\ufeff"), newline="")))
        got = {row["title"] for row in rows}
        assert {one.replace("' ", "'") for one in got} == {
            "'=1+1",
            "'@name does",
            '\'-2 of, "them"',
            "'＝SUM of all rows",
            "'+3",
            "Plain",
        }
        assert all(not cell or cell.strip()[:1] not in tuple("=+-@") for row in rows for cell in row.values())


def test_issues_stand_for_themselves() -> None:
    """An issue has title, body and labels, calls nobody, is no command, and has no link to a file."""
    nasty = record("Ask @team about #12", description="/close this", dependencies=["Other"])
    files = catalogue.files(planner(consolidated([nasty, record("Other")])))
    issues = {one["title"]: one for one in json.loads(files[catalogue.ISSUES])}
    body = issues["Ask @team about #12"]["body"]
    assert issues["Other"]["labels"] == ["booksynth", "priority-important"]
    assert not re.search(r"@\w|#\w|^/", body, re.MULTILINE)
    assert "- Other\n" in body
    assert "](" not in body
    rows = list(csv.reader(io.StringIO(files[catalogue.ISSUES_TABLE], newline="")))
    assert rows[0][:2] == ["title", "description"]
    assert {row[0]: row[1] for row in rows[1:]} == {title: one["body"] for title, one in issues.items()}


def test_long_issues_are_cut_between_lines() -> None:
    """A body or a title that trackers would refuse is cut, and says so."""
    steps = [{"text": f"Look at part {n}", "votes": 1} for n in range(3_000)]
    document = changed(consolidated([record("T " * 400)]), further_steps=steps)
    (issue,) = json.loads(catalogue.files(planner(document))[catalogue.ISSUES])
    assert len(issue["body"]) <= 30_000
    assert issue["body"].endswith("\n\n(Cut here; the plan has the rest.)\n")
    assert re.search(r"Look at part \d+\n\n\(Cut", issue["body"])
    assert len(issue["title"]) <= 250
