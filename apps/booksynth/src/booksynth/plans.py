"""A plan for each recommendation of the consolidated document, and the index of all. Pure."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from booksynth import texts
from booksynth.entries import Entry
from booksynth.summary import code, count, escape, split, table, word

PLAN, SOURCES, DATA, INDEX = "PLAN.md", "SOURCES.md", "plan.json", "INDEX.md"
FORMAT = "booksynth/plan"
FORMAT_VERSION = 1
QUOTE = "quote"

_NOT_ALLOWED = re.compile(r"[^a-z0-9]+")
_NOT_IN_ID = re.compile(r"[^A-Za-z0-9-]")


@dataclass(frozen=True)
class Prerequisite:
    """What a recommendation depends on, as a book says it; with the plan that it names, if there is one."""

    text: str
    id: str | None
    title: str | None


def slug(title: str, max_chars: int) -> str:
    """Return *title* as a piece of a file name: a-z, 0-9 and single hyphens, cut between words; never empty."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = _NOT_ALLOWED.sub("-", plain).strip("-")
    if len(words) > max_chars:
        head = words[: max_chars + 1]
        words = head.rpartition("-")[0] if "-" in head else words[:max_chars]
    return words.strip("-") or "untitled"


def folder_of(id_: str, title: str, max_slug_chars: int) -> str:
    """Return the name of a plan's folder: the id, then the title in short."""
    return f"{_NOT_IN_ID.sub('', id_)}-{slug(title, max_slug_chars)}"


def prerequisites(entry: Entry, titles: Mapping[str, str]) -> list[Prerequisite]:
    """Return what *entry* depends on; *titles* are those of all recommendations that have a plan, by id."""
    return [
        Prerequisite(one["text"], one["id"], titles.get(one["id"] or ""))
        for one in entry["dependencies"]
        if one["id"] != entry["id"]
    ]


def versions(document: Mapping[str, Any]) -> dict[str, str]:
    """Return id to a digest of all that the plan shows, in the order of the document.

    A plan shows its recommendation, and the titles of those that it depends on.
    """
    titles = _titles(document)
    return {
        entry["id"]: texts.digest([entry, [one.title for one in prerequisites(entry, titles)]])
        for entry in document["recommendations"]
    }


def _titles(document: Mapping[str, Any]) -> dict[str, str]:
    return {entry["id"]: entry["title"] for entry in document["recommendations"]}


class Planner:
    """Makes the plans of one consolidated document."""

    def __init__(self, document: Mapping[str, Any], max_slug_chars: int) -> None:
        """Read *document*; a folder's name has up to *max_slug_chars* of its title."""
        self._entries = {entry["id"]: entry for entry in document["recommendations"]}
        self._titles = _titles(document)
        self._max_slug_chars = max_slug_chars

    def folder(self, id_: str) -> str:
        """Return the name of the folder of a recommendation's plan."""
        return folder_of(id_, self._titles[id_], self._max_slug_chars)

    def plan(self, id_: str) -> dict[str, str]:
        """Return the files of one plan, by name."""
        entry = self._entries[id_]
        needed = prerequisites(entry, self._titles)
        points = open_points(entry, needed)
        return {
            PLAN: self._markdown(entry, needed, points),
            SOURCES: sources(entry),
            DATA: json.dumps(self._data(entry, needed, points), ensure_ascii=False, indent=1) + "\n",
        }

    def index(self) -> str:
        """Return the list of all plans, in the order of the document."""
        head = "# Plans\n\nIn the order of the consolidated list: by priority, then by number of books."
        if not self._entries:
            return f"{head}\n\nThere is no recommendation to plan for.\n"
        rows = [
            (
                str(rank),
                f"[{escape(entry['title'])}]({self.folder(entry['id'])}/{PLAN})",
                word(entry["priority"]),
                f"{entry['book_count']}",
                f"{entry['confidence']:.3g}",
                escape(", ".join(entry["time_estimates"])) or "not given",
            )
            for rank, entry in enumerate(self._entries.values(), 1)
        ]
        columns = ("Rank", "Recommendation", "Priority", "Books", "Confidence", "Effort")
        return f"{head}\n\n{table(columns, 'r--rr-', rows)}\n"

    def _markdown(self, entry: Entry, needed: list[Prerequisite], points: list[tuple[str, str]]) -> str:
        effort = escape(", ".join(entry["time_estimates"])) or "not given"
        facts = (
            f"Priority: {word(entry['priority'])} ({split(entry['priority_votes'])}). "
            f"Said by {count(entry['book_count'], 'book')}, confidence {entry['confidence']:.3g}. Effort: {effort}."
        )
        parts = [f"# {escape(entry['title'])}", facts]
        if is_quoted(entry):
            parts.append("All of it is quoted from the books, word for word.")
        parts.append(f"## What and why\n\n{escape(entry['description']) or 'No book gives a reason.'}")
        if entry["expected_impact"]:
            parts.append(f"Expected: {escape(entry['expected_impact'])}")
        if entry["technical_details"]:
            parts.append(f"## Details\n\n{escape(entry['technical_details'])}")
        parts.append(f"## Steps\n\n{_steps(entry)}")
        if needed:
            lines = [self._prerequisite(one) for one in needed]
            parts.append("## Before this\n\n" + "\n".join(lines))
        if points:
            parts.append("## Open points\n\n" + "\n".join(f"- {text}" for _, text in points))
        books = "\n".join(f"- {escape(book)}" for book in entry["books"])
        parts.append(f"## Said by\n\n{books}\n\nWord for word: [{SOURCES}]({SOURCES}).")
        return "\n\n".join(parts) + "\n"

    def _prerequisite(self, one: Prerequisite) -> str:
        if one.id is None:
            return f"- {escape(one.text)} (no recommendation of the shelf has this name)"
        if one.title is None:
            return f"- {escape(one.text)} (below the asked confidence, so it has no plan)"
        return f"- [{escape(one.title)}](../{self.folder(one.id)}/{PLAN})"

    def _data(self, entry: Entry, needed: list[Prerequisite], points: list[tuple[str, str]]) -> dict[str, Any]:
        taken = ("id", "title", "priority", "priority_votes", "confidence", "book_count", "books", "category_votes")
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            **{name: entry[name] for name in taken},
            "is_quoted": is_quoted(entry),
            "steps": _step_texts(entry),
            "time_estimates": entry["time_estimates"],
            "prerequisites": [
                {"text": one.text, "id": one.id, "plan": None if one.title is None else self.folder(str(one.id))}
                for one in needed
            ],
            "open_points": [{"code": name, "text": text} for name, text in points],
            "sources": len(entry["sources"]),
        }


