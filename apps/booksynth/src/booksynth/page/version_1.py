"""Documents of format version 1 in the form of version 2; goes when phase 3 writes that by itself."""

from __future__ import annotations

from typing import Any


def raised(document: Any) -> Any:
    """Return a document of version 1 as one of version 2; anything else as it is."""
    if not isinstance(document, dict) or document.get("format_version") != 1:
        return document
    entries = [_raised(one) for one in document["recommendations"]]
    return {**document, "format_version": 2, "themes": [], "recommendations": entries}


def _raised(one: dict[str, Any]) -> dict[str, Any]:
    nothing = {"median_hours": None, "low_hours": None, "high_hours": None, "stated": 0}
    return {
        **one,
        "cohesion": 1.0,
        "theme": None,
        "implementation_steps": [{"text": step, "votes": 1} for step in one["implementation_steps"]],
        "further_steps": [],
        "effort": {**nothing, "unknown": one["time_estimates"]},
        "dependencies": [{**need, "is_cyclic": False} for need in one["dependencies"]],
        "synthesis": {"by": "merge", "reason": None},
    }
