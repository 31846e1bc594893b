"""From the lines of pages to paragraphs with their chapters: running heads, hyphens, headings. Pure.

Nothing is dropped that is read nowhere else: a running head is kept once, where it stands first; a page number and a
line of a table of contents (with its dots and its number) are no text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from booksynth.chapters import Book, gathered

_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
# PDFium marks a hyphen at the end of a line by U+0002 or U+FFFE; a soft hyphen shows there alone.
_HYPHEN = "\u00ad"
_CLEANED = _LIGATURES | {0x02: _HYPHEN, 0xFFFE: _HYPHEN, 0x2010: "-", 0x2011: "-", 0xA0: " ", 0: None, 0xFEFF: None}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

_PAGE_NUMBER = re.compile(
    r"(?:page )?[\[(–—-]?\s*(?:\d{1,4}|[ivxlc]{1,7})\s*[\])–—-]?(?: (?:of|/) \d+)?", re.IGNORECASE
)
_LEADER = re.compile(r"(?:\. ?){4,}\s*[\divxlc]{0,6}\s*\Z", re.IGNORECASE)
_BULLET = re.compile(r"(?:[•‣▪◦●■–*\uf0b7\uf0a7]|\d{1,3}[.)]|\([a-z\d]\))\s+(?=\S)")
_CLOSED = re.compile(r"[.!?:;…][\"'”’)\]]*\Z")
_LOWER = re.compile(r"[\"'“‘(\[]*[a-z]")
_BROKEN_WORD = re.compile(r"([^\W\d_]+)(?:-|\u00ad)\Z")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_NUMBERED = re.compile(
    r"\A(?:(?i:chapter|part|appendix|section)\s+(?:\d+|[A-Z]|[IVXLC]+)[.:]?\s+|(?:\d+|[A-Z]\.)(?:\.?\d+)*[.:]?\s+)"
)
_MARGIN_LINES = 2
_REPEATED = 3
_LARGER = 1.12
_HEADING_CHARS = 120
_GAP = 1.45
_RUN = 10
_SAME_LINE = 0.3
_NOTE_MARK = re.compile(r"[\d*†‡]{1,3}")
_FOOTNOTES = 12


@dataclass(frozen=True)
class Line:
    """A line of a page: its text, and its place in points from the left and the top."""

    text: str
    left: float
    right: float
    top: float
    size: float
    is_code: bool = False


@dataclass(frozen=True)
class Mark:
    """An entry of an outline: its level from 0, its page from 0, and how far down it points, if it says so."""

    title: str
    level: int
    page: int
    top: float | None


@dataclass
class Block:
    """A heading (level 1 and up) or a paragraph (level 0) while it grows."""

    level: int
    text: str
    last: Line
    is_item: bool = False


def cleaned(text: str) -> str:
    """Return *text* with its ligatures taken apart and without the marks of a typesetter."""
    return _CONTROL.sub(" ", text.translate(_CLEANED))


def book(title: str, pages: Sequence[Sequence[Line]], outline: Sequence[Mark]) -> Book:
    """Return the paragraphs of a book below its outline; where it has none, below headings by size or runs of pages."""
    kept = _without_heads([_whole(page) for page in pages], outline)
    body = _body(kept)
    has_code = sum(line.is_code for page in kept for line in page) * 2 < sum(map(len, kept))
    sizes = [] if outline else _heading_sizes(kept, body.size)
    words = Counter(word.casefold() for page in kept for line in page for word in _WORD.findall(line.text))
    blocks: list[Block] = []
    for number, page in enumerate(kept):
        marks = _placed([mark for mark in outline if mark.page == number], page)
        if not outline and not sizes and number % _RUN == 0:
            last = min(number + _RUN, len(kept))
            blocks.append(Block(2, f"Pages {number + 1}–{last}", replace(body, text="")))
        _add_page(blocks, page, marks, sizes, body, words, has_code=has_code)
    found = gathered((block.level, block.text.replace(_HYPHEN, "")) for block in blocks)
    return Book(title or found.title, found.paragraphs)


def _add_page(
    blocks: list[Block],
    page: Sequence[Line],
    marks: dict[int, list[Mark]],
    sizes: Sequence[float],
    body: Line,
    words: Counter[str],
    *,
    has_code: bool,
) -> None:
    inside = 0
    is_first = True
    before = blocks[-1] if blocks else None
    for place, line in enumerate([*page, None]):
        for mark in marks.get(place, ()):
            before = Block(mark.level + 2, mark.title, replace(body, text=""))
            blocks.append(before)
            inside = _title_lines(mark, page[place:])
        if inside:
            inside -= 1
            continue
        if line is None or _LEADER.search(line.text) or (line.is_code and has_code):
            continue
        level = _level(line, sizes, body.size)
        if is_first and not level:
            before = _open_before(blocks, line)
        if before is not None and _goes_on(before, line, level, body, is_first=is_first):
            before.text = joined(before.text, line.text, words)
            before.last = line
        else:
            bullet = _BULLET.match(line.text)
            text = line.text[bullet.end() :] if bullet and not level else line.text
            before = Block(level, text, line, is_item=bool(bullet))
            blocks.append(before)
        is_first = False


def _open_before(blocks: Sequence[Block], line: Line) -> Block | None:
    """Return the paragraph that the first line of a page may go on: footnotes, in smaller letters, stand in between."""
    for block in reversed(blocks[-_FOOTNOTES:]):
        if block.level or block.last.size >= line.size:
            return block
    return None


def _goes_on(before: Block, line: Line, level: int, body: Line, *, is_first: bool) -> bool:
    last = before.last
    if not last.text or level != before.level or _BULLET.match(line.text):
        return False
    if abs(last.size - line.size) > 0.08 * max(last.size, line.size):
        return False
    if level:
        return not is_first and abs(line.top - last.top) < 2 * line.size
    is_open = not _CLOSED.search(last.text)
    if is_first or line.top < last.top - 1 or line.top - last.top > _GAP * body.top:
        # On to the next page or column, or over a figure: only in the middle of a sentence.
        return is_open and bool(_LOWER.match(line.text))
    is_set_in = line.left - last.left > 0.8 * body.size
    if is_open:
        # A short line before one that is set in is the term that it explains.
        return not (is_set_in and last.right < 0.7 * body.right)
    is_set_out = last.left - line.left > 0.8 * body.size and before.is_item
    is_short = last.right < body.right - 4 * body.size and line.left <= last.left + 1
    return not ((is_set_in and not before.is_item) or is_set_out or is_short)


def joined(text: str, line: str, words: Counter[str]) -> str:
    """Return *text* with *line* behind it; a word that was broken over the two is put together.

    Whether its hyphen stays goes by which of both forms stands elsewhere in the book, and by the case of what follows.
    """
    broken = _BROKEN_WORD.search(text)
    rest = _WORD.match(line)
    if broken is None or rest is None:
        return f"{text} {line}"
    whole, kept = broken[1] + rest[0], f"{broken[1]}-{rest[0]}"
    is_lower = rest[0][0].islower()
    is_one_word = words[whole.casefold()] >= words[kept.casefold()] if is_lower else False
    is_one_word = is_one_word or (is_lower and text.endswith(_HYPHEN) and not words[kept.casefold()])
    return text[: broken.start()] + (whole if is_one_word else kept) + line[rest.end() :]


def _whole(page: Sequence[Line]) -> list[Line]:
    """Put pieces that stand on one line together, and leave out raised numbers that stand for themselves."""
    whole: list[Line] = []
    for line in page:
        last = whole[-1] if whole else None
        is_beside = last is not None and abs(line.top - last.top) < _SAME_LINE * last.size
        if last is None or not is_beside or not -1 < line.left - last.right < 2 * last.size:
            whole.append(line)
        elif line.size < last.size and _NOTE_MARK.fullmatch(line.text):
            continue
        else:
            text = f"{last.text} {line.text}"
            whole[-1] = replace(last, text=text, right=line.right, is_code=last.is_code and line.is_code)
    return whole


def _without_heads(pages: Sequence[Sequence[Line]], outline: Sequence[Mark]) -> list[list[Line]]:
    """Take page numbers away, titles of the outline beside one, and each running head or foot but the first of it."""
    edges = [_edge(page) for page in pages]
    times = Counter(key for page, edge in zip(pages, edges, strict=True) for key in {_wording(page[n]) for n in edge})
    seen: set[str] = set()
    kept: list[list[Line]] = []
    titles = {_letters(mark.title) for mark in outline}
    for number, (page, edge) in enumerate(zip(pages, edges, strict=True)):
        here = {_letters(mark.title) for mark in outline if mark.page == number}
        stays: list[Line] = []
        for place, line in enumerate(page):
            key = _wording(line)
            is_edge = place in edge
            if is_edge and (_PAGE_NUMBER.fullmatch(line.text) or _is_numbered_title(line.text, titles, here)):
                continue
            if is_edge and times[key] >= _REPEATED:
                if key in seen or not key:
                    continue
                seen.add(key)
            stays.append(line)
        kept.append(stays)
    return kept


def _is_numbered_title(text: str, titles: set[str], here: set[str]) -> bool:
    ahead, behind = re.sub(r"\A\d+\s+", "", text), re.sub(r"\s+\d+\Z", "", text)
    # With a number ahead it may be the very heading, where that is on this page.
    return (behind != text and _letters(behind) in titles) or (ahead != text and _letters(ahead) in titles - here)


def _edge(page: Sequence[Line]) -> set[int]:
    """Return the places of the lines that stand first and last on the paper, in whatever order they were set."""
    order = sorted(range(len(page)), key=lambda place: page[place].top)
    return {*order[:_MARGIN_LINES], *order[-_MARGIN_LINES:]}


def _wording(line: Line) -> str:
    """Return what stays the same in a running head from page to page: in a sentence all of it, else all but numbers."""
    if _CLOSED.search(line.text):
        return line.text
    return re.sub(r"\W|\d|\b[ivxlc]+\b", "", line.text.casefold())


def _body(pages: Sequence[Sequence[Line]]) -> Line:
    """Return the measures of running text: its usual size, right edge, and (as `top`) distance of two lines."""
    sizes: Counter[float] = Counter()
    rights: Counter[int] = Counter()
    pitches: Counter[float] = Counter()
    for page in pages:
        for line in page:
            if not line.is_code:
                sizes[line.size] += len(line.text)
    size = sizes.most_common(1)[0][0] if sizes else 1.0
    for page in pages:
        for above, below in pairwise(page):
            if above.size == below.size == size and 0 < below.top - above.top < 3 * size:
                pitches[round(below.top - above.top, 1)] += 1
                rights[round(above.right)] += 1
    right = max((place for place, number in rights.items() if number * 10 >= max(rights.values())), default=0)
    return Line("", 0.0, float(right), pitches.most_common(1)[0][0] if pitches else 1.2 * size, size)


def _heading_sizes(pages: Sequence[Sequence[Line]], body: float) -> list[float]:
    found = {line.size for page in pages for line in page if _looks_like_heading(line, body)}
    return sorted(found, reverse=True)


def _looks_like_heading(line: Line, body: float) -> bool:
    is_large = line.size > _LARGER * body and not line.is_code
    return is_large and len(line.text) <= _HEADING_CHARS and any(mark.isalpha() for mark in line.text)


def _level(line: Line, sizes: Sequence[float], body: float) -> int:
    return min(sizes.index(line.size) + 1, 4) if line.size in sizes and _looks_like_heading(line, body) else 0


def _placed(marks: Sequence[Mark], page: Sequence[Line]) -> dict[int, list[Mark]]:
    """Return before which line of the page each entry of the outline stands."""
    found: dict[int, list[Mark]] = {}
    for mark in marks:
        place = next((n for n in range(len(page)) if _title_lines(mark, page[n:])), None)
        if place is None and mark.top is not None:
            place = next((n for n, line in enumerate(page) if line.top >= mark.top - 0.3 * line.size), len(page))
        found.setdefault(place or 0, []).append(mark)
    return found


def _title_lines(mark: Mark, lines: Sequence[Line]) -> int:
    """Return how many of the first lines are the title of *mark*, with or without its number; 0 where they are not."""
    title = _letters(mark.title)
    text = ""
    for number, line in enumerate(lines[:3], 1):
        text += _letters(line.text)
        if title and text == title:
            return number
    return 0


def _letters(text: str) -> str:
    return re.sub(r"\W", "", _NUMBERED.sub("", text).casefold())
