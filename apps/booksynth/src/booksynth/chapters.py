"""From the text of a book to its paragraphs, each with its chapter. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from markdown_it.token import Token

SEPARATOR = " › "
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n.*?^(?:---|\.\.\.)[ \t]*$\n?", re.MULTILINE | re.DOTALL)
_UNDERLINE = re.compile(r"(?:=+|-{3,}|~{3,})\s*\Z")
_BULLET = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)])\s+(?=\S)")
_NUMBERED = re.compile(
    r"(?:chapter|part|section|appendix)\s+[\divxlc]+\b.*|\d{1,2}(?:\.\d{1,2})*\.?\s+\S.*", re.IGNORECASE
)
_NUMBER = re.compile(r"\A(?:(?:chapter|part|section|appendix)\s+)?(?:\d+(?:\.\d+)*|[A-Z])[.:]?\s+", re.IGNORECASE)
_CLOSED = tuple(".!?:;,")
_HEADING_MAX_CHARS = 100
_SET_IN = 3


@dataclass(frozen=True)
class Paragraph:
    """Running text of a book on one line, below the headings of its chapter."""

    chapter: str
    text: str


@dataclass(frozen=True)
class Book:
    """The title that a book gives itself (empty if none), and its paragraphs in order."""

    title: str
    paragraphs: list[Paragraph]


def from_markdown(text: str) -> Book:
    """Return the paragraphs of a Markdown text: not its code, tables, HTML or front matter.

    A list item is a paragraph. The title is the first heading of the first level, and is no chapter.
    """
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").enable("table").parse(_FRONT_MATTER.sub("", text, count=1))
    return gathered(_markdown_parts(tokens))


def from_text(text: str) -> Book:
    """Return the paragraphs of a plain text: what empty lines, bullets and numbers set apart.

    A paragraph of one line is a heading where it is underlined (``===`` is level 1, any other 2), numbered, in
    capitals, or the first of the text, and does not end like a sentence. What is set in by at least three columns
    more than most lines is code.
    """
    return gathered(_text_parts(text))


def gathered(parts: Iterator[tuple[int, str]]) -> Book:
    """Put headings (level 1 and up) and paragraphs (level 0) together."""
    title = ""
    headings: dict[int, str] = {}
    paragraphs: list[Paragraph] = []
    for level, text in parts:
        line = " ".join(text.split())
        if not line:
            continue
        if level == 1 and not title and not headings and not paragraphs:
            title = line
        elif level:
            headings = {above: name for above, name in headings.items() if above < level} | {level: line}
        else:
            paragraphs.append(Paragraph(path(headings.values()), line))
    return Book(title, paragraphs)


def path(names: Iterable[str]) -> str:
    """Return the name of a chapter below others. One that only repeats what it stands below counts once."""
    kept: list[str] = []
    for name in filter(None, names):
        if kept and _bare(kept[-1]) == _bare(name):
            kept[-1] = max(kept[-1], name, key=len)
        else:
            kept.append(name)
    return SEPARATOR.join(kept)


def _bare(name: str) -> str:
    return _NUMBER.sub("", name).casefold()


def _markdown_parts(tokens: Sequence[Token]) -> Iterator[tuple[int, str]]:
    level, is_table = 0, False
    for token in tokens:
        if token.type in {"table_open", "table_close"}:
            is_table = token.type == "table_open"
        elif token.type == "heading_open":
            level = int(token.tag[1:])
        elif token.type == "heading_close":
            level = 0
        elif token.type == "inline" and not is_table:
            yield level, "".join(_inline(token.children or ()))


def _inline(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type in {"text", "code_inline"}:
            yield token.content
        elif token.type in {"softbreak", "hardbreak"}:
            yield " "
        elif token.type == "image":
            yield from _inline(token.children or ())


def _text_parts(text: str) -> Iterator[tuple[int, str]]:
    is_first = True
    if not text.strip():
        return
    whole = text.expandtabs(4).replace("\r\n", "\n").replace("\f", "\n\n")
    margin = _margin(whole) + _SET_IN
    for block in re.split(r"\n[ \t]*\n", whole):
        lines = [line for line in block.split("\n") if line.strip()]
        if lines and min(map(_indent, lines)) >= margin:
            continue
        if len(lines) > 1 and _UNDERLINE.match(lines[1].strip()):
            yield (1 if lines[1].strip()[0] == "=" else 2), lines[0]
            lines = lines[2:]
        elif len(lines) == 1 and _is_heading(lines[0].strip(), is_first=is_first):
            yield (1 if is_first else 2), lines[0]
            lines = []
        is_first = is_first and not block.strip()
        yield from ((0, part) for part in _items(lines))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _margin(text: str) -> int:
    """Return how far most lines are set in: whole books may be."""
    return Counter(_indent(line) for line in text.split("\n") if line.strip()).most_common(1)[0][0]


def _is_heading(line: str, *, is_first: bool) -> bool:
    if len(line) > _HEADING_MAX_CHARS or line.endswith(_CLOSED):
        return False
    return is_first or bool(_NUMBERED.fullmatch(line)) or (line.isupper() and len(line) > 1)


def _items(lines: Sequence[str]) -> Iterator[str]:
    """Yield a paragraph for each bullet, and one for the text before the first."""
    part: list[str] = []
    for line in lines:
        bullet = _BULLET.match(line)
        if bullet:
            yield " ".join(part)
            part = [line[bullet.end() :]]
        else:
            part.append(line)
    yield " ".join(part)
