"""Texts of books as the page shows them: nothing in them can steer it, and nothing hides."""

from __future__ import annotations

import unicodedata
from itertools import pairwise
from typing import Any

_KEPT = "\n\t\u00ad\u200b\u200c\u200d"
_STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_PRIORITIES = {"critical": "critical", "important": "important", "nice_to_have": "nice to have"}


def shown(text: str) -> str:
    r"""Return *text* with each sign that steers instead of being read as an escape (``\u202e``).

    Signs that change the direction of a line could make a text look like another one. Lines stay lines; joiners and
    hyphens that only show at the end of a line are part of the writing of languages, and stay.
    """
    if text.isprintable():
        return text
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(_escaped(char) if _steers(char) else char for char in lines)


def _steers(char: str) -> bool:
    return char not in _KEPT and unicodedata.category(char) in _STEERING


def _escaped(char: str) -> str:
    return ascii(char)[1:-1]


def number(value: float) -> str:
    """Return a number without needless digits: ``1,684``, ``2.5``, ``8``."""
    return f"{value:,.1f}".removesuffix(".0")


def share(value: float) -> str:
    """Return a share in two digits; what is not quite all never reads as all: ``0.99``."""
    return f"{min(value, 0.99) if value < 1 else value:.2g}" if value else "0"


def counted(value: int, one: str, many: str | None = None) -> str:
    """Return ``1 book``, ``2 books``."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def priority_word(priority: str) -> str:
    """Return a priority in words."""
    return _PRIORITIES.get(priority, priority)


def priority_class(priority: str) -> str:
    """Return the name that style and script know a priority by; a book's own word is never one."""
    return priority.replace("_", "-") if priority in _PRIORITIES else "other"


def votes(split: dict[str, int]) -> str:
    """Return a split of votes in words: ``2 critical, 1 nice to have``."""
    return ", ".join(f"{count:,} {priority_word(name)}" for name, count in split.items())


def hours(value: float) -> str:
    """Return ``1 hour``, ``2.5 hours``."""
    return f"{number(value)} {'hour' if value == 1 else 'hours'}"


def iterations(numbers: list[Any]) -> str:
    """Return the iterations of a source in words: ``iterations 1 to 15``."""
    if len(numbers) == 1:
        return f"iteration {numbers[0]}"
    # In pairs, and not against a range: 1 and 10**12 would make that a list without end.
    if all(type(one) is int for one in numbers) and all(after - one == 1 for one, after in pairwise(numbers)):
        return f"iterations {numbers[0]} to {numbers[-1]}"
    return f"iterations {', '.join(map(str, numbers))}"
