"""The laws of reading PDF."""

from __future__ import annotations

from typing import Any

import pytest

from apps.booksynth.tests.bookmaking import LIMITS, pdf, picture, text
from booksynth.json_reader import FileError
from booksynth.reading import pdf as reader
from booksynth.reading.kinds import Limits, Reading


def parts(reading: Reading) -> list[tuple[str, str]]:
    return [(one.chapter, one.text) for one in reading.book.paragraphs]


def test_a_book_with_an_outline() -> None:
    """Paragraphs stand below the outline, the title is that of the document, code is not read."""
    one = text(
        ("1 Care of files", {"size": 16}),
        "You must close every file that you have opened, and do",
        ("it at once.", {}),
        ("rm -r all", {"font": "Courier"}),
    )
    two = text(("2 Care of keys", {"size": 16}), "Rotate all of the keys on a day that you choose.")
    reading = reader.read(pdf(one, two, title="The Book", outline={"Care of files": 0, "Care of keys": 1}), LIMITS)
    assert reading.book.title == "The Book"
    assert reading.notes == []
    assert parts(reading) == [
        ("Care of files", "You must close every file that you have opened, and do it at once."),
        ("Care of keys", "Rotate all of the keys on a day that you choose."),
    ]


def test_a_book_without_an_outline() -> None:
    """Without an outline headings go by size; what a program wrote for a title is none."""
    one = text(
        ("The Title", {"size": 24}), ("Files", {"size": 16}), "You must close every file", "that you have opened."
    )
    reading = reader.read(pdf(one, title="Microsoft Word - draft.doc"), LIMITS)
    assert reading.book.title == "The Title"
    assert parts(reading) == [("Files", "You must close every file that you have opened.")]


def test_hyphens_and_ligatures() -> None:
    """A word broken at the end of a line is whole again."""
    one = text("You must check the configu-", "ration of it. The configuration is short.")
    assert parts(reader.read(pdf(one), LIMITS))[0][1] == (
        "You must check the configuration of it. The configuration is short."
    )


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (pdf(text("Never."), password="secret"), "encrypted", "password"),
        (b"%PDF-1.7 and nothing else", "broken-pdf", "no PDF, or a broken one"),
        (b"\x00\xff" * 100, "broken-pdf", "no PDF"),
        (pdf(text("You must close every file."))[:300], "broken-pdf", "no PDF"),
        (pdf(picture, picture), "scanned", "2 of its 2 pages are pictures"),
        (pdf(text(), text()), "no-text", "no text on any of its 2 pages"),
    ],
)
def test_what_cannot_be_read(data: bytes, code: str, words: str) -> None:
    """Encrypted, broken, scanned and empty are four different things."""
    with pytest.raises(FileError, match=words) as caught:
        reader.read(data, LIMITS)
    assert caught.value.code == code


def test_too_many_pages() -> None:
    """A book of more pages than the limit is refused before any is read."""
    with pytest.raises(FileError, match="3 pages; max_pages is 2") as caught:
        reader.read(pdf(*[text("Never guess.")] * 3), Limits(2, 60, 1024, 64))
    assert caught.value.code == "too-many-pages"


def test_some_scanned_pages() -> None:
    """A book with some pages that are pictures is read, and says which pages were not."""
    reading = reader.read(pdf(text("You must close every file."), picture), LIMITS)
    assert [(note.where, note.code) for note in reading.notes] == [("pages 2", "scanned-pages")]
    assert len(reading.book.paragraphs) == 1


def test_marks_of_footnotes() -> None:
    """A small raised number is the mark of a footnote and no text; a number of full size stays."""

    def draw(canvas: Any) -> None:
        text("You must close every file.", "Then wait for 20", "seconds or more.")(canvas)
        canvas.setFont("Helvetica", 6)
        canvas.drawString(50 + canvas.stringWidth("You must close every file.", "Helvetica", 11), 564, "12")

    assert parts(reader.read(pdf(draw), LIMITS))[0][1] == "You must close every file. Then wait for 20 seconds or more."
