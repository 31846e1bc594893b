"""A plan for each recommendation of the consolidated document. Pure."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from booksynth import texts
from booksynth.acceptance import IMPACT, STEP_NUMBER, Check, acceptance, effort_text, open_points
from booksynth.entries import Entry
from booksynth.summary import code, count, escape, split, table, word

PLAN, SOURCES, DATA, ORDER = "PLAN.md", "SOURCES.md", "plan.json", "ORDER.md"
FORMAT = "booksynth/plan"
# Counts up when the same recommendation gives another plan: all are then made anew.
FORMAT_VERSION = 2
QUOTE = "quote"
CHECKS_SHOWN = 10
BOOKS_SHOWN = 3

_NOT_ALLOWED = re.compile(r"[^a-z0-9]+")
_NOT_IN_ID = re.compile(r"[^A-Za-z0-9-]")

Link = Callable[[str, str], str]


@dataclass(frozen=True)
class Prerequisite:
    """What a recommendation depends on, as a book says it; with the plan that it names, if there is one."""

    text: str
    id: str | None
    title: str | None
    is_cyclic: bool


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
        Prerequisite(one["text"], one["id"], titles.get(one["id"] or ""), one["is_cyclic"])
        for one in entry["dependencies"]
        if one["id"] != entry["id"]
    ]


def versions(document: Mapping[str, Any]) -> dict[str, str]:
    """Return id to a digest of all that the plan shows, in the order of the document.

    A plan shows its recommendation, the titles of those that it depends on, and that of its theme.
    """
    titles, themes = titles_of(document), _themes(document)
    return {
        entry["id"]: texts.digest(
            [entry, [one.title for one in prerequisites(entry, titles)], themes.get(entry["theme"])]
        )
        for entry in document["recommendations"]
    }


def titles_of(document: Mapping[str, Any]) -> dict[str, str]:
    """Return id to title of every recommendation that has a plan."""
    return {entry["id"]: entry["title"] for entry in document["recommendations"]}


def _themes(document: Mapping[str, Any]) -> dict[str | None, str]:
    return {theme["id"]: theme["title"] for theme in document["themes"]}


class Planner:
    """Makes the plans of one consolidated document."""

    def __init__(self, document: Mapping[str, Any], max_slug_chars: int, low_cohesion: float) -> None:
        """Read *document*.

        Args:
            document: The consolidated document, of format version 2.
            max_slug_chars: A folder's name has up to so many characters of the title.
            low_cohesion: Members that are less alike than this on average are an open point. 0 to 1.
        """
        self.entries: dict[str, Entry] = {entry["id"]: entry for entry in document["recommendations"]}
        self._titles = titles_of(document)
        self._themes = _themes(document)
        self._max_slug_chars = max_slug_chars
        self._low_cohesion = low_cohesion

    def folder(self, id_: str) -> str:
        """Return the name of the folder of a recommendation's plan."""
        return folder_of(id_, self._titles[id_], self._max_slug_chars)

    def theme(self, id_: str) -> str | None:
        """Return the title of the theme that a recommendation belongs to, if it belongs to one."""
        return self._themes.get(self.entries[id_]["theme"])

    def prerequisites(self, id_: str) -> list[Prerequisite]:
        """Return what a recommendation depends on."""
        return prerequisites(self.entries[id_], self._titles)

    def plan(self, id_: str) -> dict[str, str]:
        """Return the files of one plan, by name."""
        entry = self.entries[id_]
        checks = acceptance(entry)
        points = open_points(entry, self.prerequisites(id_), checks, self._low_cohesion)
        return {
            PLAN: self.page(id_),
            SOURCES: sources(entry),
            DATA: json.dumps(self._data(entry, checks, points), ensure_ascii=False, indent=1) + "\n",
        }

    def page(self, id_: str, *, is_alone: bool = False) -> str:
        """Return a plan in Markdown; one that *is_alone* stands for itself, without a title and links to files."""
        entry = self.entries[id_]
        needed, checks = self.prerequisites(id_), acceptance(entry)
        parts = [] if is_alone else [f"# {escape(entry['title'])}"]
        parts += [*self._facts(entry), *_reasons(entry), f"## Steps\n\n{_boxes(entry['implementation_steps'], entry)}"]
        if needed:
            link = _plain if is_alone else self._link
            parts.append("## Before this\n\n" + "\n".join(_prerequisite(one, link, is_alone) for one in needed))
        parts.append(f"## Done when\n\n{_checks(checks, entry)}")
        points = open_points(entry, needed, checks, self._low_cohesion)
        if points:
            parts.append("## Open points\n\n" + "\n".join(f"- {text}" for _, text in points))
        if entry["further_steps"]:
            parts.append(f"## Further steps\n\n{_boxes(entry['further_steps'], entry)}")
        books = "\n".join(f"- {escape(book)}" for book in entry["books"])
        where = f"Recommendation `{id_}`." if is_alone else f"Word for word: [{SOURCES}]({SOURCES})."
        parts.append(f"## Said by\n\n{books}\n\n{where}")
        return "\n\n".join(parts) + "\n"

    def _facts(self, entry: Entry) -> list[str]:
        theme = self.theme(entry["id"])
        facts = (
            f"Priority: {word(entry['priority'])} ({split(entry['priority_votes'])}). "
            f"Said by {count(entry['book_count'], 'book')}, confidence {entry['confidence']:.3g}. "
            f"Effort: {escape(effort_text(entry))}."
        )
        parts = [facts + (f" Theme: {escape(theme)}." if theme else "")]
        if is_quoted(entry):
            parts.append("All of it is quoted from the books, word for word.")
        if entry["synthesis"]["by"] == "model":
            model = escape(str(entry["synthesis"].get("model", "")))
            parts.append(f"A language model ({model}) put these words together; those of the books are in {SOURCES}.")
        return parts

    def _link(self, id_: str, title: str) -> str:
        return f"[{escape(title)}](../{self.folder(id_)}/{PLAN})"

    def _data(self, entry: Entry, checks: list[Check], points: list[tuple[str, str]]) -> dict[str, Any]:
        taken = ("id", "title", "priority", "priority_votes", "confidence", "cohesion", "book_count", "books")
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            **{name: entry[name] for name in (*taken, "category_votes", "theme")},
            "is_quoted": is_quoted(entry),
            "synthesis": entry["synthesis"],
            "steps": [{**one, "text": _step(one)} for one in entry["implementation_steps"]],
            "further_steps": [{**one, "text": _step(one)} for one in entry["further_steps"]],
            "effort": entry["effort"],
            "time_estimates": entry["time_estimates"],
            "prerequisites": [
                {
                    "text": one.text,
                    "id": one.id,
                    "plan": None if one.title is None else self.folder(str(one.id)),
                    "is_cyclic": one.is_cyclic,
                }
                for one in self.prerequisites(entry["id"])
            ],
            "acceptance": [{"kind": one.kind, "text": one.text, "books": list(one.books)} for one in checks],
            "open_points": [{"code": name, "text": text} for name, text in points],
            "sources": len(entry["sources"]),
        }


