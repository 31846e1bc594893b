"""Consolidated documents made to measure, for the tests of the page; and the page, read as a browser would."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

STEP = "Look at it first"


def recommendation(title: str, *books: str, votes: Mapping[str, int] | None = None, **fields: Any) -> dict[str, Any]:
    """Return a recommendation that each of *books* gives in words of its own."""
    given = books or ("Book A",)
    split = dict(votes or {"important": len(given)})
    id_ = f"rec-{hashlib.sha256(title.encode(errors='replace')).hexdigest()[:16]}"
    return {
        "id": id_,
        "title": title,
        "priority": next(iter(split)),
        "priority_votes": split,
        "confidence": 1 - 0.5 ** len(given),
        "cohesion": 1.0 if len(given) == 1 else 0.71,
        "theme": None,
        "book_count": len(given),
        "books": list(given),
        "category_votes": {"Speed": len(given)},
        "description": f"Why: {title}.",
        "technical_details": "Plain files.",
        "implementation_steps": [{"text": f"Step 1: {STEP}", "votes": len(given)}, {"text": "Do it", "votes": 1}],
        "further_steps": [],
        "expected_impact": "Less waiting",
        "effort": {"median_hours": 8.0, "low_hours": 4.0, "high_hours": 12.5, "stated": 2, "unknown": ["Ongoing"]},
        "dependencies": [],
        "titles": [title],
        "members": [f"{id_}-{n}" for n in range(len(given))],
        "variants": [_variant(title, id_, n) for n in range(len(given))],
        "sources": [_source(title, id_, n, book) for n, book in enumerate(given)],
        "synthesis": {"by": "merge", "reason": None},
        **fields,
    }


def _variant(title: str, id_: str, n: int) -> dict[str, Any]:
    fields = {"title": title, "description": f"Wording {n} of {title}", "implementation_steps": [f"Original step {n}"]}
    return {"digest": f"{id_}-{n}", "fields": fields}


def _source(title: str, id_: str, n: int, book: str) -> dict[str, Any]:
    return {
        "book": book,
        "file": f"{book.replace(' ', '_')}_convergence_tracker.json",
        "bucket": "important",
        "iterations": [1, 2, 3],
        "where": "$.iterations[0]",
        "chapter": f"Chapter {n + 1}",
        "title": title,
        "variant": f"{id_}-{n}",
    }


def document(*entries: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a whole document of *entries*; those with a theme stand in it."""
    titles = sorted({book for one in entries for book in one["books"]})
    themes: dict[str, list[dict[str, Any]]] = {}
    for one in entries:
        if one["theme"] is not None:
            themes.setdefault(one["theme"], []).append(one)
    return {
        "format": "booksynth/consolidated-recommendations",
        "format_version": 2,
        "settings": {"min_confidence": 0.0},
        "books": [
            {"title": title, "key": title.lower(), "recommendations": 1, "raw": 3, "files": []} for title in titles
        ],
        "themes": [_theme(name, some) for name, some in themes.items()],
        "recommendations": list(entries),
        "below_min_confidence": [],
        "dependency_cycles": [],
        "files_not_used": [],
        "problems": [],
        "totals": {"raw": 3 * len(entries), "unique": len(entries), "books_with_content": len(titles)},
        **changes,
    }


def _theme(name: str, some: list[dict[str, Any]]) -> dict[str, Any]:
    books = sorted({book for one in some for book in one["books"]})
    return {
        "id": name,
        "title": f"All about {name}",
        "recommendations": [one["id"] for one in some],
        "books": books,
        "book_count": len(books),
    }


@dataclass
class Page(HTMLParser):
    """A page taken apart: each start tag with its attributes, and the text of each element in one string."""

    html: str
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    sheets: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self._last = ""
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._last = tag
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self._last = ""

    def handle_data(self, data: str) -> None:
        if self._last in {"style", "script"}:
            self.sheets[self._last] = self.sheets.get(self._last, "") + data
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        """All text that is read."""
        return "".join(self.texts)

    def all(self, tag: str) -> Iterable[dict[str, str | None]]:
        """Return the attributes of each element of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]
