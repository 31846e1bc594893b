"""Laws of consolidation that hold for every shelf."""

from __future__ import annotations

import copy
import json
import random
import unicodedata
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from apps.booksynth.tests.support import record, tracker
from booksynth import summary
from booksynth.consolidate import consolidate
from booksynth.settings import Phase3Settings
from booksynth.trackers import parse

TITLES = st.sampled_from(
    ["Caf\u00e9 caching", "Cafe\u0301 Caching!", "Test it", "test  IT", "\ufb01x", "Fix", "\u00c5\u0327 x"]
)
RECORDS = st.builds(
    lambda title, description, depends: record(title, description=description, dependencies=depends),
    TITLES,
    st.sampled_from(["short", "rather longer", "\u1e9b\u0323"]),
    st.lists(TITLES, max_size=2),
)
ITERATIONS = st.lists(
    st.dictionaries(
        st.sampled_from(["critical", "important", "nice_to_have", "someday"]),
        st.lists(RECORDS, max_size=3),
        max_size=2,
    ),
    max_size=3,
)
BOOKS = st.builds(
    lambda title, iterations: tracker(title, *iterations),
    st.sampled_from(["A book", "A-book", "B\u00fccher", "Bu\u0308cher", "C"]),
    ITERATIONS,
)
SHELVES = st.dictionaries(st.sampled_from([f"file_{n}" for n in range(6)]), BOOKS, max_size=5)
THRESHOLDS = st.sampled_from([1.0, 0.8])


def document_of(shelf: dict[str, Any], threshold: float) -> dict[str, Any]:
    shards, problems = {}, []
    for file, content in shelf.items():
        shard, found = parse(file, json.dumps(content).encode())
        problems += found
        if shard is not None:
            shards[file] = shard
    settings = Phase3Settings(similarity_threshold=threshold)
    return consolidate(shards, problems, settings).document


def written(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + summary.render(document)


@settings(deadline=None)
@given(SHELVES, THRESHOLDS, st.randoms(use_true_random=False))
def test_order_of_files_makes_no_difference(shelf: dict[str, Any], threshold: float, chance: random.Random) -> None:
    """The results are the same bytes in whatever order the books were finished."""
    shuffled = list(shelf.items())
    chance.shuffle(shuffled)
    assert written(document_of(dict(shuffled), threshold)) == written(document_of(shelf, threshold))


@settings(deadline=None)
@given(SHELVES, THRESHOLDS, st.sampled_from(["NFC", "NFD"]))
def test_unicode_form_makes_no_difference(shelf: dict[str, Any], threshold: float, form: Any) -> None:
    """The results are the same bytes in whatever canonical Unicode form the trackers are."""
    text = unicodedata.normalize(form, json.dumps(shelf, ensure_ascii=False))
    assert written(document_of(json.loads(text), threshold)) == written(document_of(shelf, threshold))


def without_repetitions(document: dict[str, Any]) -> dict[str, Any]:
    """Drop what counts repetitions: everything else must not depend on them."""
    document = copy.deepcopy(document)
    for entry in document["recommendations"]:
        for source in entry["sources"]:
            del source["iterations"]
    del document["totals"]["raw"]
    for book in document["books"]:
        del book["raw"]
        for file in book["files"]:
            del file["raw"]
    return document


@settings(deadline=None)
@given(SHELVES, THRESHOLDS, st.integers(1, 14))
def test_replayed_iterations_make_no_difference(shelf: dict[str, Any], threshold: float, times: int) -> None:
    """A list that every iteration replays changes nothing but the iteration numbers."""
    replayed = copy.deepcopy(shelf)
    for content in replayed.values():
        again = content["iterations"] * times
        content["iterations"] += [{**one, "iteration": n} for n, one in enumerate(again, 100)]
    once = without_repetitions(document_of(shelf, threshold))
    assert without_repetitions(document_of(replayed, threshold)) == once


def provenance(document: dict[str, Any]) -> set[tuple[Any, ...]]:
    return {
        (source["file"], source["bucket"], tuple(source["iterations"]), source["variant"])
        for entry in document["recommendations"]
        for source in entry["sources"]
    }


@settings(deadline=None)
@given(SHELVES, BOOKS, THRESHOLDS)
def test_another_book_takes_nothing_away(shelf: dict[str, Any], book: dict[str, Any], threshold: float) -> None:
    """Adding a book never loses or changes a source of another."""
    before = provenance(document_of(shelf, threshold))
    after = provenance(document_of({**shelf, "file_9": book}, threshold))
    assert before <= after
    assert {source[0] for source in after - before} <= {"file_9"}


@settings(deadline=None)
@given(SHELVES, THRESHOLDS)
def test_every_record_is_a_source_once(shelf: dict[str, Any], threshold: float) -> None:
    """Every recommendation of every file is a source of exactly one merged one."""
    document = document_of(shelf, threshold)
    sources = [
        (source["file"], source["bucket"], n, source["title"])
        for entry in document["recommendations"]
        for source in entry["sources"]
        for n in source["iterations"]
    ]
    expected = {
        (file, bucket, one["iteration"], unicodedata.normalize("NFC", given_record["title"]))
        for file, content in shelf.items()
        for one in content["iterations"]
        for bucket, records in one["recommendations"].items()
        for given_record in records
    }
    assert set(sources) == expected
    ids = [entry["id"] for entry in document["recommendations"]]
    assert len(ids) == len(set(ids))