def _reasons(entry: Entry) -> list[str]:
    parts = [f"## What and why\n\n{escape(entry['description']) or 'No book gives a reason.'}"]
    if entry["expected_impact"]:
        parts.append(f"Expected: {escape(entry['expected_impact'])}")
    if entry["technical_details"]:
        parts.append(f"## Details\n\n{escape(entry['technical_details'])}")
    return parts


def _plain(_id: str, title: str) -> str:
    return escape(title)


def _prerequisite(one: Prerequisite, link: Link, is_alone: bool) -> str:
    if one.id is None:
        return f"- {escape(one.text)} (no recommendation of the shelf has this name)"
    if one.title is None:
        return f"- {escape(one.text)} (below the asked confidence, so it has no plan)"
    cycles = ORDER if is_alone else f"[{ORDER}](../{ORDER})"
    return f"- {link(one.id, one.title)}" + (f" (needs this in turn, see {cycles})" if one.is_cyclic else "")


def _checks(checks: list[Check], entry: Entry) -> str:
    if not checks:
        return "No book says how to tell that it is done."
    lines = [f"- [ ] {_check(one, entry)}" for one in checks[:CHECKS_SHOWN]]
    if len(checks) > CHECKS_SHOWN:
        lines.append(f"\nAnd {len(checks) - CHECKS_SHOWN:,} more in `{DATA}`.")
    return "\n".join(lines)


def _check(check: Check, entry: Entry) -> str:
    names = [escape(book) for book in check.books[:BOOKS_SHOWN]]
    more = len(check.books) - len(names)
    books = "; ".join(names) + (f"; {more} more" if more else "")
    lead = "Expected" if check.kind == IMPACT else "Step"
    return f"{lead}: “{escape(check.text)}”" + (f" ({books})" if entry["book_count"] > 1 else "")


def is_quoted(entry: Entry) -> bool:
    """Tell whether all of a recommendation is quoted from its books."""
    return all(variant["fields"].get("kind") == QUOTE for variant in entry["variants"])


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


def _step(step: Mapping[str, Any]) -> str:
    return STEP_NUMBER.sub("", step["text"], count=1)


def _boxes(steps: list[dict[str, Any]], entry: Entry) -> str:
    """Return steps as boxes to tick; how many books say one is told where several speak."""
    lines = [
        f"- [ ] {escape(_step(one))}" + (f" ({count(one['votes'], 'book')})" if entry["book_count"] > 1 else "")
        for one in steps
        if one["text"].strip()
    ]
    return "\n".join(lines) or "No book gives steps."
