"""The laws of a shelf of books: which there are, and one book read to its analysis."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import milepost
from apps.booksynth.tests import support
from booksynth import analysing, books
from booksynth.inputs import Found, UnreadableError
from booksynth.reading import kinds
from booksynth.settings import Phase2Settings, PhasesSettings, Settings
from booksynth.trackers import SUFFIX, parse

SETTINGS = Phase2Settings()


def shelf(folder: Path, **files: str | bytes) -> list[Found]:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return books.find(folder, SETTINGS.max_file_mb)


def analyse(found: Found, settings: Phase2Settings) -> books.Analysis:
    """Analyse one book in memory, as phase 2 does."""
    with milepost.Phase("phase_2", enabled=False) as phase:
        whole = Settings(phases=PhasesSettings(phase_2=settings))
        with analysing.analyser_of(whole) as analyser:
            analysis, problem = analysing.analyse(phase, found, analyser, settings)
    assert problem is None
    return analysis


def analysed(folder: Path, name: str, content: str | bytes, **settings: Any) -> books.Analysis:
    (found,) = shelf(folder / "one", **{name.replace(".", "__"): content})
    return analyse(found, Phase2Settings(**settings))


def document(analysis: books.Analysis) -> dict[str, Any]:
    assert analysis.data is not None
    loaded: dict[str, Any] = json.loads(analysis.data)
    return loaded


def codes(analysis: books.Analysis) -> list[str]:
    return [problem.code for problem in analysis.problems]


def test_find_lists_every_visible_file(tmp_path: Path) -> None:
    """Every file directly in the folder is found in the order of the names, but those with a dot in front."""
    (tmp_path / "shelf" / "deep").mkdir(parents=True)
    found = shelf(tmp_path / "shelf", b__md="x", a__txt="x", _hidden="x", c__pdf="x", __dot="x")
    names = [one.name for one in found]
    assert names == sorted(names)
    assert set(names) == {"a.txt", "b.md", "c.pdf", "deep", "_hidden"}


def test_a_quoted_book_holds_its_words_and_nothing_else(tmp_path: Path) -> None:
    """The analysis of a text holds quotes with their chapter, and no steps, estimates or priorities of its own."""
    text = "# Title\n\n## One\n\nNever guess the format. It is written down. You should read it.\n\nA plain line.\n"
    analysis = analysed(tmp_path, "book.md", text)
    assert analysis.problems == []
    made = document(analysis)
    assert made["book_title"] == "Title"
    assert made["method"] == "quoted advice"
    assert made["iterations"][0]["recommendations"] == {
        "critical": [],
        "important": [
            {
                "title": "Never guess the format.",
                "description": "“Never guess the format. It is written down.”",
                "source_chapter": "One",
                "kind": "quote",
            }
        ],
        "nice_to_have": [
            {
                "title": "You should read it.",
                "description": "“You should read it.”",
                "source_chapter": "One",
                "kind": "quote",
            }
        ],
    }


def test_an_analysis_is_a_tracker_without_problems(tmp_path: Path) -> None:
    """Phase 3 reads an analysis as it reads any tracker, and finds nothing wrong with it."""
    analysis = analysed(tmp_path, "book.txt", "Title\n\nNever guess the format.\n")
    assert analysis.data is not None
    shard, problems = parse(f"book{SUFFIX}", analysis.data)
    assert problems == []
    assert shard is not None
    assert [one.fields["title"] for one in shard.recommendations] == ["Never guess the format."]


def test_same_book_same_bytes(tmp_path: Path) -> None:
    """The analysis depends on the book alone: not on the folder, the time, or the time of the file."""
    one = shelf(tmp_path / "a", book__md="Never guess the format.")[0]
    two = shelf(tmp_path / "b", book__md="Never guess the format.")[0]
    os.utime(two.path, (1, 1))
    assert analyse(one, SETTINGS) == analyse(two, SETTINGS)
    assert books.version(one) == books.version(two)


def test_title_of_a_book_without_one(tmp_path: Path) -> None:
    """A book that gives itself no title is called by its file."""
    assert document(analysed(tmp_path, "my_own_book.md", "Never guess the format."))["book_title"] == "my own book"


def test_a_tracker_is_taken_over_as_it_is(tmp_path: Path) -> None:
    """A tracker is an analysis already: its bytes are kept, and what is wrong in it is for phase 3 to tell."""
    for content in (json.dumps(support.tracker("T", {"critical": [support.record()]})), '{"cut', b"\xff\xfe"):
        analysis = analysed(tmp_path, f"some{SUFFIX}", content)
        assert analysis.data == (content if isinstance(content, bytes) else content.encode())
        assert analysis.problems == []


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("book.docx", "PK", "unsupported"),
        ("book", "text", "unsupported"),
        ("book.md", b"caf\xe9 never do it", "not-utf8"),
        ("book.txt", b"never\x00 do it", "not-text"),
        ("book.txt", " \n", "empty-file"),
        ("book.md", "# Title\n\nNothing to say here.\n", "no-advice"),
    ],
)
def test_refused_and_empty_books(tmp_path: Path, name: str, content: str | bytes, code: str) -> None:
    """A book that is refused and one that says nothing have no analysis, and a problem that tells which it is."""
    analysis = analysed(tmp_path, name, content)
    assert analysis.data is None
    assert codes(analysis) == [code]


def test_too_large(tmp_path: Path) -> None:
    """A book above the limit is refused without being read."""
    (found,) = books.find(shelf(tmp_path / "s", book__md="x" * 2000)[0].path.parent, 0.001)
    assert codes(analyse(found, SETTINGS)) == ["too-large"]


def test_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    """What is no regular file is refused, and does not hold the run up."""
    (tmp_path / "folder.md").mkdir()
    os.mkfifo(tmp_path / "pipe.md")
    found = books.find(tmp_path, 64)
    assert [codes(analyse(one, SETTINGS)) for one in found] == [["not-a-file"]] * 2
    assert [books.version(one)[:2] for one in found] == [["problem", "not-a-file"]] * 2


def test_a_book_that_vanished_has_failed(tmp_path: Path) -> None:
    """A book that cannot be read now raises, so that the next run tries it again."""
    (found,) = shelf(tmp_path / "s", book__md="Never guess the format.")
    found.path.unlink()
    with pytest.raises(UnreadableError) as caught:
        books.read(found, SETTINGS)
    assert caught.value.problem.code == "unreadable"
    assert books.version(found)[:2] == ["problem", "unreadable"]


def test_version_follows_the_content(tmp_path: Path) -> None:
    """The version of a book changes with its content."""
    before = books.version(shelf(tmp_path / "s", book__md="one")[0])
    assert before != books.version(shelf(tmp_path / "s", book__md="two")[0])


def test_version_follows_the_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that reads otherwise reads every book again."""
    (found,) = shelf(tmp_path / "s", book__md="one")
    before = books.version(found)
    monkeypatch.setattr(kinds, "READERS", kinds.READERS + 1)
    assert books.version(found) != before