def is_quoted(entry: Entry) -> bool:
    """Tell whether all of a recommendation is quoted from its books."""
    return all(variant["fields"].get("kind") == QUOTE for variant in entry["variants"])


def open_points(entry: Entry, needed: Iterable[Prerequisite]) -> list[tuple[str, str]]:
    """Return what a person has to decide or find out, as code and Markdown; nothing is made up for it."""
    points = []
    if len(entry["priority_votes"]) > 1:
        points.append(("priority", f"The books differ on the priority: {split(entry['priority_votes'])}."))
    if not entry["implementation_steps"]:
        points.append(("steps", "No book gives steps."))
    if not entry["time_estimates"]:
        points.append(("effort", "No book gives an estimate."))
    elif len(entry["time_estimates"]) > 1:
        points.append(("effort", f"The estimates differ: {escape(', '.join(entry['time_estimates']))}."))
    if len(entry["variants"]) > 1:
        text = f"{len(entry['variants'])} wordings were merged; see whether they mean the same."
        points.append(("wordings", text))
    unknown = [one for one in needed if one.id is None]
    if unknown:
        points.append(("prerequisites", f"{count(len(unknown), 'prerequisite')} that nothing on the shelf explains."))
    return points


def sources(entry: Entry) -> str:
    """Return where a recommendation comes from: each place, and each wording with all its fields as they were."""
    parts = [f"# Sources: {escape(entry['title'])}"]
    for number, variant in enumerate(entry["variants"], 1):
        rows = [
            (
                escape(one["book"]),
                escape(one["chapter"]) or "not given",
                code(one["file"]),
                code(one["where"]),
                ", ".join(map(str, one["iterations"])),
                code(one["bucket"]),
            )
            for one in entry["sources"]
            if one["variant"] == variant["digest"]
        ]
        head = ("Book", "Chapter", "File", "Place", "Iterations", "List")
        parts.append(f"## Wording {number}\n\n{table(head, '------', rows)}\n\n{_fence(variant['fields'])}")
    return "\n\n".join(parts) + "\n"


def _fence(fields: Mapping[str, Any]) -> str:
    lines = json.dumps(fields, ensure_ascii=False, indent=1, sort_keys=True).split("\n")
    text = "\n".join(texts.printable(line) for line in lines)
    marks = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    return f"{marks}json\n{text}\n{marks}"


def _step_texts(entry: Entry) -> list[str]:
    return [one["text"] for one in entry["implementation_steps"]]


def _steps(entry: Entry) -> str:
    steps = _step_texts(entry)
    return "\n".join(f"- [ ] {escape(one)}" for one in steps) or "No book gives steps."
