"""What phases told, read as: how often items ran, and what was paid twice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from milepost.drill.observed import Observation, faults, observe


def seen(folder: Path, *attempts: Sequence[tuple[str, ...]]) -> Observation:
    """Return what is observed in attempts, each a list of event kind, key and perhaps call id."""
    controls, time = [], 0.0
    for number, events in enumerate(attempts):
        control = folder / f"{len(list(folder.iterdir()))} {number}"
        control.mkdir()
        lines = []
        for kind, key, *call_id in events:
            time += 1
            event: dict[str, Any] = {"kind": kind, "key": key, "phase": "p", "loop": None, "time": time}
            lines.append(json.dumps(event | {"call_id": "".join(call_id) or None, "cost_usd": 0.03}) + "\n")
        (control / "events.jsonl").write_text("".join(lines) + '{"kind": "sta')
        controls.append(control)
    return observe(controls)


WHOLE = [("started", "a"), ("done", "a"), ("started", "b"), ("done", "b")]


@pytest.mark.parametrize(
    ("attempts", "told"),
    [
        ([WHOLE[:3], WHOLE[2:]], []),
        ([WHOLE[:2], WHOLE], ["item 'a' of p ran twice although its record was durable"]),
        ([WHOLE[:1] * 3, WHOLE], ["item 'a' of p ran 4 times, and 1 undisturbed, for 1 stops"]),
        ([WHOLE[:2], []], ["item 'b' of p never ran"]),
    ],
)
def test_items_are_counted_over_all_attempts(tmp_path: Path, attempts: list[Any], told: list[str]) -> None:
    """An item in flight may run once more for each interruption, and one with a durable record may not."""
    usual = seen(tmp_path, WHOLE)
    assert faults(seen(tmp_path, *attempts), usual, len(attempts) - 1) == told


@pytest.mark.parametrize(
    ("attempts", "twice", "ambiguous"),
    [
        ([[("sent", "c", "1"), ("answered", "c", "1")]], 0, 0),
        ([[("sent", "c", "1")], [("sent", "c", "1"), ("answered", "c", "1")]], 0, 1),
        ([[("sent", "c", "1"), ("unanswered", "c", "1")], [("sent", "c", "1")]], 0, 0),
        ([[("sent", "c", "1"), ("answered", "c", "1")], [("sent", "c", "1")]], 1, 0),
        ([[("sent", "c", "1")], [("sent", "c", "2")]], 1, 0),
    ],
)
def test_money_spent_twice_is_told_from_what_may_have_been(
    tmp_path: Path, attempts: list[Any], twice: int, ambiguous: int
) -> None:
    """A call sent again is a violation behind its answer or under another id, else ambiguous if it was not answered."""
    found = seen(tmp_path, *attempts)
    assert (len(found.twice), len(found.ambiguous)) == (twice, ambiguous)
    assert len(faults(found, seen(tmp_path), 1)) == twice
    assert all("$0.03" in str(one) for one in (*found.twice, *found.ambiguous))


def test_what_an_undisturbed_run_does_too_is_no_fault(tmp_path: Path) -> None:
    """A job that runs an item or pays twice by itself is not blamed on the interruption."""
    double = [*WHOLE, *WHOLE, ("sent", "c", "1"), ("answered", "c", "1"), ("sent", "c", "1"), ("answered", "c", "1")]
    usual = seen(tmp_path, double)
    assert usual.needless.total() == 2
    assert faults(seen(tmp_path, double), usual, 0) == []
