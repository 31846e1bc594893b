"""The books of a shelf: which there are, what each is called, and one book read to its chapters.

Three ways of having nothing to say are kept apart: *failed* (it could not be read now; it is tried again by the
next run), *refused* (it will never be read as it is), and *empty* (it was read well, and gives no advice).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from booksynth import inputs
from booksynth.chapters import Book
from booksynth.inputs import Content, Found, UnreadableError, is_tracker
from booksynth.json_reader import FileError
from booksynth.reading import confined, folders, kinds, plain
from booksynth.reading.confined import ReadingFailedError
from booksynth.reading.kinds import ENDINGS, Kind, Limits, Reading, kind_of
from booksynth.shards import Problem
from booksynth.trackers import SUFFIX

if TYPE_CHECKING:
    from booksynth.settings import Phase2Settings

# What may be other the next time, although nobody touched the file.
PASSING = {"unreadable", "changed-while-read"}
# Bytes, of the 255 that a file's name may have. Room is left for the suffix of an analysis (25), for the mark of a new
# version beside an edited one (13), and for what a name has more while its file is written (22).
LONGEST_NAME = 195


@dataclass(frozen=True)
class Analysis:
    """What came of a book: the bytes of its tracker, if it has one, and what is wrong with it."""

    data: bytes | None
    problems: list[Problem]

    def dump(self) -> dict[str, Any]:
        """Return plain data; text where the bytes are text, so that a person can read it in the journal."""
        return {"analysis": _as_text(self.data), "problems": [asdict(one) for one in self.problems]}

    @classmethod
    def load(cls, data: dict[str, Any]) -> Analysis:
        """Return what `dump` made."""
        held = data["analysis"]
        return cls(held.encode() if isinstance(held, str) else held, [Problem(**one) for one in data["problems"]])


@dataclass(frozen=True)
class Draft:
    """A book as it was read: its file, the digest of that, its title, its paragraphs, and what of it was not read."""

    name: str
    digest: str
    title: str
    book: Book
    problems: list[Problem]


def find(folder: Path, max_file_mb: float) -> list[Found]:
    """Return everything directly in *folder* whose name does not begin with a dot, in the byte order of the names.

    A file is a book, and so is a folder that holds pages of HTML.

    Raises:
        OSError: The folder is not there or cannot be listed.
    """
    found = inputs.discover(folder, max_file_mb, lambda name: not name.startswith("."))
    return [folders.look(one, max_file_mb) for one in found]


def version(found: Found) -> list[Any]:
    """Return what changes when a book or its reader does: a digest of its content, or what keeps it from being read."""
    if found.digest is not None:
        return ["content", kinds.READERS, found.digest]
    try:
        return ["content", kinds.READERS, _content(found, _at_most(found)).digest]
    except UnreadableError as error:
        return ["problem", error.problem.code, error.problem.reason]


def seen(found: Found) -> Found:
    """Return *found* with the digest of its content: what is read later under its name must be that.

    A run may take hours from its look at the shelf to the last book, and what it records counts for the book as it was
    when the run looked.
    """
    try:
        return replace(found, digest=_content(found, _at_most(found)).digest)
    except UnreadableError:
        return found


def _at_most(found: Found) -> float:
    return max(found.size / 1_000_000, 1)


def file_names(books: Iterable[str]) -> dict[str, str]:
    """Return the name of the analysis of each book: ``<stem>_convergence_tracker.json``, no two the same.

    Where two books have one stem (``a.md``, ``a.txt``), each is called by its whole name instead. What is too long for
    a file is cut, and a digest of the whole name put behind it.
    """
    tries = dict.fromkeys(books, 0)
    names = {book: _called(book, 0) for book in tries}
    while twice := {name for name, number in Counter(names.values()).items() if number > 1}:
        for book in [book for book, name in names.items() if name in twice]:
            tries[book] += 1
            names[book] = _called(book, tries[book])
    return {book: name + SUFFIX for book, name in names.items()}


def _called(book: str, tries: int) -> str:
    """Return what a book is called: by its stem, then by its whole name, then, if that is cut, by another digest."""
    stem = book.removesuffix(SUFFIX) if is_tracker(book) else PurePath(book).stem
    name = book if tries else stem
    if len(name.encode()) <= LONGEST_NAME:
        return name
    end = "-" + hashlib.sha256(f"{tries} {book}".encode()).hexdigest()[:16]
    return name.encode()[: LONGEST_NAME - len(end)].decode("utf-8", "ignore") + end


def read(found: Found, settings: Phase2Settings) -> Draft | Analysis:
    """Read one book to its chapters; what cannot be read has an analysis of problems alone.

    A tracker is an analysis already, and is taken over as it is.

    Raises:
        UnreadableError: The book could not be read now.
    """
    try:
        content = _content(found, settings.max_file_mb)
        if found.digest not in {None, content.digest}:
            reason = "it changed since the run began; run again when it is at rest"
            raise UnreadableError(Problem(found.name, "", "changed-while-read", reason))
        if is_tracker(found.name):
            return Analysis(content.data, [])
        kind = _kind(found)
        reading = _reading(kind, content.data, limits_of(settings))
        problems = folders.others(found) if found.is_folder else []
    except UnreadableError as error:
        if error.problem.code in PASSING:
            raise
        return Analysis(None, [error.problem])
    except ReadingFailedError as error:
        raise UnreadableError(Problem(found.name, "", error.code, error.reason)) from error
    except FileError as error:
        return Analysis(None, [Problem(found.name, "", error.code, error.reason)])
    problems = [Problem(found.name, note.where, note.code, note.reason) for note in reading.notes] + problems
    return Draft(found.name, content.digest, reading.book.title or title_of(found.name), reading.book, problems)


def limits_of(settings: Phase2Settings) -> Limits:
    """Return what reading one book may take, by the settings."""
    return Limits(settings.max_pages, settings.max_seconds, settings.max_memory_mb, settings.max_unpacked_mb)


def _content(found: Found, max_file_mb: float) -> Content:
    if found.problem is not None:
        raise UnreadableError(found.problem)
    if found.is_folder:
        return folders.read(found, max_file_mb)
    if not is_tracker(found.name):
        _kind(found)
    return inputs.read(found, max_file_mb)


def _kind(found: Found) -> Kind:
    kind = Kind.SITE if found.is_folder else kind_of(found.name)
    if kind is None:
        known = ", ".join((*ENDINGS, SUFFIX))
        problem = Problem(found.name, "", "unsupported", f"no kind of book that is read here ({known})")
        raise UnreadableError(problem)
    return kind


def _reading(kind: Kind, data: bytes, limits: Limits) -> Reading:
    if kind in {Kind.MARKDOWN, Kind.TEXT}:
        return plain.read(kind, data)
    if not data:
        raise FileError("empty-file", "the file is empty")
    return confined.read(kind, data, limits)


def title_of(name: str) -> str:
    """Return the title of a book that gives itself none: its file's name in words."""
    return " ".join(PurePath(name).stem.replace("_", " ").split()) or name


def _as_text(data: bytes | None) -> str | bytes | None:
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError:
        return data
