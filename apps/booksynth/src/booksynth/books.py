"""The books of a shelf: which there are, what each is called, and one book read to an analysis.

Three ways of having nothing to say are kept apart: *failed* (it could not be read now; it is tried again by the
next run), *refused* (it will never be read as it is), and *empty* (it was read well, and gives no advice).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from booksynth import inputs
from booksynth.inputs import Content, Found, UnreadableError, is_tracker
from booksynth.json_reader import FileError
from booksynth.shards import Problem
from booksynth.trackers import SUFFIX

if TYPE_CHECKING:
    from booksynth.advice import Quote
    from booksynth.chapters import Book
    from booksynth.settings import Phase2Settings

METHOD = "quoted advice"
QUOTE = "quote"
MARKDOWN = (".md", ".markdown")
TEXT = (".txt", ".text")
# What may be other the next time, although nobody touched the file.
PASSING = {"unreadable", "changed-while-read"}


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


def find(folder: Path, max_file_mb: float) -> list[Found]:
    """Return every file directly in *folder* whose name does not begin with a dot, in the byte order of the names.

    Raises:
        OSError: The folder is not there or cannot be listed.
    """
    return inputs.discover(folder, max_file_mb, lambda name: not name.startswith("."))


def version(found: Found) -> list[str]:
    """Return what changes when a book does: the digest of its content, or what keeps it from being read."""
    try:
        return ["content", _read(found, found.size / 1_000_000).digest]
    except UnreadableError as error:
        return ["problem", error.problem.code, error.problem.reason]


def file_names(books: Iterable[str]) -> dict[str, str]:
    """Return the name of the analysis of each book: ``<stem>_convergence_tracker.json``.

    Where two books have one stem (``a.md``, ``a.txt``), each is called by its whole name instead.
    """
    names = {book: book.removesuffix(SUFFIX) if is_tracker(book) else PurePath(book).stem for book in books}
    while twice := {name for name, number in Counter(names.values()).items() if number > 1}:
        whole = {book: book for book, name in names.items() if name in twice}
        if all(names[book] == book for book in whole):
            break
        names.update(whole)
    return {book: name + SUFFIX for book, name in names.items()}


def analyse(found: Found, settings: Phase2Settings) -> Analysis:
    """Read one book and return its analysis; a tracker is one already, and is taken over as it is.

    Raises:
        UnreadableError: The book could not be read now.
    """
    try:
        content = _read(found, settings.max_file_mb)
        if is_tracker(found.name):
            return Analysis(content.data, [])
        return quoted(found.name, content, settings)
    except UnreadableError as error:
        if error.problem.code in PASSING:
            raise
        return Analysis(None, [error.problem])
    except FileError as error:
        return Analysis(None, [Problem(found.name, "", error.code, error.reason)])


def _read(found: Found, max_file_mb: float) -> Content:
    problem = found.problem
    if problem is None and not is_tracker(found.name) and _reader(found.name) is None:
        known = ", ".join((*MARKDOWN, *TEXT, SUFFIX))
        problem = Problem(found.name, "", "unsupported", f"no kind of book that is read here ({known})")
    if problem is not None:
        raise UnreadableError(problem)
    return inputs.read(found, max_file_mb)


def _reader(name: str) -> Callable[[str], Book] | None:
    ending = PurePath(name).suffix.lower()
    if ending not in {*MARKDOWN, *TEXT}:
        return None
    from booksynth import chapters

    return chapters.from_markdown if ending in MARKDOWN else chapters.from_text


def quoted(name: str, content: Content, settings: Phase2Settings) -> Analysis:
    """Return the analysis of a Markdown or plain text: its advice, quoted.

    Raises:
        FileError: The content is not text in UTF-8, or is empty.
    """
    from booksynth.advice import quotes

    reader = _reader(name)
    assert reader is not None, "the caller has asked for a kind that is read"
    book = reader(_text(content.data))
    found = [
        (paragraph.chapter, quote)
        for paragraph in book.paragraphs
        for quote in quotes(paragraph.text, settings.following_sentences)
    ]
    kept = [one for one in found if len(one[1].sentence) <= settings.max_sentence_chars]
    problems = []
    if len(kept) < len(found):
        reason = (
            f"{len(found) - len(kept)} of {len(found)} sentences of advice are longer than "
            f"{settings.max_sentence_chars} characters and left out"
        )
        problems.append(Problem(name, "", "long-sentence", reason))
    if not found:
        problems.append(Problem(name, "", "no-advice", "read to its end; no sentence of it gives advice"))
    if not kept:
        return Analysis(None, problems)
    document = tracker(book.title or title_of(name), name, content.digest, kept)
    return Analysis((json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode(), problems)


def title_of(name: str) -> str:
    """Return the title of a book that gives itself none: its file's name in words."""
    return " ".join(PurePath(name).stem.replace("_", " ").split()) or name


def tracker(title: str, name: str, digest: str, found: Iterable[tuple[str, Quote]]) -> dict[str, Any]:
    """Return a tracker of quoted advice. Strong advice is important, other is nice to have, nothing is critical.

    A record holds what the book says and nothing else: no steps, no estimate, no priority of its own.
    """
    from booksynth.advice import Strength

    buckets: dict[str, list[dict[str, str]]] = {"critical": [], "important": [], "nice_to_have": []}
    for chapter, quote in found:
        bucket = "important" if quote.strength is Strength.STRONG else "nice_to_have"
        record = {"title": quote.sentence, "description": f"“{quote.text}”", "source_chapter": chapter, "kind": QUOTE}
        if record not in buckets[bucket]:
            buckets[bucket].append(record)
    return {
        "book_title": title,
        "source_file": name,
        "source_sha256": digest,
        "method": METHOD,
        "iterations": [{"iteration": 1, "recommendations": buckets}],
    }


def _as_text(data: bytes | None) -> str | bytes | None:
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError:
        return data


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError("not-utf8", f"not UTF-8 (byte {error.start})") from None
    if "\0" in text:
        raise FileError("not-text", f"not text: a NUL stands at character {text.index(chr(0))}")
    if not text.strip():
        raise FileError("empty-file", "the file is empty")
    return text
