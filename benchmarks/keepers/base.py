"""What a benchmark asks of whatever keeps progress. Standard library only: peers have environments of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.subject import Facts

Pair = tuple[str, Any]


class Keeper:
    """Keeps items or a state in *folder*. One that cannot do a kind of work does not override its verb."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Take the place and the settings; nothing is opened yet."""
        self.folder = folder
        self.settings = settings

    def open(self, run: str, keys: Sequence[str] = ()) -> None:
        """Open a new run in the folder, which other runs may share; *keys* are all its items."""

    def record(self, pairs: Iterable[Pair]) -> None:
        """Keep item by item: each is durable, as the keeper understands it, before the next is taken."""
        raise NotImplementedError

    def record_batches(self, batches: Iterable[Sequence[Pair]]) -> None:
        """Keep batch by batch: each holds items that finished together."""
        raise NotImplementedError

    def save(self, state: Any) -> None:
        """Keep the whole state in place of the one before it."""
        raise NotImplementedError

    def load(self) -> Any:
        """Return the state that was saved last, as a process does that begins anew."""
        raise NotImplementedError

    def grow(self, state: dict[str, list[Any]], additions: Sequence[Any]) -> None:
        """Add to the state and save it, step by step. What keeps changes overrides this."""
        for addition in additions:
            state["results"].append(addition)
            self.save(state)

    def settle(self) -> Facts:
        """After each turn, outside the time: leave nothing that would burden the next contender."""
        return {}

    def close(self) -> None:
        """End the run as a program does that leaves."""

    def fill(self, run: str, pairs: Iterable[Pair], count: int) -> None:
        """Make a store that holds *count* finished items, faster than one by one where there is a way."""
        del count
        self.open(run)
        self.record(pairs)
        self.close()

    def first_pending(self, run: str, keys: Iterable[str]) -> str:
        """Open a store that `fill` made and return the first of *keys* that is not done."""
        raise NotImplementedError
