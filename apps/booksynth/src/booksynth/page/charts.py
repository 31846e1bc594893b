"""What the charts of the page show: rows of counts, each with the length of its bar. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from booksynth.page.model import Document, Recommendation
from booksynth.page.wording import counted, priority_class, priority_word, votes

THEMES_SHOWN = 12
CONTESTED_SHOWN = 10
MOST_BOOKS = 6


@dataclass(frozen=True)
class Part:
    """A piece of a bar: `percent` of the full length, in whole numbers, for a class of the style sheet."""

    kind: str
    percent: int
    count: int
    text: str


@dataclass(frozen=True)
class Row:
    """A bar with its label; `narrow` is what the list is narrowed to, and `target` the entry that it leads to."""

    label: str
    parts: list[Part]
    text: str
    narrow: str = ""
    target: str = ""


def percent(count: int, whole: int) -> int:
    """Return the share in whole percents; what is there at all has at least one."""
    return max(1, min(100, round(100 * count / whole))) if count and whole else 0


def agreement(document: Document) -> list[Row]:
    """Return how many recommendations are said by one book, by two, and so on; the last row takes all above."""
    found = Counter(min(one.book_count, MOST_BOOKS) for one in document.recommendations)
    most = max(found.values(), default=0)
    return [
        Row(
            f"{n}{' or more' if n == MOST_BOOKS else ''} {'book' if n == 1 else 'books'}",
            [Part("one" if n == 1 else "several", percent(found[n], most), found[n], f"{found[n]:,}")],
            f"{found[n]:,}",
            f"said={n}",
        )
        for n in range(1, MOST_BOOKS + 1)
        if found[n]
    ]


def priorities(document: Document) -> list[Row]:
    """Return how many recommendations have which priority; those of the books' own words are one row."""
    found = Counter(priority_class(one.priority) for one in document.recommendations)
    words = {priority_class(name): priority_word(name) for name in ("critical", "important", "nice_to_have")}
    most = max(found.values(), default=0)
    return [
        Row(
            word.capitalize(),
            [Part(name, percent(found[name], most), found[name], "")],
            f"{found[name]:,}",
            f"priority={name}",
        )
        for name, word in {**words, "other": "other words"}.items()
        if found[name]
    ]


def books(document: Document) -> list[Row]:
    """Return the books with content, by what they say: with others, and alone. Most comes first."""
    titles = list(dict.fromkeys(book.title for book in document.books))
    alone: Counter[str] = Counter()
    shared: Counter[str] = Counter()
    for one in document.recommendations:
        (shared if one.book_count > 1 else alone).update(set(one.books))
    sums = {title: shared[title] + alone[title] for title in titles if shared[title] + alone[title]}
    most = max(sums.values(), default=0)
    return [
        Row(
            title,
            [
                Part("several", percent(shared[title], most), shared[title], f"{shared[title]:,} said by others too"),
                Part("one", percent(alone[title], most), alone[title], f"{alone[title]:,} said by this book alone"),
            ],
            f"{sums[title]:,}",
            f"book={titles.index(title)}",
        )
        for title in sorted(sums, key=lambda title: (-sums[title], title))
    ]


def themes(document: Document) -> list[Row]:
    """Return the themes with entries on the list, by number of books; most comes first."""
    listed = Counter(one.theme for one in document.recommendations)
    ranked = [one for one in document.themes if listed[one.id]]
    ranked.sort(key=lambda one: (-one.book_count, -listed[one.id], one.title, one.id))
    most = max((one.book_count for one in ranked), default=0)
    places = {one.id: place for place, one in enumerate(document.themes)}
    return [
        Row(
            one.title,
            [Part("several", percent(one.book_count, most), one.book_count, "")],
            f"{counted(one.book_count, 'book')}, {counted(listed[one.id], 'entry', 'entries')}",
            f"theme={places[one.id]}",
        )
        for one in ranked
    ]


def is_contested(one: Recommendation) -> bool:
    """Tell whether books differ on how much it matters."""
    return len(one.priority_votes) > 1


def contested(document: Document) -> list[Row]:
    """Return the recommendations whose priority the books differ on, most dissent first."""
    found = [one for one in document.recommendations if is_contested(one)]
    found.sort(key=_dissent)
    return [Row(one.title, split(one), votes(one.priority_votes), target=one.id) for one in found]


def _dissent(one: Recommendation) -> tuple[int, float, str]:
    all_votes = sum(one.priority_votes.values())
    against = all_votes - max(one.priority_votes.values())
    return -against, -against / all_votes if all_votes else 0.0, one.id


def split(one: Recommendation) -> list[Part]:
    """Return the votes of one recommendation as pieces of a full bar."""
    whole = sum(one.priority_votes.values())
    return [
        Part(priority_class(name), percent(count, whole), count, f"{count:,} {priority_word(name)}")
        for name, count in one.priority_votes.items()
    ]
