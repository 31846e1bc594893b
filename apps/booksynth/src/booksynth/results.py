"""The files of phase 3, made of its document: JSON, CSV, Markdown and a page. Pure."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from booksynth import page, summary, texts
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
# With one of these in front a cell is a formula to a spreadsheet, also behind spaces.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "|", "%")


def render(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the text of each file, by its name."""
    return {
        CONSOLIDATED: json.dumps(document, ensure_ascii=False, indent=2) + "\n",
        SUMMARY: summary.render(dict(document)),
        TABLE: table(document),
        PAGE: page.render(document),
    }


def table(document: Mapping[str, Any]) -> str:
    """Return the recommendations as CSV; no cell of it can be a formula."""
    themes = {theme["id"]: theme["title"] for theme in document["themes"]}
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for rank, entry in enumerate(document["recommendations"], 1):
        hours = entry["effort"]
        writer.writerow(
            [
                rank,
                *(cell(entry[name]) for name in COLUMNS[1:7]),
                cell("; ".join(entry["books"])),
                cell(themes.get(entry["theme"], "")),
                *(hours[name] for name in COLUMNS[9:12]),
                cell("\n".join(step["text"] for step in entry["implementation_steps"])),
                len(entry["sources"]),
                cell(entry["description"]),
            ]
        )
    return buffer.getvalue()


def cell(value: Any) -> Any:
    """Return a text such that no spreadsheet runs it: an apostrophe stands before what would be a formula.

    Characters that could steer a terminal, tabs and carriage returns among them, appear as escapes.
    """
    if not isinstance(value, str):
        return value
    shown = "\n".join(map(texts.printable, value.split("\n")))
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) or shown[:1] == "\n" else shown
