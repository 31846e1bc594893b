"""What phases told while a job ran and was resumed: how often each item ran, and what was paid twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from milepost.events import EventKind
from milepost.fs.drilled import EVENTS

Item = tuple[str, str | None, str]
"""Phase, loop and key."""


class Payment(NamedTuple):
    """A call that was sent again: behind its answer, or (*unanswered*) while nobody knows whether it was answered.

    With the *same_id* a provider that honours ids bills such a call once.
    """

    phase: str
    key: str
    cost_usd: float | None
    unanswered: bool
    same_id: bool

    @property
    def ambiguous(self) -> bool:
        """Whether a provider can still bill it once."""
        return self.unanswered and self.same_id

    def __str__(self) -> str:
        price = "" if self.cost_usd is None else f": ${self.cost_usd:.2f}"
        call = f"call {self.key!r} of {self.phase}"
        if self.ambiguous:
            return f"{call} was sent, not answered, and sent again with its id{price}"
        how = "under another id, so that no provider can know it" if self.unanswered else "although it was answered"
        return f"{call} was paid twice{price}, sent again {how}"


class Observation(NamedTuple):
    """How often items were *started*, and *needless*ly so; which calls were sent *twice*, and how many were sent."""

    started: Counter[Item]
    needless: Counter[Item]
    twice: list[Payment]
    ambiguous: list[Payment]
    sent: int


def observe(controls: Iterable[Path]) -> Observation:
    """Read what the attempts of one experiment told."""
    started: Counter[Item] = Counter()
    needless: Counter[Item] = Counter()
    done: set[Item] = set()
    calls: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for event in sorted(_told(controls), key=lambda one: one["time"]):
        kind = event["kind"]
        item = (event["phase"], event["loop"], event["key"])
        if kind == EventKind.STARTED:
            started[item] += 1
            needless[item] += item in done
        elif kind == EventKind.DONE:
            done.add(item)
        elif kind in {EventKind.SENT, EventKind.ANSWERED, EventKind.UNANSWERED}:
            calls.setdefault((event["phase"], event["key"]), []).append(event)
    payments = [payment for story in calls.values() for payment in _payments(story)]
    return Observation(
        started,
        +needless,
        [one for one in payments if not one.ambiguous],
        [one for one in payments if one.ambiguous],
        sum(event["kind"] == EventKind.SENT for story in calls.values() for event in story),
    )


def _payments(story: Sequence[dict[str, Any]]) -> Iterator[Payment]:
    """Yield what one call's events tell of money that was spent again, or may have been."""
    before: dict[str, Any] | None = None
    for event in story:
        if before is not None and event["kind"] == EventKind.SENT and before["kind"] != EventKind.UNANSWERED:
            unanswered = before["kind"] == EventKind.SENT
            same_id = before["call_id"] == event["call_id"]
            yield Payment(event["phase"], event["key"], before["cost_usd"], unanswered, same_id)
        before = event


def _told(controls: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for control in controls:
        for line in _lines(control / EVENTS):
            yield json.loads(line)


def _lines(path: Path) -> list[bytes]:
    """Return the whole lines of a file; none where it is not there. A last line may be cut: its writer was killed."""
    with suppress(FileNotFoundError):
        return path.read_bytes().split(b"\n")[:-1]
    return []


def noted(path: Path) -> list[dict[str, Any]]:
    """Return what the agent noted in a file of a control folder: one object for each line."""
    return [json.loads(line) for line in _lines(path)]


def faults(found: Observation, undisturbed: Observation, interruptions: int) -> list[str]:
    """Say what ran or was paid more often than it should, compared with an *undisturbed* run.

    An item in flight may run once more for each of the *interruptions*.
    """
    texts = []
    for item, times in found.started.items():
        if found.needless[item] > undisturbed.needless[item]:
            texts.append(f"item {_named(item)} ran twice although its record was durable")
        elif times > undisturbed.started[item] + interruptions:
            usual = undisturbed.started[item]
            texts.append(f"item {_named(item)} ran {times} times, and {usual} undisturbed, for {interruptions} stops")
    known = Counter((one.phase, one.key) for one in undisturbed.twice)
    new = Counter((one.phase, one.key) for one in found.twice) - known
    texts += [str(one) for one in {(one.phase, one.key): one for one in found.twice}.values() if new[one[:2]]]
    missing = [item for item in undisturbed.started if item not in found.started]
    if missing and found.started:
        texts.append(f"item {_named(missing[0])} never ran" + (f", nor {len(missing) - 1} more" if missing[1:] else ""))
    return texts


def _named(item: Item) -> str:
    phase, loop, key = item
    return f"{key!r} of {phase}" + ("" if loop is None else f", loop {loop!r}")
