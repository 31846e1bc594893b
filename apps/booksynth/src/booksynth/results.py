"""The files of phase 3, made of its document: JSON, CSV, Markdown and a page. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from booksynth import exports, page, summary, texts
from booksynth.request import CONSOLIDATED, PAGE, SUMMARY, TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

COLUMNS = (
    "rank",
    "id",
    "title",
    "priority",
    "confidence",
    "cohesion",
    "book_count",
    "books",
    "theme",
    "median_hours",
    "low_hours",
    "high_hours",
    "steps",
    "sources",
    "description",
)


def render(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the text of each file, by its name."""
    return {
        CONSOLIDATED: json.dumps(document, ensure_ascii=False, indent=2) + "\n",
        SUMMARY: summary.render(dict(document)),
        TABLE: table(document),
        PAGE: page.render(document),
    }


def table(document: Mapping[str, Any]) -> str:
    """Return the recommendations as CSV; no cell of it can be a formula, or steer a terminal."""
    themes = {theme["id"]: theme["title"] for theme in document["themes"]}
    return exports.table(
        COLUMNS,
        (
            [
                rank,
                *(cell(entry[name]) for name in COLUMNS[1:7]),
                cell("; ".join(entry["books"])),
                cell(themes.get(entry["theme"], "")),
                *(entry["effort"][name] for name in COLUMNS[9:12]),
                cell("\n".join(step["text"] for step in entry["implementation_steps"])),
                len(entry["sources"]),
                cell(entry["description"]),
            ]
            for rank, entry in enumerate(document["recommendations"], 1)
        ),
    )


def cell(value: Any) -> Any:
    """Return a text as `exports.cell` does, with what could steer a terminal, tabs and returns among it, as escapes."""
    return exports.cell("\n".join(map(texts.printable, value.split("\n")))) if isinstance(value, str) else value
