"""A folder of HTML pages as one book, read in the order of its links; `folders` has packed it into one file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from booksynth.chapters import SEPARATOR, Book, Paragraph
from booksynth.chapters import path as chapter_path
from booksynth.json_reader import FileError
from booksynth.reading import html, markup
from booksynth.reading.archive import Archive, TooLargeError, resolved
from booksynth.reading.kinds import Limits, Note, Reading

FIRST = ("index.html", "index.htm", "index.xhtml")


def read(data: bytes, limits: Limits) -> Reading:
    """Return the pages as one book: the first page, then those that it links to, each followed by its own.

    A page that cannot be read is noted, and stops nothing. A page that no other links to stands at the end.

    Raises:
        FileError: There are too many pages, they are too large, or none of them can be read.
    """
    archive = Archive(data, limits)
    if len(archive.names) > limits.pages:
        raise FileError("too-many-pages", f"{len(archive.names)} pages; max_pages is {limits.pages}")
    notes: list[Note] = []
    books: dict[str, Book] = {}
    links: dict[str, list[str]] = {}
    for path in archive.names:
        try:
            root = markup.page(archive.read(path))
        except TooLargeError:
            raise
        except FileError as error:
            notes.append(Note(path, error.code, error.reason))
        else:
            books[path], links[path] = html.book_of(root), _links(path, root)
    if not books:
        raise FileError(notes[0].code, f"none of its pages can be read; {notes[0].where}: {notes[0].reason}")
    order = ordered(links)
    title = books[order[0]].title
    paragraphs = [
        Paragraph(
            chapter_path([books[path].title if path != order[0] else "", *one.chapter.split(SEPARATOR)]), one.text
        )
        for path in order
        for one in books[path].paragraphs
    ]
    return Reading(Book(title, paragraphs), notes)


def ordered(links: Mapping[str, list[str]]) -> list[str]:
    """Return the pages in the order of reading: each before those that it is the first to link to. Pure."""
    first = [name for name in FIRST if name in links]
    order: dict[str, None] = {}
    for start in [*first, *sorted(links)]:
        waiting = [start]
        while waiting:
            path = waiting.pop()
            if path in links and path not in order:
                order[path] = None
                waiting += reversed(links[path])
    return list(order)


def _links(path: str, root: Any) -> list[str]:
    found: dict[str, None] = {}
    for element in root.iter():
        if markup.local(element) == "a" and element.get("href"):
            try:
                url = urlsplit(element.get("href"))
            except ValueError:
                continue
            target = None if url.scheme or url.netloc or not url.path else resolved(path, unquote(url.path))
            if target is not None:
                found[target] = None
    return list(found)
