"""Which kinds of book there are: one table of endings, and what every reader is given and gives."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import PurePath
from typing import Any

from booksynth.chapters import Book, Paragraph

# Counts up when a reader reads otherwise: books that an earlier release has read are then read again. Readers run in a
# process of their own, so no change of their code shows in the phase.
READERS = 1


class Kind(StrEnum):
    """How a book is read."""

    MARKDOWN = "markdown"
    TEXT = "text"
    HTML = "html"
    SITE = "site"
    EPUB = "epub"
    PDF = "pdf"


ENDINGS = {
    ".md": Kind.MARKDOWN,
    ".markdown": Kind.MARKDOWN,
    ".txt": Kind.TEXT,
    ".text": Kind.TEXT,
    ".html": Kind.HTML,
    ".htm": Kind.HTML,
    ".xhtml": Kind.HTML,
    ".epub": Kind.EPUB,
    ".pdf": Kind.PDF,
}


@dataclass(frozen=True)
class Limits:
    """What reading one book may take: pages (or parts), seconds of processor time, megabytes of 1,000,000 bytes."""

    pages: int
    seconds: float
    memory_mb: float
    unpacked_mb: float

    @property
    def memory_bytes(self) -> int:
        """The memory in bytes."""
        return round(self.memory_mb * 1_000_000)


@dataclass(frozen=True)
class Note:
    """Something in a book that could not be read; the rest of it was. `where` names the page or part."""

    where: str
    code: str
    reason: str


@dataclass(frozen=True)
class Reading:
    """A book as it was read, and what of it was not."""

    book: Book
    notes: list[Note] = field(default_factory=list)

    def dump(self) -> dict[str, Any]:
        """Return plain data."""
        book = {"title": self.book.title, "paragraphs": [[one.chapter, one.text] for one in self.book.paragraphs]}
        return {"book": book, "notes": [asdict(one) for one in self.notes]}

    @classmethod
    def load(cls, data: dict[str, Any]) -> Reading:
        """Return what `dump` made."""
        book = data["book"]
        paragraphs = [Paragraph(*one) for one in book["paragraphs"]]
        return cls(Book(book["title"], paragraphs), [Note(**one) for one in data["notes"]])


def kind_of(name: str) -> Kind | None:
    """Return how a file of that name is read, None where it is not."""
    return ENDINGS.get(PurePath(name).suffix.lower())
