"""What a run of the workflow came to, or would do: for machines and for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from booksynth.catalogue import INDEX
from booksynth.console import Terminal
from booksynth.following import NAMES, Told
from booksynth.phases import ANALYSES, PLANS
from booksynth.report import shown
from booksynth.request import CONSOLIDATED, PAGE, SUMMARY
from booksynth.shards import Problem
from booksynth.summary import count
from booksynth.texts import printable
from milepost.errors import StoreUnavailable

FORMAT = "booksynth/workflow-report"
PLAN_FORMAT = "booksynth/workflow-plan"
FORMAT_VERSION = 2
REASONS_SHOWN = 10
HIGHLIGHTS = 7


class Planned(Protocol):
    """What is used of a `milepost` plan."""

    phases: list[Any]


def outcome_of(outputs: Mapping[str, Any], phases: Mapping[str, Told], folder: Path) -> dict[str, Any]:
    """Return what a run did and where its results are, as JSON data."""
    analysed = outputs.get("phase_2") or {"files": {}, "problems": []}
    consolidated = outputs.get("phase_3") or {"totals": {}}
    planned = outputs.get("phase_4") or {"plans": 0, "edited": {}, "orphans": []}
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "phases": {name: asdict(told) for name, told in phases.items()},
        "seconds": round(sum(told.seconds for told in phases.values()), 3),
        "analyses": len(analysed["files"]),
        "problems": [asdict(Problem(*row)) for row in analysed["problems"]],
        "totals": consolidated["totals"],
        **highlights(folder if "phase_3" in outputs else None),
        "plans": planned["plans"],
        "edited": planned["edited"],
        "orphans": planned["orphans"],
        "outputs": {
            name: shown(folder / name)
            for name, phase in (
                (PAGE, "phase_3"),
                (SUMMARY, "phase_3"),
                (CONSOLIDATED, "phase_3"),
                (f"{PLANS}/{INDEX}", "phase_4"),
                (ANALYSES, "phase_2"),
            )
            if phase in outputs and (name != PAGE or (folder / name).exists())
        },
    }


def highlights(folder: Path | None) -> dict[str, Any]:
    """Return what the list in *folder* says first: what most books say, the themes of most books, what was not used.

    Raises:
        StoreUnavailable: The list cannot be read.
    """
    document: dict[str, Any] = {} if folder is None else _list_in(folder)
    said = [one for one in document.get("recommendations", []) if one["book_count"] > 1]
    said.sort(key=lambda one: -one["book_count"])
    themes = [one for one in document.get("themes", []) if one["book_count"] > 1]
    themes.sort(key=lambda one: (-one["book_count"], -len(one["recommendations"]), one["title"], one["id"]))
    return {
        "most_said": [
            {name: one[name] for name in ("id", "title", "priority", "book_count")} for one in said[:HIGHLIGHTS]
        ],
        "themes": [
            {
                "id": one["id"],
                "title": one["title"],
                "book_count": one["book_count"],
                "recommendations": len(one["recommendations"]),
            }
            for one in themes[:HIGHLIGHTS]
        ],
        "files_not_used": document.get("files_not_used", []),
    }


def _list_in(folder: Path) -> dict[str, Any]:
    path = folder / CONSOLIDATED
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
    except OSError as error:
        raise StoreUnavailable(f"{shown(path)} cannot be read: {error.strerror}") from error
    return document


def plan_document(plan: Planned) -> dict[str, Any]:
    """Return what a run would do, as JSON data."""
    return {
        "format": PLAN_FORMAT,
        "format_version": FORMAT_VERSION,
        "phases": [
            {
                "phase": one.phase,
                "action": str(one.action),
                "reasons": [str(reason) for reason in one.reasons],
                "items": None if one.items is None else {"total": one.items.total, "reused": one.items.reused},
                "seconds": one.seconds,
            }
            for one in plan.phases
        ],
    }


_ACTIONS = {
    "reuse": "nothing has changed, its result would be taken",
    "wait": "the result of the phase before it decides",
    "again": "begins anew",
    "resume": "goes on",
    "start": "begins",
    "stop": "would stop",
}


def tell_plan(document: Mapping[str, Any], terminal: Terminal) -> None:
    """Say what a run would do, and why."""
    for one in document["phases"]:
        items = one["items"]
        work = f" ({items['total'] - items['reused']:,} of {count(items['total'], 'item')})" if items else ""
        action = _ACTIONS.get(one["action"], one["action"])
        terminal.print(f"{NAMES.get(one['phase'], one['phase'])}: {action}{work}", "bold")
        if one["action"] != "reuse":
            for reason in one["reasons"][:REASONS_SHOWN]:
                terminal.print(f"  {printable(reason)}")
            if len(one["reasons"]) > REASONS_SHOWN:
                terminal.print(f"  and {len(one['reasons']) - REASONS_SHOWN:,} more")
    terminal.print("A dry run: nothing was written.")