def test_long_sentences_are_reported(tmp_path: Path) -> None:
    """A sentence of advice above the limit is left out, and counted in a problem."""
    text = f"Never guess the format. You must {'very ' * 20}soon go."
    analysis = analysed(tmp_path, "book.md", text, max_sentence_chars=50)
    assert codes(analysis) == ["long-sentence"]
    assert "1 of 2 sentences" in analysis.problems[0].reason
    assert analysis.data is not None
    only = analysed(tmp_path, "book.md", f"You must {'very ' * 20}soon go.", max_sentence_chars=50)
    assert (only.data, codes(only)) == (None, ["long-sentence"])


def test_repeated_advice_counts_once_in_a_chapter(tmp_path: Path) -> None:
    """The same words in the same chapter are one quote."""
    made = document(analysed(tmp_path, "book.md", "Never guess the format.\n\nNever guess the format.\n"))
    assert len(made["iterations"][0]["recommendations"]["important"]) == 1


def test_file_names() -> None:
    """An analysis is called by the stem of its book, and by the whole name where two have one stem."""
    assert books.file_names(["a.md", "b.txt", f"c{SUFFIX}"]) == {
        "a.md": f"a{SUFFIX}",
        "b.txt": f"b{SUFFIX}",
        f"c{SUFFIX}": f"c{SUFFIX}",
    }
    assert books.file_names(["a.md", "a.txt"]) == {"a.md": f"a.md{SUFFIX}", "a.txt": f"a.txt{SUFFIX}"}


LONG = "é" * 97 + "x"
STEMS = st.sampled_from(["a", "b", "a.md", LONG, LONG + "x", LONG + "xy", "x" * 215])


@given(st.sets(st.builds(str.__add__, STEMS, st.sampled_from([".md", ".txt", SUFFIX, ""]))))
def test_file_names_are_distinct(names: set[str]) -> None:
    """No two books share the name of an analysis, order has no part in it, and each leaves room to write the file."""
    # One more that is called as a name that was cut is, and one as that one's file.
    names |= {name.removesuffix(SUFFIX) for name in books.file_names(sorted(names)).values()}
    names |= {f"{name}.md" for name in names if len(name.encode()) <= books.LONGEST_NAME}
    found = books.file_names(sorted(names))
    assert len(set(found.values())) == len(names)
    assert found == books.file_names(sorted(names, reverse=True))
    assert all(len(name.encode()) <= books.LONGEST_NAME + len(SUFFIX) for name in found.values())


def test_long_file_names() -> None:
    """A stem that fits stays as it is; one byte more, and it is cut between two letters, with a digest behind it."""
    assert books.file_names([f"{LONG}.md"]) == {f"{LONG}.md": f"{LONG}{SUFFIX}"}
    (cut,) = books.file_names([f"{LONG}x.md"]).values()
    assert re.fullmatch(f"é{{89}}-[0-9a-f]{{16}}{SUFFIX}", cut)
    assert len(set(books.file_names([f"{LONG}x.md", f"{LONG}y.md", f"{LONG}x.txt", f"{LONG}x{SUFFIX}"]).values())) == 4


def test_example_shelf_overlaps() -> None:
    """Each bundled book gives advice, nothing of it is code, tables or front matter, and some stands in several."""
    folder = Path(__file__).parents[1] / "examples" / "shelf"
    found = [analyse(one, SETTINGS) for one in books.find(folder, 64)]
    titles = [
        {
            one["title"].rstrip(".!")
            for bucket in document(one)["iterations"][0]["recommendations"].values()
            for one in bucket
        }
        for one in found
    ]
    assert len(titles) == 3
    assert all(len(some) >= 10 for some in titles)
    assert not [title for some in titles for title in some if "vault client" in title or "never read" in title]
    assert titles[0] & titles[1]
    assert titles[0] & titles[2]
