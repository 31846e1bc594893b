"""The laws of analysing a book chapter by chapter: what is done is kept, what failed is tried again, the whole is one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import milepost
from booksynth import analysing, books
from booksynth.analysing import Advice, Analyser, Chapter, ChapterFailedError, Findings
from booksynth.books import Analysis, Draft
from booksynth.chapters import Book, Paragraph
from booksynth.inputs import UnreadableError
from booksynth.settings import Phase2Settings
from booksynth.shards import Problem

SETTINGS = Phase2Settings()
BOOK = "# Book\n\n" + "".join(
    f"## {name}\n\nNever guess {name.lower()} at all.\n\n" for name in ("One", "Two", "Three")
)


class StoppedError(Exception):
    pass


@dataclass
class Asked:
    """Notes which chapters it is asked for; stops or fails at some."""

    stops_at: str = ""
    fails_at: str = ""
    method: str = "asked"
    chapters_per_batch: int = 1
    names: list[str] = field(default_factory=list)
    prepared: list[list[str]] = field(default_factory=list)

    def prepare(self, chapters: Sequence[Chapter]) -> None:
        self.prepared.append([one.name for one in chapters])

    def analyse(self, chapter: Chapter) -> Findings:
        assert chapter.name in self.prepared[-1]
        self.names.append(chapter.name)
        if chapter.name == self.stops_at:
            raise StoppedError
        if chapter.name == self.fails_at:
            raise ChapterFailedError("busy", "ask later")
        record = {"title": f"From {chapter.name}", "source_chapter": chapter.name}
        return Findings([Advice("critical", record), Advice("important", {**record, "n": 2}, iteration=2)])


def run(folder: Path, analyser: Analyser, book: str = BOOK) -> tuple[Analysis, Problem | None]:
    """Analyse a book as phase 2 does, with progress kept in the folder."""
    (folder / "shelf").mkdir(exist_ok=True)
    (folder / "shelf" / "book.md").write_text(book)
    with milepost.Phase("phase_2", store=folder / "kept", on_change="restart") as phase:
        found = books.find(folder / "shelf", 1)
        for one in phase.each(found, key=lambda found: found.name, version=books.version):
            analysis, failure = analysing.analyse(phase, one, analyser, SETTINGS)
            if failure is None:
                phase.record(analysis.dump(), key=one.name)
            else:
                phase.fail(failure.reason, key=one.name)
                return analysis, failure
        return Analysis.load(phase.results()["book.md"]), None


def titles(analysis: Analysis, iteration: int = 0, bucket: str = "critical") -> list[str]:
    assert analysis.data is not None
    document: dict[str, Any] = json.loads(analysis.data)
    return [one["title"] for one in document["iterations"][iteration]["recommendations"][bucket]]


def test_a_stopped_book_goes_on_at_its_chapter(tmp_path: Path) -> None:
    """A book that was stopped half way goes on at the chapter where it stood, to the same bytes."""
    (tmp_path / "whole").mkdir()
    whole, _ = run(tmp_path / "whole", Asked())
    with pytest.raises(StoppedError):
        run(tmp_path, Asked(stops_at="Three"))
    second = Asked()
    again, _ = run(tmp_path, second)
    assert second.names == ["Three"]
    assert again == whole
    third = Asked()
    assert run(tmp_path, third)[0] == whole
    assert third.names == []


def test_a_failed_chapter_alone_is_tried_again(tmp_path: Path) -> None:
    """A chapter that failed makes its book a failure, of which the rest is used; the next run asks for it alone."""
    analysis, failure = run(tmp_path, Asked(fails_at="Two"))
    assert titles(analysis) == ["From One", "From Three"]
    assert failure == Problem("book.md", "", "chapters-failed", "1 of 3 chapters failed; Two: busy: ask later")
    second = Asked()
    analysis, failure = run(tmp_path, second)
    assert (second.names, failure) == (["Two"], None)
    assert titles(analysis) == ["From One", "From Two", "From Three"]


def test_in_batches_a_failed_chapter_spoils_no_other(tmp_path: Path) -> None:
    """Where several chapters are recorded at once, one that fails keeps none of the others from being recorded."""
    run(tmp_path, Asked(fails_at="Two", chapters_per_batch=3))
    second = Asked(chapters_per_batch=3)
    run(tmp_path, second)
    assert second.names == ["Two"]


def test_an_analyser_hears_of_a_batch_before_it_is_asked(tmp_path: Path) -> None:
    """Who can work on several chapters at once is told of each batch as a whole, and of none that is recorded."""
    first = Asked(chapters_per_batch=2, stops_at="Three")
    with pytest.raises(StoppedError):
        run(tmp_path, first)
    assert first.prepared == [["One", "Two"], ["Three"]]
    second = Asked(chapters_per_batch=2)
    run(tmp_path, second)
    assert second.prepared == [["Three"]]


def test_a_book_that_changed_since_the_run_looked_is_tried_again(tmp_path: Path) -> None:
    """What is read of a book is never recorded for the content that it had before; as a whole folder too."""
    (tmp_path / "page").mkdir()
    for path in (tmp_path / "book.md", tmp_path / "book_convergence_tracker.json", tmp_path / "page" / "a.html"):
        path.write_text("<p>Never guess.</p>")
    for one in books.find(tmp_path, 1):
        seen = books.seen(one)
        assert books.version(seen) == books.version(one)
        assert not isinstance(books.read(seen, SETTINGS), UnreadableError)
        path = one.path / "a.html" if one.is_folder else one.path
        path.write_text("<p>Always guess.</p>")
        with pytest.raises(UnreadableError, match="changed since the run began") as caught:
            books.read(seen, SETTINGS)
        assert caught.value.problem.code in books.PASSING
        assert books.version(seen) != books.version(one)


def test_a_changed_chapter_alone_is_asked_for(tmp_path: Path) -> None:
    """In a changed book only chapters that changed are analysed again; with another method, all are."""
    run(tmp_path, Asked())
    second = Asked()
    changed = BOOK.replace("guess two", "guess more")
    run(tmp_path, second, changed)
    assert second.names == ["Two"]
    third = Asked(method="otherwise")
    run(tmp_path, third, changed + "\n")
    assert third.names == ["One", "Two", "Three"]


def test_iterations_stand_apart(tmp_path: Path) -> None:
    """What an analyser finds in a second round stands in the second iteration of the tracker."""
    analysis, _ = run(tmp_path, Asked())
    assert titles(analysis, 1, "important") == ["From One", "From Two", "From Three"]


NAMES = st.lists(st.sampled_from(["", "A", "A › B", "C", "C › A"]), max_size=8)


@given(NAMES)
def test_chapters_are_the_book(names: list[str]) -> None:
    """The chapters of a book hold its paragraphs in their order, each chapter under a key of its own."""
    paragraphs = [Paragraph(name, f"Text {n}.") for n, name in enumerate(names)]
    found = list(analysing.keyed(Draft("b", "", "B", Book("B", paragraphs), [])))
    assert [one for _, chapter in found for one in chapter.paragraphs] == paragraphs
    assert len({key for key, _ in found}) == len(found)
    assert all(key for key, _ in found)
