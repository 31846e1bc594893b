"""What the page shows of each recommendation. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from booksynth.page.charts import is_contested
from booksynth.page.model import Dependency, Document, Effort, Recommendation, Source, Theme
from booksynth.page.wording import counted, hours, priority_class

_WORDING = (
    ("description", "What"),
    ("technical_details", "Details"),
    ("implementation_steps", "Steps"),
    ("expected_impact", "Expected"),
    ("time_estimate", "Effort"),
)


@dataclass(frozen=True)
class Wording:
    """An original: its title and fields as they stand in the books, and the places where they do."""

    title: str
    fields: list[tuple[str, list[str]]]
    sources: list[Source]


@dataclass(frozen=True)
class Needed:
    """What comes before a recommendation; without `target`, no entry of the page has it."""

    text: str
    target: str
    title: str
    is_cyclic: bool


@dataclass(frozen=True)
class Card:
    """A recommendation with what the list is narrowed and sorted by."""

    one: Recommendation
    theme: Theme | None
    theme_place: int | None
    book_places: list[int]
    needs: list[Needed]

    @property
    def kind(self) -> str:
        """The priority as style and script know it."""
        return priority_class(self.one.priority)

    @property
    def is_contested(self) -> bool:
        """Whether the books differ on the priority."""
        return is_contested(self.one)

    @property
    def effort(self) -> str:
        """The effort in words."""
        return effort(self.one.effort)

    @cached_property
    def wordings(self) -> list[Wording]:
        """Every original with its sources; a lone one has no fields here, for the card shows them already."""
        places: dict[str, list[Source]] = {}
        for source in self.one.sources:
            places.setdefault(source.variant, []).append(source)
        is_lone = len(self.one.variants) == 1 and self.one.synthesis.by == "merge"
        return [
            Wording(
                text(variant.fields.get("title")),
                [] if is_lone else fields(variant.fields),
                places.get(variant.digest, []),
            )
            for variant in sorted(self.one.variants, key=lambda one: _by_book(places.get(one.digest, []), one.digest))
        ]


def _by_book(sources: list[Source], digest: str) -> tuple[str, str, str]:
    first = min(sources, key=lambda one: (one.book, one.chapter), default=None)
    return (first.book, first.chapter, digest) if first else ("", "", digest)


def cards(document: Document) -> list[Card]:
    """Return a card for each recommendation, in the order of the document."""
    titles = {one.id: one.title for one in document.recommendations}
    themes = {one.id: (place, one) for place, one in enumerate(document.themes)}
    books = {title: place for place, title in enumerate(dict.fromkeys(book.title for book in document.books))}
    return [_card(one, titles, themes, books) for one in document.recommendations]


def _card(
    one: Recommendation,
    titles: Mapping[str, str],
    themes: Mapping[str, tuple[int, Theme]],
    books: Mapping[str, int],
) -> Card:
    place, theme = themes.get(one.theme or "", (None, None))
    needs = [_needed(need, titles) for need in one.dependencies if need.id != one.id]
    return Card(one, theme, place, [books[title] for title in one.books if title in books], needs)


def _needed(need: Dependency, titles: Mapping[str, str]) -> Needed:
    target = need.id if need.id is not None and need.id in titles else ""
    return Needed(need.text, target, titles.get(target, ""), need.is_cyclic)


def effort(given: Effort) -> str:
    """Return an effort in words; what cannot be read as hours is quoted, and nothing is made up."""
    words = []
    if given.median_hours is not None:
        words.append(f"about {hours(given.median_hours)}")
        if given.low_hours is not None and given.high_hours is not None and given.low_hours < given.high_hours:
            words[0] += f", {hours(given.low_hours).split()[0]} to {hours(given.high_hours)}"
        if given.stated > 1:
            words[0] += f" in {counted(given.stated, 'estimate')}"
    words += [f"“{one}”" for one in given.unknown]
    return "; ".join(words) or "not given"


def fields(given: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Return the fields of an original that are read, by label; a list has a text for each of its values."""
    found = [(label, given.get(name)) for name, label in _WORDING]
    return [
        (label, [text(one) for one in value] if isinstance(value, list) else [text(value)])
        for label, value in found
        if value
    ]


def text(value: Any) -> str:
    """Return any JSON value as text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
