"""Themes: which recommendations belong together, though they do not say the same. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from booksynth import texts

if TYPE_CHECKING:
    from collections.abc import Sequence

Entry = dict[str, Any]


def group(entries: Sequence[Entry], themes: Sequence[Sequence[int]], min_confidence: float) -> list[dict[str, Any]]:
    """Return the themes of *entries* (places of them), and name its theme in each entry.

    Only recommendations of at least *min_confidence* count, and no theme is of fewer than two. A theme is called by
    the recommendation that most books give.
    """
    found = []
    for places in themes:
        held = [entries[place] for place in places if entries[place]["confidence"] >= min_confidence]
        if len(held) < 2:
            continue
        held.sort(key=lambda entry: (-entry["book_count"], -len(entry["sources"]), entry["title"], entry["id"]))
        ids = [entry["id"] for entry in held]
        books = sorted({book for entry in held for book in entry["books"]})
        theme = f"theme-{texts.digest(sorted(ids))[:16]}"
        for entry in held:
            entry["theme"] = theme
        found.append(
            {
                "id": theme,
                "title": held[0]["title"],
                "recommendations": ids,
                "books": books,
                "book_count": len(books),
            }
        )
    return sorted(found, key=lambda one: (-one["book_count"], -len(one["recommendations"]), one["title"], one["id"]))
