"""One page of HTML as a book."""

from __future__ import annotations

from booksynth.chapters import Book, gathered
from booksynth.reading import markup
from booksynth.reading.kinds import Reading


def read(data: bytes) -> Reading:
    """Return a page as a book.

    Raises:
        FileError: It is no text, or no HTML.
    """
    return Reading(book_of(markup.page(data)))


def book_of(root: object) -> Book:
    """Return the paragraphs of a page below its headings, and what the page is called."""
    book = gathered(markup.parts(root))
    return book if book.title else Book(markup.title(root), book.paragraphs)
