"""The steps of a merged recommendation: those of one record first, then what others add, with votes. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from booksynth import terms, texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST = 10
# Two steps say the same where so much of their stems is common; the two numbers are exact.
SAME = (1, 2)

# A point or a dash counts only before a space: "0.5% of requests" and "Step 2.5" begin with no number of a list.
NAMED = r"step\s+\d+\s*(?:[:)]\s*|[.-]\s+)"
_NUMBERED = re.compile(rf"\A\s*(?:{NAMED}|\d+[.)]\s+)(?=\S)", re.IGNORECASE)

Step = dict[str, Any]


class _Found:
    """A step, with what it is compared by, the books that give it, and the number of the record that gave it first."""

    def __init__(self, text: str, key: str, record: int) -> None:
        self.text = text
        self.record = record
        self.words = frozenset(key.split()) or frozenset([key])
        self.stems = frozenset(terms.stems(text)) or frozenset([key])
        self.books: set[str] = set()


def plain(text: str) -> str:
    """Return *text* without a number before it, on one line: among other steps the number would be wrong."""
    return _NUMBERED.sub("", " ".join(text.split()), count=1)


def voted(own: Iterable[str], others: Iterable[tuple[str, Sequence[str]]]) -> tuple[list[Step], list[Step]]:
    """Return the first steps and the further ones, each with the number of books that give it.

    No step is lost: what is in neither list has the key of a listed one, or is like one of another record. Steps of
    one record are never compared with each other: "before" and "after" tell two apart, and are no stems.

    Args:
        own: The steps of the record whose text stands for all; they come first, in their order.
        others: The steps of each record, those of *own* too, each list behind the key of its book. A step that says
            nothing new is a vote for the one that says it already; what is new comes behind, by votes.
    """
    found: dict[str, _Found] = {}
    for text in own:
        _place(found, text, 0)
    leading = len(found)
    for record, (book, said) in enumerate(others, 1):
        for text in said:
            place = _place(found, text, record)
            if place is not None:
                place.books.add(book)
    listed = list(found.values())
    added = sorted(listed[leading:], key=lambda one: -len(one.books))
    steps = [{"text": one.text, "votes": len(one.books)} for one in [*listed[:leading], *added]]
    return steps[:MOST], steps[MOST:]


def _place(found: dict[str, _Found], text: str, record: int) -> _Found | None:
    """Return the step that says what *text* says, which is a new one where none does; None where it is empty."""
    shown = plain(text)
    if not shown:
        return None
    key = texts.key(shown)
    if key in found:
        return found[key]
    one = _Found(shown, key, record)
    # The own steps of the first record stand among its others too, and there each has its key.
    alike = [other for other in found.values() if other.record != record and _is_same(one.stems, other.stems)]
    if alike:
        return max(alike, key=lambda other: (_share(one.stems, other.stems), _share(one.words, other.words)))
    found[key] = one
    return one


def _is_same(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) * SAME[1] >= len(one | other) * SAME[0]


def _share(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)
