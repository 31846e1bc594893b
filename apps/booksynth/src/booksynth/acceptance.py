"""What the books say about when a recommendation is done, and what they leave open. Pure; nothing is made up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from booksynth import texts
from booksynth.entries import Entry
from booksynth.steps import NAMED
from booksynth.summary import count, escape, split

IMPACT, STEP = "impact", "step"

STEP_NUMBER = re.compile(rf"\A\s*{NAMED}(?=\S)", re.IGNORECASE)
# A step that looks at what was done: it begins with one of these, or holds one of the phrases.
_CHECKS = re.compile(
    r"\A\W*(?:(?:then|finally|and|now|re-?)\W*)?"
    r"(?:verify|validate|check|confirm|test|measure|compare|benchmark|assert|prove|review|audit|monitor|track|watch|"
    r"rehearse|inspect|evaluate|re-?run|re-?measure)\b"
    r"|\b(?:make sure|ensure|see) (?:that|whether)\b|\bacceptance (?:test|criteri)|\bbefore and after\b",
    re.IGNORECASE,
)


class Needed(Protocol):
    """What is used of a prerequisite."""

    @property
    def id(self) -> str | None:
        """Which recommendation it names, if any."""


@dataclass(frozen=True)
class Check:
    """How to tell that it is done, word for word; *kind* is ``impact`` or ``step``, *books* say it."""

    kind: str
    text: str
    books: tuple[str, ...]


def acceptance(entry: Entry) -> list[Check]:
    """Return the checks that the books give: what they expect of it, then the steps that look at what was done."""
    return [*_said(entry, IMPACT, _impacts), *_said(entry, STEP, _checking_steps)]


def _impacts(fields: Entry) -> Iterator[str]:
    text = fields.get("expected_impact")
    if isinstance(text, str):
        yield text


def _checking_steps(fields: Entry) -> Iterator[str]:
    for step in fields.get("implementation_steps") or ():
        if isinstance(step, str) and _CHECKS.search(plain := STEP_NUMBER.sub("", step, count=1)):
            yield plain


def _said(entry: Entry, kind: str, texts_of: object) -> list[Check]:
    """Return what each wording says, one check for all that say the same, in the order of most books."""
    books_of: dict[str, set[str]] = {}
    for source in entry["sources"]:
        books_of.setdefault(source["variant"], set()).add(source["book"])
    shown: dict[str, str] = {}
    books: dict[str, set[str]] = {}
    assert callable(texts_of)
    for variant in entry["variants"]:
        for text in texts_of(variant["fields"]):
            if not text.strip():
                continue
            key = texts.key(text)
            shown[key] = min(shown.get(key, text.strip()), text.strip())
            books.setdefault(key, set()).update(books_of.get(variant["digest"], ()))
    keys = sorted(shown, key=lambda key: (-len(books[key]), shown[key]))
    return [Check(kind, shown[key], tuple(sorted(books[key]))) for key in keys]


def open_points(
    entry: Entry, needed: Iterable[Needed], checks: Iterable[Check], low_cohesion: float
) -> list[tuple[str, str]]:
    """Return what a person has to decide or find out, as code and Markdown; nothing is made up for it.

    Args:
        entry: The recommendation.
        needed: What it depends on.
        checks: What the books say about when it is done.
        low_cohesion: Members that are less alike than this on average are to be looked at. 0 to 1.
    """
    points = []
    if len(entry["priority_votes"]) > 1:
        points.append(("priority", f"The books differ on the priority: {split(entry['priority_votes'])}."))
    if not entry["implementation_steps"]:
        points.append(("steps", "No book gives steps."))
    points += _effort_points(entry)
    if not list(checks):
        points.append(("acceptance", "No book says how to tell that it is done."))
    if len(entry["variants"]) > 1:
        points.append(("wordings", _wordings(entry, low_cohesion)))
    needed = list(needed)
    unknown = sum(one.id is None for one in needed)
    if unknown:
        points.append(("prerequisites", f"{count(unknown, 'prerequisite')} that nothing on the shelf explains."))
    # One that names itself is no cycle that anybody has to break.
    if any(one["is_cyclic"] and one["id"] != entry["id"] for one in entry["dependencies"]):
        points.append(("cycle", "What it needs needs it in turn: the books give no order to do them in."))
    return points


def _effort_points(entry: Entry) -> Iterator[tuple[str, str]]:
    effort = entry["effort"]
    low, high = effort["low_hours"], effort["high_hours"]
    if not entry["time_estimates"]:
        yield "effort", "No book gives an estimate."
    elif low is not None and low != high:
        yield "effort", f"The estimates differ: {escape(', '.join(entry['time_estimates']))}."
    if effort["unknown"]:
        yield "effort-unknown", f"Not a number of hours: {escape(', '.join(effort['unknown']))}."


def _wordings(entry: Entry, low_cohesion: float) -> str:
    number = len(entry["variants"])
    if entry["cohesion"] < low_cohesion:
        return (
            f"{number} wordings were merged that are not much alike (cohesion {entry['cohesion']:.2f}); they may be "
            "more than one recommendation."
        )
    return f"{number} wordings were merged; see whether they mean the same."


def effort_text(entry: Entry) -> str:
    """Return the effort in words, as plain text: median and range, and what is no number as it was said."""
    effort = entry["effort"]
    low, median, high = effort["low_hours"], effort["median_hours"], effort["high_hours"]
    parts = []
    if median is not None:
        parts.append(hours(median) if low == high else f"{hours(median)} ({hours(low)} to {hours(high)})")
    parts += [f"“{one}”" for one in effort["unknown"]]
    return ", ".join(parts) or "not given"


def hours(number: float) -> str:
    """Return hours in words: ``8 hours``, ``2.5 hours``, ``1 hour``."""
    return f"{number:,.4g} hour{'' if number == 1 else 's'}" if number < 10_000 else f"{number:,.0f} hours"
