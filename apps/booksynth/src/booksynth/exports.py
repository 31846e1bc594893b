"""The plans for other programs: a table for spreadsheets, and issues for trackers. Pure."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence

# What a spreadsheet takes for the beginning of a formula, also in its full-width forms.
_FORMULA = re.compile(r"\A[\s\0]*[=+\-@|%\uff1d\uff0b\uff0d\uff20]|\A[\t\r\n]")
_NOT_IN_LABEL = re.compile(r"[^\w.-]+")
# Trackers send a message to @name, link to #12, and GitLab does what a line says that begins with /name.
_CALL = re.compile(r"([@#!])(?=\w)")
_COMMAND = re.compile(r"^/", re.MULTILINE)
APART = "\u200b"
# GitHub takes 65,536 characters in a body; some signs count twice there.
MAX_BODY_CHARS = 30_000
MAX_TITLE_CHARS = 250
CUT = "\n\n(Cut here; the plan has the rest.)\n"


def cell(value: object) -> str:
    """Return *value* as text that no spreadsheet takes for a formula: such text gets an apostrophe in front."""
    if isinstance(value, int | float):
        return f"{value}"
    text = "" if value is None else str(value)
    return f"'{text}" if _FORMULA.search(text) else text


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a CSV file (RFC 4180: commas, quotes, CRLF) of *rows* under the names of *columns*."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([cell(value) for value in row] for row in rows)
    return text.getvalue()


def label(text: str) -> str:
    """Return *text* as a label without spaces, which every tracker takes."""
    return _NOT_IN_LABEL.sub("-", text).strip("-.") or "other"


def title(text: str) -> str:
    """Return *text* in one line, no longer than trackers take it."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_TITLE_CHARS else line[: MAX_TITLE_CHARS - 1] + "…"


def body(text: str) -> str:
    """Return *text* as the body of an issue; a longer one than trackers take is cut between lines.

    What stands in a book calls nobody, links to no other issue and is no command there: a sign without a width parts
    it.
    """
    text = _CALL.sub(f"\\1{APART}", _COMMAND.sub(f"{APART}/", text))
    if len(text) <= MAX_BODY_CHARS:
        return text
    head = text[: MAX_BODY_CHARS - len(CUT)]
    return (head.rpartition("\n")[0] or head) + CUT


def issues_json(issues: Iterable[Mapping[str, object]]) -> str:
    """Return a JSON list; each item is what GitHub's and Gitea's interface takes to make an issue."""
    taken = ("title", "body", "labels")
    rows = [{name: one[name] for name in taken} for one in issues]
    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"


def issues_csv(issues: Iterable[Mapping[str, object]]) -> str:
    """Return a CSV file whose first columns GitLab imports by name, and which Jira's importer maps field by field."""
    columns = ("title", "description", "labels", "priority", "estimate hours", "id")
    rows = [
        (one["title"], one["body"], " ".join(map(str, _list(one["labels"]))), one["priority"], one["hours"], one["id"])
        for one in issues
    ]
    return table(columns, rows)


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []
