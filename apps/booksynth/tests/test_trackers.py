"""The laws of reading one tracker."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.booksynth.tests.support import record, tracker
from booksynth.shards import Problem, Shard
from booksynth.trackers import SUFFIX, parse

FILE = f"some_book{SUFFIX}"


def read(content: Any) -> tuple[Shard | None, list[Problem]]:
    if isinstance(content, dict):
        content = json.dumps(content)
    return parse(FILE, content if isinstance(content, bytes) else content.encode())


def shard_of(content: Any) -> Shard:
    shard, _ = read(content)
    assert shard is not None
    return shard


def titles(shard: Shard | None) -> list[str]:
    assert shard is not None
    return sorted(one.fields["title"] for one in shard.recommendations)


def spoilt(bad: Any, *, raw: bool = False) -> str:
    """Return a tracker text whose second record is *bad* (JSON text with *raw*)."""
    document = tracker("Book", {"important": [record("Good"), "BAD", record("Fine")]})
    return json.dumps(document).replace('"BAD"', bad if raw else json.dumps(bad))


def test_whole_record_is_kept() -> None:
    """Every field of a recommendation is kept, unknown ones too."""
    given_record = record("A", _consensus={"sources": ["x", "x"]}, validation={"deep": [1, 2.5]})
    shard = shard_of(tracker("Book", {"critical": [given_record]}))
    assert shard.recommendations[0].fields == given_record
    assert (shard.title, shard.key, shard.raw) == ("Book", "book", 1)


def test_replayed_iterations_collapse() -> None:
    """An exact duplicate is one recommendation, with the list of its iterations."""
    buckets = {"critical": [record("A")], "important": [record("B"), record("B")]}
    shard = shard_of(tracker("Book", buckets, {"critical": [record("B")]}, buckets))
    assert shard.raw == 7
    by_title = {one.fields["title"]: one for one in shard.recommendations}
    assert [seen.iterations for seen in by_title["A"].sightings] == [[1, 3]]
    seen = {one.bucket: one.iterations for one in by_title["B"].sightings}
    assert seen == {"critical": [2], "important": [1, 3]}
    assert by_title["A"].sightings[0].where == "$.iterations[0].recommendations.critical[0]"


def test_unknown_bucket_is_kept() -> None:
    """A bucket of another name is kept like the known ones."""
    shard = shard_of(tracker("Book", {"someday": [record("A")]}))
    assert shard.recommendations[0].sightings[0].bucket == "someday"


@pytest.mark.parametrize(
    ("bad", "code", "where"),
    [
        (None, "wrong-type", "[1]"),
        ("text", "wrong-type", "[1]"),
        (["list"], "wrong-type", "[1]"),
        (7, "wrong-type", "[1]"),
        ({"description": "no title"}, "missing-field", "[1].title"),
        (record(title=""), "missing-field", "[1].title"),
        (record(title=" \u00a0 "), "missing-field", "[1].title"),
        (record(title=None), "missing-field", "[1].title"),
        (record(title=5), "wrong-type", "[1].title"),
        (record(title=["A"]), "wrong-type", "[1].title"),
        (record(description=True), "wrong-type", "[1].description"),
        (record(technical_details={}), "wrong-type", "[1].technical_details"),
        (record(time_estimate=3), "wrong-type", "[1].time_estimate"),
        (record(source_chapter=[1]), "wrong-type", "[1].source_chapter"),
        (record(implementation_steps="one"), "wrong-type", "[1].implementation_steps"),
        (record(implementation_steps=["a", 2]), "wrong-type", "[1].implementation_steps[1]"),
        (record(dependencies={"a": 1}), "wrong-type", "[1].dependencies"),
        (record(x=json.loads("[" * 40 + "]" * 40)), "too-deep", "[1].x[0]"),
        (record(x="\ud800"), "bad-text", "[1].x"),
    ],
)
def test_bad_record_is_left_out(bad: Any, code: str, where: str) -> None:
    """A bad record is left out and reported with its path and reason; its neighbours stay."""
    shard, problems = read(spoilt(bad))
    assert titles(shard) == ["Fine", "Good"]
    assert [problem.code for problem in problems] == [code]
    assert problems[0].where.startswith(f"$.iterations[0].recommendations.important{where}")
    assert problems[0].file == FILE
    assert "left out" in problems[0].reason


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ('{"title": "A", "title": "B"}', "repeated-key"),
        ('{"title": "A", "x": {"y": 1, "y": 1}}', "repeated-key"),
        ('{"title": "A", "\\u00e9": 1, "e\\u0301": 2}', "repeated-key"),
        ('{"title": "A", "x": NaN}', "bad-number"),
        ('{"title": "A", "x": [-Infinity]}', "bad-number"),
        ('{"title": "A", "x": 1e999}', "bad-number"),
        ('{"title": "A", "x": ' + "9" * 5000 + "}", "bad-number"),
    ],
)
def test_what_json_should_not_hold(bad: str, code: str) -> None:
    """NaN, infinities, endless numbers and repeated keys spoil their record and no other."""
    shard, problems = read(spoilt(bad, raw=True))
    assert titles(shard) == ["Fine", "Good"]
    assert [problem.code for problem in problems] == [code]


def test_bad_record_in_every_replay_is_one_problem() -> None:
    """A bad record that every iteration replays is reported once."""
    buckets = {"important": [record("Good"), {"description": "no title"}]}
    _, problems = read(tracker("Book", *[buckets] * 15))
    assert len(problems) == 1


def test_missing_description_is_used_and_reported() -> None:
    """A recommendation without a description is used, and reported."""
    bare = {"title": "A"}
    shard, problems = read(tracker("Book", {"important": [bare]}))
    assert titles(shard) == ["A"]
    assert [(one.code, one.where.split(".")[-1]) for one in problems] == [("missing-field", "description")]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty-file"),
        (b" \n", "empty-file"),
        (b"{", "truncated"),
        (json.dumps(tracker("B", {"critical": [record()]})).encode()[:-30], "truncated"),
        (json.dumps(tracker("B", {"critical": [record()]})).encode()[:200], "truncated"),
        (b'{"a": 1} trailing', "not-json"),
        (b"{'a': 1}", "not-json"),
        (b"\xff\xfe{\x00}\x00", "not-utf8"),
        (b'{"book_title": "caf\xe9"}', "not-utf8"),
        (b"[" * 100_000, "too-deep"),
        (b"[]", "wrong-type"),
        (b"null", "wrong-type"),
        (b"NaN", "wrong-type"),
        (b'"text"', "wrong-type"),
        (b'{"book_title": "B"}', "missing-field"),
        (b'{"book_title": "B", "iterations": {}}', "wrong-type"),
        (b'{"book_title": "B", "iterations": null}', "wrong-type"),
        (b'{"book_title": "B", "iterations": [], "iterations": []}', "repeated-key"),
        (b'{"book_title": "\\ud800", "iterations": []}', "bad-text"),
    ],
)
def test_unusable_file(content: bytes, code: str) -> None:
    """A file of which nothing is usable gives no shard, and one problem that says why."""
    shard, problems = read(content)
    assert shard is None
    assert [(one.file, one.code) for one in problems] == [(FILE, code)]
    assert problems[0].reason


@pytest.mark.parametrize("iterations", [[], [{}], [{}] * 15, [{"critical": [], "important": []}]])
def test_stub(iterations: list[dict[str, list[Any]]]) -> None:
    """A tracker without a single recommendation is a stub."""
    shard = shard_of(tracker("Book", *iterations))
    assert shard.is_stub
    assert shard.recommendations == []


@pytest.mark.parametrize(
    ("iteration", "code", "where"),
    [
        (None, "wrong-type", "$.iterations[1]"),
        ([], "wrong-type", "$.iterations[1]"),
        ({"iteration": 2}, "missing-field", "$.iterations[1].recommendations"),
        ({"iteration": 2, "recommendations": []}, "wrong-type", "$.iterations[1].recommendations"),
        (
            {"iteration": 2, "recommendations": {"critical": {}}},
            "wrong-type",
            "$.iterations[1].recommendations.critical",
        ),
        ({"recommendations": {}}, "missing-field", "$.iterations[1].iteration"),
        ({"iteration": "2", "recommendations": {}}, "missing-field", "$.iterations[1].iteration"),
        ({"iteration": True, "recommendations": {}}, "missing-field", "$.iterations[1].iteration"),
    ],
)
def test_bad_iteration(iteration: Any, code: str, where: str) -> None:
    """A bad iteration is reported and costs no other iteration."""
    document = tracker("Book", {"critical": [record("A")]}, {}, {"critical": [record("B")]})
    document["iterations"][1] = iteration
    shard, problems = read(document)
    assert titles(shard) == ["A", "B"]
    assert [(one.code, one.where) for one in problems] == [(code, where)]
    assert shard is not None
    assert not shard.is_stub


def test_losses_are_no_stub() -> None:
    """A file whose every record is bad is not called a stub."""
    shard, problems = read(tracker("Book", {"critical": [None]}))
    assert shard is not None
    assert not shard.is_stub
    assert len(problems) == 1


@pytest.mark.parametrize("title", [None, "", "  ", 5, ["x"]])
def test_book_without_a_title(title: Any) -> None:
    """A book without a usable title is called after its file, and reported."""
    shard, problems = read({**tracker("x", {"critical": [record()]}), "book_title": title})
    assert shard is not None
    assert shard.title == "some book"
    assert [(one.code, one.where) for one in problems] == [("missing-field", "$.book_title")]


def test_byte_order_mark() -> None:
    """A byte order mark does no harm."""
    text = json.dumps(tracker("Book", {"critical": [record("A")]}))
    assert titles(read(b"\xef\xbb\xbf" + text.encode())[0]) == ["A"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["title", "iterations", "recommendations", "book_title", "critical", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=30,
)


@given(JSON | st.binary(max_size=100))
def test_any_content_is_read_or_reported(content: Any) -> None:
    """Whatever a file holds: it gives a shard or a problem, and never an exception."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    shard, problems = parse(FILE, data)
    assert shard is not None or problems


@given(JSON, st.integers(0, 3))
def test_nothing_vanishes_silently(bad: Any, place: int) -> None:
    """Whatever stands among good records, they all stay, and it is used or reported."""
    records: list[Any] = [record("A"), record("B"), record("C")]
    records.insert(place, bad)
    shard, problems = read(tracker("Book", {"critical": records}))
    assert shard is not None
    assert {"A", "B", "C"} <= set(titles(shard))
    assert len(shard.recommendations) == 4 or problems
