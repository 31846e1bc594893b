"""States like those of phase 3: a dict of lists of dicts of strings, the same for every contender. No dependency."""

from __future__ import annotations

import json
import random
from functools import cache
from typing import Any

State = dict[str, list[dict[str, str]]]

_PRIORITIES = ("critical", "important", "nice_to_have")
_WORDS = (  # noqa: SIM905
    "the a of to and in for with each every model data test service error cache index query schema deploy measure "
    "alert team change review small large before after never always should when until budget latency throughput "
    "pipeline feature label batch stream retry timeout queue monitor baseline regression experiment release rollback"
).split()
# Real trackers hold curly quotes, dashes and accents here and there.
_ODD_WORDS = ("don’t", "–", "naïve", "“done”", "≥95%")
_FIELDS = {
    "title": 60,
    "description": 320,
    "technical_details": 300,
    "expected_impact": 110,
    "source_chapter": 40,
    "category": 14,
    "time_estimate": 10,
}


@cache
def _text() -> str:
    """Return a megabyte of words to cut texts from: cheaper than drawing every word of a large state."""
    draw = random.Random(2025)
    words = [draw.choice(_ODD_WORDS if draw.random() < 0.01 else _WORDS) for _ in range(150_000)]
    return " ".join(words)


def recommendation(number: int, scale: float = 1.0) -> dict[str, str]:
    """Return recommendation *number*, about 1 KB of JSON times *scale*."""
    text = _text()
    draw = random.Random(number)
    made = {}
    for name, characters in _FIELDS.items():
        length = int(characters * scale)
        start = draw.randrange(len(text) - length)
        made[name] = text[start : start + length]
    return made


def build(size_bytes: int) -> State:
    """Return a state whose compact JSON is about *size_bytes* long."""
    sample = [len(json.dumps(recommendation(n), ensure_ascii=False).encode()) for n in range(50)]
    count = max(len(_PRIORITIES), round(size_bytes / (sum(sample) / len(sample))))
    state: State = {priority: [] for priority in _PRIORITIES}
    for number in range(count):
        state[_PRIORITIES[number % len(_PRIORITIES)]].append(recommendation(number))
    return state


def change(state: dict[str, Any], number: int) -> None:
    """Change a text in every list, so that no part of the state equals what was saved before turn *number*."""
    for texts in state.values():
        texts[(number * 7919) % len(texts)]["title"] = f"Revision {number:09d} of this recommendation's title"
