"""The steps of a merged recommendation: those of one record first, then what others add, with votes. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from booksynth import terms, texts

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 10
# Two steps say the same where so much of their stems is common; the two numbers are exact.
SAME = (1, 2)

_NUMBERED = re.compile(r"\A\s*(?:step\s+\d+\s*[:.)-]|\d+[.)])\s*(?=\S)", re.IGNORECASE)

Step = dict[str, Any]


class _Found:
    """A step, with what it is compared by and the books that give it."""

    def __init__(self, text: str, stems: frozenset[str]) -> None:
        self.text = text
        self.stems = stems
        self.books: set[str] = set()


def plain(text: str) -> str:
    """Return *text* without a number before it, on one line: among other steps the number would be wrong."""
    return _NUMBERED.sub("", " ".join(text.split()), count=1)


def voted(own: Iterable[str], others: Iterable[tuple[str, str]]) -> tuple[list[Step], list[Step]]:
    """Return the first steps and the further ones, each with the number of books that give it.

    Args:
        own: The steps of the record whose text stands for all; they come first, in their order.
        others: Every step of every record, those of *own* too, each behind the key of its book. A step that says
            nothing new is a vote for the one that says it already; what is new comes behind, by votes.
    """
    found: list[_Found] = []
    for text in own:
        _place(found, text)
    leading = len(found)
    for book, text in others:
        place = _place(found, text)
        if place is not None:
            place.books.add(book)
    added = sorted(found[leading:], key=lambda one: -len(one.books))
    listed = [{"text": one.text, "votes": len(one.books)} for one in [*found[:leading], *added]]
    return listed[:MOST], listed[MOST:]


def _place(found: list[_Found], text: str) -> _Found | None:
    """Return the step that says what *text* says, which is a new one where none does; None where it is empty."""
    shown = plain(text)
    if not shown:
        return None
    stems = frozenset(terms.stems(shown)) or frozenset([texts.key(shown)])
    for one in found:
        common = len(one.stems & stems)
        if common * SAME[1] >= len(one.stems | stems) * SAME[0]:
            return one
    found.append(_Found(shown, stems))
    return found[-1]
