"""Stands in until phase 3 writes documents of format version 2: fills in what version 1 does not say. To be removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NO_EFFORT = {"median_hours": None, "low_hours": None, "high_hours": None, "stated": 0}


def upgraded(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return *document* in format version 2."""
    if document["format_version"] >= 2:
        return document
    entries = [
        {
            "cohesion": 1.0 if len(entry["variants"]) == 1 else 0.75,
            "theme": None,
            "further_steps": [],
            "effort": {**NO_EFFORT, "unknown": entry["time_estimates"]},
            "synthesis": {"by": "merge", "reason": None},
            **entry,
            "implementation_steps": [{"text": text, "votes": 1} for text in entry["implementation_steps"]],
            "dependencies": [{**one, "is_cyclic": False} for one in entry["dependencies"]],
        }
        for entry in document["recommendations"]
    ]
    added: dict[str, list[Any]] = {"themes": [], "dependency_cycles": []}
    return {**added, **document, "format_version": 2, "recommendations": entries}
