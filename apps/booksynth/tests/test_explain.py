"""The laws of the command that explains one decision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from apps.booksynth.tests import support
from apps.booksynth.tests.support import booksynth, record, tracker
from apps.booksynth.tests.test_consolidate import document_of, one_book
from booksynth.explain import Explanation, Shelf, explain
from booksynth.request import InputError

SHELF = {
    "a": one_book(record("Use cross validation for models"), record("Rotate signing keys"), title="A"),
    "b": one_book(record("Cross-validating a model"), record("Rotate certificates for signing"), title="B"),
    "c": one_book(record("Paint the fence"), record("USE CROSS validation, for models!"), title="C"),
}


def explained(first: str, second: str, **settings: Any) -> Explanation:
    return explain(Shelf(document_of(SHELF, **settings)), first, second)


def test_merged() -> None:
    """Of two that are merged every join is above the threshold, and the shared words give their similarity."""
    found = explained("Use cross validation for models", "Cross-validating a model")
    assert found.is_merged
    assert found.chain[-1].similarity >= found.threshold
    assert sorted(stem for stem, _ in found.shared_terms) == ["cross", "model", "valid"]
    assert sum(part for _, part in found.shared_terms) == pytest.approx(found.words, abs=0.001)
    assert sum(part for _, part in found.shared_neighbours) == pytest.approx(found.similarity, abs=0.001)


def test_not_merged_though_near() -> None:
    """Of two that are near and not merged the join that is too weak is named."""
    found = explained("Rotate signing keys", "Rotate certificates for signing", similarity_threshold=0.95)
    assert not found.is_merged
    assert f"only {found.chain[-1].similarity:g} alike, below 0.95" in found.reason


def test_nothing_in_common() -> None:
    """Two that nothing connects have no chain and share no word."""
    found = explained("Paint the fence", "Rotate signing keys")
    assert (found.is_merged, found.chain, found.shared_terms, found.words) == (False, [], [], 0)
    assert "nothing connects them" in found.reason


def test_one_title_or_id() -> None:
    """Two spellings of one title are one; an id stands for its recommendation."""
    same = explained("use cross VALIDATION for models", "Use Cross Validation for Models")
    assert "titles are equal" in same.reason
    document = document_of(SHELF)
    entry = next(one for one in document["recommendations"] if one["title"] == "Paint the fence")
    assert explain(Shelf(document), entry["id"], "paint the fence").is_merged


def test_id_of_what_a_model_wrote() -> None:
    """An id stands for the records of its recommendation, also where a model wrote its title."""
    document = document_of(SHELF)
    entry = next(one for one in document["recommendations"] if len(one["variants"]) > 1)
    for title in ("A title of no book", "Paint the fence"):
        entry["title"] = title
        found = explain(Shelf(document), entry["id"], "Cross-validating a model")
        assert found.is_merged
        assert found.first in entry["titles"]


@pytest.mark.parametrize("threshold", [0.3, 0.55, 1.0])
def test_agrees_with_the_document(threshold: float) -> None:
    """For every pair of titles, what is explained is what the document has."""
    document = document_of(SHELF, similarity_threshold=threshold)
    shelf = Shelf(document)
    owner = {title: one["id"] for one in document["recommendations"] for title in one["titles"]}
    for first, first_id in owner.items():
        for second, second_id in owner.items():
            assert explain(shelf, first, second).is_merged == (first_id == second_id)


def test_unknown_title() -> None:
    """A title that is not there is refused, with those that it may mean."""
    with pytest.raises(InputError, match='did you mean "Paint the fence"'):
        explained("Paint a fence", "Rotate signing keys")


def test_command(tmp_path: Path) -> None:
    """The command tells people in words, and machines in JSON; without a document it says what to run first."""
    support.write(tmp_path / "in", "a", tracker("A", {"critical": [record("Cache it"), record("Caching this")]}))
    output = tmp_path / "out"
    two = ("Cache it", "Caching this", "--output-dir", output)
    assert booksynth("explain", *two).code == 2
    support.phase_3(tmp_path / "in", output)
    assert '"Cache it" and "Caching this" are one recommendation' in booksynth("explain", *two).out
    assert booksynth("explain", *two, "--json").report["is_merged"] is True
    (output / support.RESULTS[0]).write_text("{}")
    refused = booksynth("explain", *two)
    assert (refused.code, "no document of this release" in refused.err) == (2, True)
