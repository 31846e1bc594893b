"""What stands on top of all plans: the ranked index, the order to do them in, and what other programs take. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from booksynth import exports, ordering
from booksynth.acceptance import effort_text
from booksynth.ordering import Group
from booksynth.plans import ORDER, PLAN, Planner
from booksynth.summary import count, escape, table, word

INDEX, INDEX_TABLE = "INDEX.md", "index.csv"
ISSUES, ISSUES_TABLE = "issues.json", "issues.csv"

_COLUMNS = (
    "rank",
    "order",
    "id",
    "title",
    "priority",
    "book_count",
    "confidence",
    "cohesion",
    "theme",
    "median_hours",
    "low_hours",
    "high_hours",
    "books",
    "plan",
)


def files(planner: Planner) -> dict[str, str]:
    """Return the files that stand on top of the plans, by name."""
    needed = ordering.needs(planner.entries.values())
    groups = ordering.order(needed)
    issues = [_issue(planner, id_) for id_ in planner.entries]
    return {
        INDEX: index(planner),
        INDEX_TABLE: index_table(planner, groups),
        ORDER: order_page(planner, needed, groups),
        ISSUES: exports.issues_json(issues),
        ISSUES_TABLE: exports.issues_csv(issues),
    }


def index(planner: Planner) -> str:
    """Return the list of all plans, in the order of the document."""
    head = "# Plans\n\nIn the order of the consolidated list: by priority, then by number of books."
    if not planner.entries:
        return f"{head}\n\nThere is no recommendation to plan for.\n"
    rows = [
        (
            f"{rank}",
            _link(planner, id_),
            word(entry["priority"]),
            f"{entry['book_count']}",
            f"{entry['confidence']:.3g}",
            escape(effort_text(entry)),
            escape(planner.theme(id_) or ""),
        )
        for rank, (id_, entry) in enumerate(planner.entries.items(), 1)
    ]
    columns = ("Rank", "Recommendation", "Priority", "Books", "Confidence", "Effort", "Theme")
    also = (
        f"What needs what: [{ORDER}]({ORDER}). For spreadsheets: [{INDEX_TABLE}]({INDEX_TABLE}). For issue trackers: "
        f"[{ISSUES}]({ISSUES}) and [{ISSUES_TABLE}]({ISSUES_TABLE})."
    )
    return f"{head}\n\n{also}\n\n{table(columns, 'r--rr--', rows)}\n"


def index_table(planner: Planner, groups: list[Group]) -> str:
    """Return the index for spreadsheets; ``order`` is the place in the order of dependencies."""
    places = {id_: place for place, id_ in enumerate((id_ for group in groups for id_ in group.ids), 1)}
    rows = [
        (
            rank,
            places[id_],
            id_,
            entry["title"],
            entry["priority"],
            entry["book_count"],
            entry["confidence"],
            entry["cohesion"],
            planner.theme(id_),
            *(entry["effort"][name] for name in ("median_hours", "low_hours", "high_hours")),
            "; ".join(entry["books"]),
            f"{planner.folder(id_)}/{PLAN}",
        )
        for rank, (id_, entry) in enumerate(planner.entries.items(), 1)
    ]
    # Without the mark at the beginning a spreadsheet takes UTF-8 for something else.
    return "\ufeff" + exports.table(_COLUMNS, rows)


def order_page(planner: Planner, needed: Mapping[str, list[str]], groups: list[Group]) -> str:
    """Return the recommendations that need others or are needed, in an order that heeds it; cycles are shown."""
    rank = {id_: place for place, id_ in enumerate(planner.entries, 1)}
    linked = {id_ for id_, ids in needed.items() if ids} | {one for ids in needed.values() for one in ids}
    parts = ["# In which order"]
    shown = [group for group in groups if linked & set(group.ids)]
    free = len(rank) - len(linked)
    if shown:
        parts.append(
            "What a recommendation needs stands before it; apart from that, the better ranked comes first. "
            "Only what a book says in so many words counts as a need."
        )
        places = [(id_, group) for group in shown for id_ in group.ids]
        rows = [
            (
                f"{place}",
                _link(planner, id_) + (" (in a cycle)" if group.is_cycle else ""),
                f"{rank[id_]}",
                ", ".join(_link(planner, one) for one in needed[id_]),
            )
            for place, (id_, group) in enumerate(places, 1)
        ]
        parts.append(table(("Place", "Recommendation", "Rank", "Needs"), "r-r-", rows))
    if free:
        parts.append(
            f"{count(free, 'recommendation')} {'needs' if free == 1 else 'need'} no other and "
            f"{'is' if free == 1 else 'are'} needed by none: go by the rank in [INDEX.md](INDEX.md)."
        )
    cycles = [group for group in groups if group.is_cycle]
    if cycles:
        blocks = ["\n".join(f"- {_needs_line(planner, id_, group, needed)}" for id_ in group.ids) for group in cycles]
        head = "These need each other, so the books give no order for them; by rank, somebody has to decide."
        parts.append("\n\n".join(["## Cycles", head, *_between(blocks)]))
    return "\n\n".join(parts) + "\n"


def _between(blocks: list[str]) -> list[str]:
    return [f"Cycle {number}:\n\n{block}" for number, block in enumerate(blocks, 1)]


def _needs_line(planner: Planner, id_: str, group: Group, needed: Mapping[str, list[str]]) -> str:
    inside = [one for one in needed[id_] if one in group.ids]
    return f"{_link(planner, id_)} needs {', '.join(_link(planner, one) for one in inside)}"


def _link(planner: Planner, id_: str) -> str:
    return f"[{escape(planner.entries[id_]['title'])}]({planner.folder(id_)}/{PLAN})"


def _issue(planner: Planner, id_: str) -> dict[str, Any]:
    entry = planner.entries[id_]
    theme = planner.theme(id_)
    labels = [f"priority-{exports.label(entry['priority'])}"]
    if theme:
        labels.append(f"theme-{exports.label(theme.lower())}"[:50])
    return {
        "title": exports.title(entry["title"]),
        "body": exports.body(planner.page(id_, is_alone=True)),
        "labels": ["booksynth", *labels],
        "priority": entry["priority"],
        "hours": entry["effort"]["median_hours"],
        "id": id_,
    }
