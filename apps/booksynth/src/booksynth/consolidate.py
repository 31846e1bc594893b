"""The consolidation: a pure function of the shards and the settings.

No clock, no host, no folder, and no order of completion has a part in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from booksynth.clusters import clusters
from booksynth.dependencies import resolve
from booksynth.entries import Entry, merge, order, severity
from booksynth.shelf import Book, books
from booksynth.themes import group

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from booksynth.settings import Phase3Settings
    from booksynth.shards import Problem, Shard

FORMAT = "booksynth/consolidated-recommendations"
# Counts up when the same shards give another document: cached results are then made anew.
FORMAT_VERSION = 2


@dataclass(frozen=True)
class Consolidation:
    """The document of the results, and what was found out about the files on the way."""

    document: dict[str, Any]
    problems: list[Problem]


def consolidate(
    shards: Mapping[str, Shard],
    file_problems: Iterable[Problem],
    settings: Phase3Settings,
    vectors: Mapping[str, str] | None = None,
) -> Consolidation:
    """Return the consolidated document of all *shards* (by file name).

    *file_problems* are those that reading found; the document lists them with the ones found here. *vectors* of all
    records, by digest, are needed where the settings ask for matching by embeddings.
    """
    shelf, found = books(shards, settings.max_field_chars)
    problems = sorted([*file_problems, *found], key=lambda one: (one.file, one.where, one.code))
    found_clusters = clusters(shelf, settings, vectors)
    merged = [merge(cluster) for cluster in found_clusters.clusters]
    cycles = resolve(merged, found_clusters.clusters)
    kept = [entry for entry in merged if entry["confidence"] >= settings.min_confidence]
    themes = group(merged, found_clusters.themes, settings.min_confidence)
    kept.sort(key=order)
    below = sorted((entry for entry in merged if entry["confidence"] < settings.min_confidence), key=order)
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "settings": settings.model_dump(mode="json"),
        "books": [_book(book) for book in shelf],
        "themes": themes,
        "recommendations": kept,
        "below_min_confidence": below,
        "dependency_cycles": cycles,
        "files_not_used": _not_used(shelf, problems),
        "problems": [
            {"file": one.file, "where": one.where, "code": one.code, "reason": one.reason} for one in problems
        ],
        "totals": {**_totals(shards, shelf, kept, below, problems), "themes": len(themes)},
    }
    return Consolidation(document, problems)


def _book(book: Book) -> dict[str, Any]:
    return {
        "title": book.title,
        "key": book.key,
        "recommendations": len(book.members),
        "raw": book.raw,
        "files": [{"file": one.file, "title": one.title, "role": one.role, "raw": one.raw} for one in book.trackers],
    }


def _not_used(shelf: list[Book], problems: list[Problem]) -> list[dict[str, str]]:
    used = {one.file for book in shelf for one in book.trackers if one.role == "used"}
    # Read backwards, so that the first problem stays: the one of the file as a whole has no path.
    why = {one.file: one for one in reversed(problems) if one.file not in used}
    return [{"file": name, "code": why[name].code, "reason": why[name].reason} for name in sorted(why)]


def _totals(
    shards: Mapping[str, Shard],
    shelf: list[Book],
    kept: list[Entry],
    below: list[Entry],
    problems: list[Problem],
) -> dict[str, Any]:
    by_priority: dict[str, int] = {}
    for entry in sorted(kept, key=lambda one: severity(one["priority"])):
        by_priority[entry["priority"]] = by_priority.get(entry["priority"], 0) + 1
    return {
        "files": len({*shards, *(one.file for one in problems)}),
        "files_used": sum(one.role == "used" for book in shelf for one in book.trackers),
        "books": len(shelf),
        "books_with_content": sum(bool(book.members) for book in shelf),
        "raw": sum(book.raw for book in shelf),
        "unique": sum(len(book.members) for book in shelf),
        "recommendations": len(kept),
        "below_min_confidence": len(below),
        "in_several_books": sum(entry["book_count"] > 1 for entry in kept),
        "by_priority": by_priority,
        "problems": len(problems),
    }
