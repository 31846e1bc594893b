"""How long something takes, from what books say about it, in hours of working time. Pure.

A day has 8 hours, a week 5 days, a month 20 days, a quarter 3 months, a year 12 months. What is not understood in
full is unknown, and never zero; so is what takes longer than anybody plans, which is a slip or a joke.
"""

from __future__ import annotations

import re
from statistics import median
from typing import TYPE_CHECKING, Any

from booksynth import texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HOURS_PER_DAY = 8.0
HOURS_PER_WEEK = 40.0
HOURS_PER_MONTH = 160.0
# 50 years of one person.
MOST_HOURS = 100_000.0
DIGITS = 2

_UNITS = {
    "minute": 1 / 60, "min": 1 / 60, "hour": 1.0, "hr": 1.0, "h": 1.0, "day": HOURS_PER_DAY, "d": HOURS_PER_DAY,
    "week": HOURS_PER_WEEK, "wk": HOURS_PER_WEEK, "w": HOURS_PER_WEEK, "month": HOURS_PER_MONTH, "mo": HOURS_PER_MONTH,
    "quarter": 3 * HOURS_PER_MONTH, "year": 12 * HOURS_PER_MONTH, "yr": 12 * HOURS_PER_MONTH,

}  # fmt: skip
_WORDS = {
    "a couple of": 2.0, "half a": 0.5, "half an": 0.5, "a half": 0.5, "half": 0.5, "an": 1.0, "a": 1.0, "one": 1.0,
    "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0, "six": 6.0, "seven": 7.0, "eight": 8.0, "nine": 9.0,
    "ten": 10.0, "twelve": 12.0,
}  # fmt: skip
_NUMBER = r"(?:\d{1,6}(?:,\d{3})*(?:\.\d{1,6})?|" + "|".join(sorted(_WORDS, key=len, reverse=True)) + ")"
_UNIT = "(?:person|man|working|business|work)?[ -]?(" + "|".join(sorted(_UNITS, key=len, reverse=True)) + r")s?\.?"
_ABOUT = r"(?:(?:about|around|approximately|approx\.?|roughly|circa|ca\.?|est\.?|estimated|~|≈)\s*)?"
_RANGE = re.compile(rf"{_ABOUT}(?:between\s+)?({_NUMBER})\s*(?:{_UNIT})?\s*(?:-|to|or|and)\s*({_NUMBER})\s*-?{_UNIT}")
_SINGLE = re.compile(rf"{_ABOUT}({_NUMBER})\s*-?{_UNIT}(?:\s+and\s+a\s+half)?")
_UP_TO = re.compile(rf"(?:up to|at most|less than|under|<)\s*({_NUMBER})\s*-?{_UNIT}")
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"))


def hours(text: str) -> tuple[float, float] | None:
    """Return the least and the most hours that *text* states, or None where it is not understood in full.

    Both are above 0 and at most `MOST_HOURS`.
    """
    # Small letters first: a search that ignores case takes a dotless "\u0131" for an "i", and no table has it.
    words = " ".join(text.lower().translate(_DASHES).split())
    found = _range(words.strip(" .").removesuffix(" of work").removesuffix(" per person"))
    return found if found is not None and 0 < found[0] <= found[1] <= MOST_HOURS else None


def _range(plain: str) -> tuple[float, float] | None:
    if found := _RANGE.fullmatch(plain):
        low, low_unit, high, high_unit = found.groups()
        least = _number(low) * _UNITS[low_unit or high_unit]
        most = _number(high) * _UNITS[high_unit]
        return least, most
    if found := _UP_TO.fullmatch(plain):
        most = _number(found[1]) * _UNITS[found[2]]
        # Nothing is said about the least; it is surely not zero, and taken as the most would be.
        return most, most
    if found := _SINGLE.fullmatch(plain):
        one = _number(found[1]) * _UNITS[found[2]]
        if plain.endswith("and a half"):
            one += _UNITS[found[2]] / 2
        return one, one
    return None


def effort(stated: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    """Return the range and median of what books say, with one voice for each book.

    Args:
        stated: The estimates of each book, by the key of the book.
    """
    ranges: list[tuple[float, float]] = []
    middles: list[float] = []
    unknown: set[str] = set()
    for texts_of_book in stated.values():
        own = []
        for text in sorted(set(texts_of_book)):
            found = hours(text)
            if found is not None:
                own.append(found)
            elif text.strip():
                unknown.add(text)
        if own:
            ranges += own
            middles.append(median((low + high) / 2 for low, high in own))
    return {
        "median_hours": round(median(middles), DIGITS) if middles else None,
        "low_hours": round(min(low for low, _ in ranges), DIGITS) if ranges else None,
        "high_hours": round(max(high for _, high in ranges), DIGITS) if ranges else None,
        "stated": len(middles),
        "unknown": sorted(unknown, key=lambda text: (texts.key(text), text)),
    }


def _number(text: str) -> float:
    return _WORDS[text] if text in _WORDS else float(text.replace(",", ""))
