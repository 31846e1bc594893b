"""What a run has taken so far: time at work, and what its paid calls may have cost."""

from __future__ import annotations

from typing import Any

import orjson

from milepost.records import CHAIN_BYTES, Kind, Record

STEPS = "step"
CALLS = "call"
OUTPUTS = "output"
NO_LOOPS = frozenset({STEPS, CALLS, OUTPUTS})
"""The groups of records whose keys name no items."""


class Tally:
    """Running sums over a journal's records.

    *item_seconds* is what the items that are done took, summed over workers; *items* how many records that is;
    *active_seconds* the time from each attempt's opening to its last record; *spent_usd* the price of every paid call
    that was sent, whether or not it was answered: what may have been billed. *opened_at* is when the newest attempt
    began, *last_time* when the newest record was made, both in seconds since 1970-01-01 UTC. *interruptions* is how
    many attempts recorded something and ended without a result.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.item_seconds = 0.0
        self.items = 0
        self.calls = 0
        self.spent_usd = 0.0
        self.opened_at = 0.0
        self.last_time = 0.0
        self.interruptions = 0
        self._earlier_seconds = 0.0
        self._at_work = False

    @property
    def active_seconds(self) -> float:
        """How long attempts were at work, in seconds."""
        return self._earlier_seconds + max(0.0, self.last_time - self.opened_at)

    def take(self, kind: Kind, group: str | None, time: float, seconds: float | None) -> None:
        """Count one record."""
        if kind is Kind.OPENED:
            self._earlier_seconds = self.active_seconds
            self.opened_at = time
            self.interruptions += self._at_work
        elif kind is Kind.DONE:
            self.take_done(group, time, seconds)
        self._at_work = kind is not Kind.OPENED and kind is not Kind.COMPLETED
        self.last_time = time

    def take_done(self, group: str | None, time: float, seconds: float | None) -> None:
        """Count one record that says something is done: what `take` does, for the most frequent kind."""
        if group not in NO_LOOPS:
            self.item_seconds += seconds or 0.0
            self.items += 1
        self._at_work = True
        self.last_time = time

    def take_items(self, heads: list[dict[str, Any]]) -> None:
        """Count many items of one loop that are done."""
        self.item_seconds += sum([head.get("seconds") or 0.0 for head in heads])
        self.items += len(heads)
        self._at_work = True
        self.last_time = heads[-1]["time"]

    def take_intent(self, value: Any) -> None:
        """Count a paid call that was sent."""
        self.calls += 1
        self.spent_usd += (value or {}).get("cost_usd") or 0.0


def intent_in(line: bytes) -> Any:
    """Return the decoded value of an intent's line: an object of plain JSON."""
    return orjson.loads(line[:-CHAIN_BYTES] + b"}").get("value")


def intent_of(record: Record) -> Any:
    """Return the value of an intent that was just appended; kept in memory it is not encoded."""
    value: Any = record.value
    return orjson.loads(value) if isinstance(value, bytes) else value
