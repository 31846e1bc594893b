"""The laws of consolidation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from apps.booksynth.tests.support import record, tracker
from booksynth import results
from booksynth.consolidate import consolidate
from booksynth.request import PAGE
from booksynth.settings import Phase3Settings
from booksynth.shards import Problem, Shard
from booksynth.trackers import parse

DO_IT = {"text": "Do it", "votes": 1}


def shards_of(books: dict[str, dict[str, Any]]) -> tuple[dict[str, Shard], list[Problem]]:
    shards, problems = {}, []
    for file, document in books.items():
        shard, found = parse(file, json.dumps(document).encode())
        problems += found
        if shard is not None:
            shards[file] = shard
    return shards, problems


def document_of(books: dict[str, dict[str, Any]], **settings: Any) -> dict[str, Any]:
    shards, problems = shards_of(books)
    return consolidate(shards, problems, Phase3Settings(**settings)).document


def one_book(*records: Any, title: str = "Book") -> dict[str, Any]:
    return tracker(title, {"important": records})


def by_title(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["title"]: entry for entry in document["recommendations"]}


def codes(document: dict[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for problem in document["problems"]:
        found.setdefault(problem["file"], []).append(problem["code"])
    return found


def test_equal_titles_merge_across_books() -> None:
    """Recommendations whose titles are equal but for their spelling become one."""
    document = document_of(
        {
            "a": one_book(record("Use  Caching"), title="A"),
            "b": one_book(record("use caching!"), record("Other"), title="B"),
        }
    )
    assert sorted(by_title(document)) == ["Other", "Use  Caching"]
    merged = by_title(document)["Use  Caching"]
    assert merged["books"] == ["A", "B"]
    assert merged["book_count"] == 2
    assert merged["titles"] == ["Use  Caching", "use caching!"]
    assert len(merged["variants"]) == 2


def test_provenance_of_every_source() -> None:
    """Every merged source is listed: book, file, iterations, bucket, chapter, original title."""
    replayed = {"critical": [record("Use caching", source_chapter="Chapter 9")]}
    document = document_of(
        {
            "a": tracker("A", replayed, {}, replayed),
            "b": one_book(record("USE CACHING", source_chapter="Throughout"), title="B"),
        }
    )
    sources = document["recommendations"][0]["sources"]
    keys = ("book", "file", "iterations", "bucket", "chapter", "title", "where")
    where = "$.iterations[0].recommendations"
    assert [tuple(source[key] for key in keys) for source in sources] == [
        ("A", "a", [1, 3], "critical", "Chapter 9", "Use caching", f"{where}.critical[0]"),
        ("B", "b", [1], "important", "Throughout", "USE CACHING", f"{where}.important[0]"),
    ]
    digests = {variant["digest"] for variant in document["recommendations"][0]["variants"]}
    assert {source["variant"] for source in sources} == digests


def test_variants_hold_all_fields() -> None:
    """Each variant holds every field of its original, unknown ones too."""
    original = record("A", validation={"ok": True}, _consensus={"sources": ["x"]})
    document = document_of({"a": one_book(original)})
    assert [one["fields"] for one in document["recommendations"][0]["variants"]] == [original]


def test_title_is_the_most_frequent() -> None:
    """The title is the most frequent original one; a tie goes to the first in byte order."""
    spelt: Sequence[str] = ["use caching", "Use caching", "Use Caching", "Use Caching"]
    books = {str(n): one_book(record(title), title=f"B{n}") for n, title in enumerate(spelt)}
    assert document_of(books)["recommendations"][0]["title"] == "Use Caching"
    del books["3"]
    assert document_of(books)["recommendations"][0]["title"] == "Use Caching"


def test_title_does_not_shout() -> None:
    """Of equally frequent titles one in capitals comes last."""
    books = {"a": one_book(record("USE CACHING")), "b": one_book(record("Use caching"), title="B")}
    assert document_of(books)["recommendations"][0]["title"] == "Use caching"


def test_text_is_of_the_longest_description() -> None:
    """The text of a merged recommendation is that of its longest description."""
    long = record(description="much longer text", technical_details="L", implementation_steps=["l"])
    short = record(description="short")
    entry = document_of({"a": one_book(short), "b": one_book(long, title="B")})["recommendations"][0]
    assert entry["description"] == "much longer text"
    assert entry["technical_details"] == "L"
    assert entry["implementation_steps"] == [{"text": "l", "votes": 1}, {"text": "Look", "votes": 1}, DO_IT]


def test_one_vote_per_book() -> None:
    """A book has one vote on the priority, however often its iterations repeat themselves."""
    loud = [{"important": [record(description=f"{n}")]} for n in range(15)]
    document = document_of(
        {
            "a": tracker("A", *loud),
            "b": tracker("B", {"critical": [record()]}),
            "c": tracker("C", {"critical": [record()]}),
        }
    )
    entry = document["recommendations"][0]
    assert entry["priority"] == "critical"
    assert entry["priority_votes"] == {"critical": 2, "important": 1}


def test_tie_goes_to_the_more_severe() -> None:
    """A tie between priorities goes to the more severe, within a book as between books."""
    document = document_of(
        {
            "a": tracker("A", {"important": [record()]}, {"critical": [record()]}),
            "b": tracker("B", {"nice_to_have": [record()]}),
        }
    )
    entry = document["recommendations"][0]
    assert entry["priority"] == "critical"
    assert entry["priority_votes"] == {"critical": 1, "nice_to_have": 1}


def test_unknown_bucket_is_a_priority() -> None:
    """An unknown bucket is a priority of its own, behind the known ones, and spelling is no bucket."""
    document = document_of({"a": tracker("A", {"Someday": [record("X")], "Nice-to-have": [record("Y")]})})
    assert [(one["title"], one["priority"]) for one in document["recommendations"]] == [
        ("Y", "nice_to_have"),
        ("X", "Someday"),
    ]
    assert document["totals"]["by_priority"] == {"nice_to_have": 1, "Someday": 1}


def test_confidence_halves_the_doubt() -> None:
    """Confidence is 1 - 1/2^n for n distinct books."""
    books = {str(n): one_book(record(), title=f"B{n}") for n in range(4)}
    for count, expected in ((4, 0.9375), (3, 0.875), (2, 0.75), (1, 0.5)):
        some = dict(list(books.items())[:count])
        assert document_of(some)["recommendations"][0]["confidence"] == expected


def test_min_confidence_moves_and_drops_nothing() -> None:
    """What is below min_confidence goes to a list of its own."""
    books = {"a": one_book(record("Both"), record("Alone")), "b": one_book(record("Both"), title="B")}
    document = document_of(books, min_confidence=0.75)
    assert [one["title"] for one in document["recommendations"]] == ["Both"]
    assert [one["title"] for one in document["below_min_confidence"]] == ["Alone"]
    assert document["totals"]["below_min_confidence"] == 1


def test_similarity_threshold_links() -> None:
    """Below 1.0 recommendations that say the same in other words become one, and unlike ones never."""
    books = {
        "a": one_book(record("Use cross validation for models")),
        "b": one_book(record("Cross-validating a model"), record("Other"), title="B"),
    }
    assert len(document_of(books, similarity_threshold=1.0)["recommendations"]) == 3
    merged = by_title(document_of(books))
    assert len(merged) == 2
    assert {one["book_count"] for one in merged.values()} == {1, 2}


def test_dependencies_resolve_to_ids() -> None:
    """A dependency that names a recommendation carries its id; others are listed without."""
    document = document_of(
        {
            "a": one_book(record("First"), title="A"),
            "b": one_book(record("Second", dependencies=["FIRST.", "Nobody knows", " "]), title="B"),
        }
    )
    entries = by_title(document)
    assert entries["Second"]["dependencies"] == [
        {"text": "FIRST.", "id": entries["First"]["id"], "is_cyclic": False},
        {"text": "Nobody knows", "id": None, "is_cyclic": False},
    ]
    assert document["dependency_cycles"] == []


def test_dependency_by_the_stems_of_a_title() -> None:
    """A dependency in other forms of the words of one title means it; of two such titles it means neither."""
    needy = record("Second", dependencies=["Caching an index"])
    entries = by_title(document_of({"a": one_book(record("Cache the indexes"), needy)}))
    assert entries["Second"]["dependencies"][0]["id"] == entries["Cache the indexes"]["id"]
    two = [record("Cache the indexes", description="x"), record("Index caches", description="y")]
    entries = by_title(document_of({"a": one_book(*two, needy)}, similarity_threshold=1.0))
    assert entries["Second"]["dependencies"][0]["id"] is None


def test_dependency_cycles_are_listed() -> None:
    """What depends on itself by way of others is marked and listed; what only leads there is not."""
    document = document_of(
        {
            "a": one_book(
                record("Alpha", dependencies=["Beta"]),
                record("Beta", dependencies=["Gamma"]),
                record("Gamma", dependencies=["Alpha", "Delta"]),
                record("Delta"),
                record("Outside", dependencies=["Alpha"]),
                record("Itself", dependencies=["Itself"]),
            )
        }
    )
    entries = by_title(document)
    ids = {title: entry["id"] for title, entry in entries.items()}
    assert document["dependency_cycles"] == [sorted(ids[title] for title in ("Alpha", "Beta", "Gamma"))]
    cyclic = {title: [one["is_cyclic"] for one in entry["dependencies"]] for title, entry in entries.items()}
    assert cyclic == {
        "Alpha": [True],
        "Beta": [True],
        "Gamma": [True, False],
        "Delta": [],
        "Outside": [False],
        "Itself": [True],
    }


def test_merged_by_meaning() -> None:
    """A merged recommendation says how alike its members are, and what it is made of."""
    books = {
        "a": one_book(record("Use cross validation for models", time_estimate="2-3 days"), title="A"),
        "b": one_book(record("Cross-validating a model", time_estimate="Ongoing"), title="B"),
    }
    (entry,) = document_of(books)["recommendations"]
    assert 0.55 <= entry["cohesion"] < 1
    assert entry["members"] == [variant["digest"] for variant in entry["variants"]]
    assert entry["synthesis"] == {"by": "merge", "reason": None}
    assert entry["effort"] == {
        "median_hours": 20,
        "low_hours": 16,
        "high_hours": 24,
        "stated": 1,
        "unknown": ["Ongoing"],
    }
    assert entry["implementation_steps"] == [{"text": "Look", "votes": 2}, {"text": "Do it", "votes": 2}]
    assert document_of({"a": books["a"]})["recommendations"][0]["cohesion"] == 1


def test_themes_link_what_is_not_merged() -> None:
    """A theme holds recommendations of one matter, names its books, and each of them names it."""
    books = {
        "a": one_book(record("Rotate signing keys"), record("Paint the fence"), title="A"),
        "b": one_book(record("Rotate signing certificates"), title="B"),
    }
    document = document_of(books, similarity_threshold=0.9)
    (theme,) = document["themes"]
    entries = by_title(document)
    assert theme["books"] == ["A", "B"]
    assert theme["title"] in {"Rotate signing keys", "Rotate signing certificates"}
    assert sorted(theme["recommendations"]) == sorted(
        entry["id"] for title, entry in entries.items() if title != "Paint the fence"
    )
    assert [entries[title]["theme"] for title in ("Rotate signing keys", "Paint the fence")] == [theme["id"], None]
    few = document_of(books, similarity_threshold=0.9, min_confidence=0.75)
    assert (few["themes"], [entry["theme"] for entry in few["below_min_confidence"]]) == ([], [None] * 3)


def test_estimates_are_kept_as_given() -> None:
    """Time estimates are kept as texts, each once; nothing is made up for a missing one."""
    document = document_of(
        {
            "a": one_book(record(time_estimate="Ongoing"), title="A"),
            "b": one_book(record(time_estimate="1 hour"), title="B"),
            "c": one_book({"title": "Cache the index", "description": "x"}, title="C"),
        }
    )
    assert document["recommendations"][0]["time_estimates"] == ["1 hour", "Ongoing"]


def test_order_of_the_list() -> None:
    """The list is in the order of priority, number of books, title."""
    document = document_of(
        {
            "a": tracker("A", {"nice_to_have": [record("N")], "critical": [record("Z"), record("Y")]}),
            "b": tracker("B", {"critical": [record("Z")], "important": [record("I")]}),
        }
    )
    assert [one["title"] for one in document["recommendations"]] == ["Z", "Y", "I", "N"]


def test_id_is_of_the_members() -> None:
    """An id depends on the merged records alone, not on the book or file that brought them."""
    one = document_of({"a": one_book(record())})["recommendations"][0]["id"]
    other = document_of({"z": one_book(record(), title="Z")})["recommendations"][0]["id"]
    more = document_of({"a": one_book(record(description="another"))})["recommendations"][0]["id"]
    assert one == other
    assert one != more


def test_identical_content_under_two_spellings_counts_once() -> None:
    """Two files of one book that say the same count once, are reported, and both are sources."""
    buckets = {"important": [record()]}
    document = document_of({"a_b": tracker("Some-Book", buckets), "a b": tracker("Some Book", buckets, buckets)})
    entry = document["recommendations"][0]
    assert entry["book_count"] == 1
    assert entry["priority_votes"] == {"important": 1}
    assert {source["file"] for source in entry["sources"]} == {"a b", "a_b"}
    assert codes(document) == {"a_b": ["identical"]}
    assert document["totals"]["raw"] == 2
    assert [one["file"] for one in document["files_not_used"]] == ["a_b"]


def test_two_analyses_of_one_book_are_one_book() -> None:
    """Two files of one book that say different things are both used, as one book."""
    document = document_of(
        {
            "a": one_book(record("X"), record("Y"), title="Some-Book"),
            "b": one_book(record("X", description="other"), record("Z"), title="some book"),
        }
    )
    assert len(document["books"]) == 1
    assert by_title(document)["X"]["book_count"] == 1
    assert sorted(by_title(document)) == ["X", "Y", "Z"]
    assert codes(document) == {"b": ["same-book"]}


def test_stub_beside_the_real_file() -> None:
    """Of a stub and a real file of one book the real one is used, and the stub is reported."""
    document = document_of({"a": tracker("Some-Book", {}, {}), "b": one_book(record(), title="Some Book")})
    assert document["books"][0]["title"] == "Some Book"
    assert [one["role"] for one in document["books"][0]["files"]] == ["stub", "used"]
    assert codes(document) == {"a": ["stub"]}
    assert "another analysis of the book is used" in document["problems"][0]["reason"]


def test_stub_alone_is_reported_as_failed() -> None:
    """A stub is a failed analysis, not a book with nothing to say."""
    document = document_of({"a": tracker("A", {}, {})})
    assert codes(document) == {"a": ["stub"]}
    assert "failed" in document["files_not_used"][0]["reason"]
    assert document["recommendations"] == []


def test_overlong_field() -> None:
    """A record with a field longer than allowed is left out and reported; its neighbours stay."""
    books = {"a": one_book(record("Long", description="x" * 101), record("Good", x={"y": ["z" * 99]}))}
    document = document_of(books, max_field_chars=100)
    assert [one["title"] for one in document["recommendations"]] == ["Good"]
    assert [(one["code"], one["where"]) for one in document["problems"]] == [
        ("too-long", "$.iterations[0].recommendations.important[0].description")
    ]
    assert len(document_of(books, max_field_chars=101)["recommendations"]) == 2


def test_rejected_files_are_listed() -> None:
    """A file that could not be used at all is listed with its reason."""
    shards, _ = shards_of({"a": one_book(record())})
    problem = Problem("z", "", "truncated", "the file is cut off")
    document = consolidate(shards, [problem], Phase3Settings()).document
    assert document["files_not_used"] == [{"file": "z", "code": "truncated", "reason": "the file is cut off"}]
    assert document["totals"]["files"] == 2
    assert document["totals"]["files_used"] == 1


@pytest.mark.parametrize("field", ["min_confidence", "similarity_threshold"])
def test_settings_are_in_the_document(field: str) -> None:
    """The document says with which settings it was made."""
    document = document_of({"a": one_book(record())}, **{field: 0.5})
    assert document["settings"][field] == 0.5


def test_odd_estimate_stops_nothing() -> None:
    """An estimate and an iteration without measure are told as they were said, on the page too."""
    odd = one_book(record("Cache", time_estimate="999,999,999,999,999,999 hours"))
    odd["iterations"] += [{**odd["iterations"][0], "iteration": 10**12}]
    document = document_of({"a": odd, "b": one_book(record("Cache", time_estimate="8 hours"), title="B")})
    assert document["recommendations"][0]["effort"]["unknown"] == ["999,999,999,999,999,999 hours"]
    assert "1000000000000" in results.render(document)[PAGE]
