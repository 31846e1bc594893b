"""Milepost: a phase for each run, and the manager where whole states are saved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import milepost
from benchmarks.keepers.base import Keeper, Pair
from benchmarks.subject import Facts
from milepost import report

_FILLED_AT_ONCE = 1000


class Phase(Keeper):
    """A phase; the setting *durability* is passed on, *batch* is the size of the batches that `each` hands out."""

    loop: Iterator[Any]

    def store(self) -> Path | str:
        """Return where runs are kept."""
        return self.folder

    def codec(self) -> milepost.Codec | None:
        """Return how values are kept; None: plain."""
        return None

    def open(self, run: str, keys: Iterable[str] = ()) -> None:
        """Enter the phase."""
        durability = self.settings.get("durability", "power")
        self.phase = milepost.Phase(run, store=self.store(), durability=durability, codec=self.codec())
        self.phase.__enter__()
        if keys:
            batch = {"batch": self.settings["batch"]} if "batch" in self.settings else {}
            self.loop = iter(self.phase.each(keys, **batch))

    def record(self, pairs: Iterable[Pair]) -> None:
        """Record each as the loop hands it out."""
        for key, value in pairs:
            given = next(self.loop)
            self.phase.record(value)
            assert given == key

    def record_batches(self, batches: Iterable[Sequence[Pair]]) -> None:
        """Record each batch at once."""
        for batch in batches:
            given = next(self.loop)
            self.phase.record([value for _, value in batch])
            assert len(given) == len(batch)

    def grow(self, state: dict[str, list[Any]], additions: Sequence[Any]) -> None:
        """Save the state of the phase after each addition."""
        self.phase.state["results"] = results = state["results"]
        for addition in additions:
            results.append(addition)
            self.phase.save()

    def close(self) -> None:
        """Leave the phase."""
        self.phase.__exit__(None, None, None)

    def fill(self, run: str, pairs: Iterable[Pair], count: int) -> None:
        """Record a thousand at a time, one sync each, or as many as the setting *filled_at_once* says."""
        iterator = iter(pairs)
        batch = self.settings.get("filled_at_once", _FILLED_AT_ONCE)
        with milepost.Phase(run, store=self.store()) as phase:
            for chunk in phase.each([f"book-{number:07d}" for number in range(count)], batch=batch):
                phase.record([value for _, value in islice(iterator, len(chunk))])

    def first_pending(self, run: str, keys: Iterable[str]) -> str:
        """Enter the phase and ask for an item."""
        self.open(run, keys)
        return str(next(self.loop))


class Status(Phase):
    """Tells how far a run is, as ``milepost status`` does."""

    def first_pending(self, run: str, keys: Iterable[str]) -> str:
        """Return the key behind the items that are done."""
        (found,) = report.status(self.folder, [run])
        assert found.done is not None
        return next(islice(keys, found.done, None))


class Plan(Phase):
    """Plans a workflow of the one phase, as ``milepost plan`` does."""

    def first_pending(self, run: str, keys: Iterable[str]) -> str:
        """Return the first item that the plan has run."""
        workflow = milepost.Workflow("benchmark", store=self.folder, on_change="keep")
        workflow.phase(name=run, items=lambda: keys)(lambda *_: None)
        (planned,) = workflow.plan().phases
        assert planned.items is not None
        return planned.items.new[0]


class Forced(Keeper):
    """The manager, saving by force: two checkpoints are kept, so that a save deletes one, as in a long run."""

    number = 0
    is_forced = True

    def codec(self) -> milepost.Codec | None:
        """Return how states are kept; None: plain."""
        return None

    def open(self, run: str, keys: Sequence[str] = ()) -> None:
        """Make the manager."""
        del keys
        self.run = run
        self.manager = milepost.CheckpointManager(run, self.folder, max_checkpoints=2, codec=self.codec())

    def save(self, state: Any) -> None:
        """Save the state."""
        self.number += 1
        path = self.manager.save_checkpoint(self.number, state, force=self.is_forced)
        assert path is not None or not self.is_forced

    def load(self) -> Any:
        """Load the newest checkpoint as a resumed job does."""
        checkpoint = milepost.CheckpointManager(self.run, self.folder).get_latest_checkpoint()
        assert checkpoint is not None
        return checkpoint["state"]

    def close(self) -> None:
        """Close the manager."""
        self.manager.close()


class Throttled(Forced):
    """The manager, saving while its interval has not passed: changes go to the journal."""

    is_forced = False

    def grow(self, state: dict[str, list[Any]], additions: Sequence[Any]) -> None:
        """Grow, and remember the state to compare with."""
        super().grow(state, additions)
        self.state = state

    def close(self) -> None:
        """Close, then see that nothing is missing."""
        super().close()
        loaded = milepost.CheckpointManager(self.run, self.folder).get_latest_checkpoint()
        assert loaded is not None
        assert loaded["state"] == self.state

    def settle(self) -> Facts:
        """Leave everything to `close`."""
        return {}
