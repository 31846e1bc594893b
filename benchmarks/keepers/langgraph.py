"""LangGraph with a saver: items as tasks of the functional API, states through the saver itself."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from langgraph.checkpoint.base import empty_checkpoint
from langgraph.func import entrypoint, task

from benchmarks.keepers.base import Keeper, Pair

_results: dict[str, Any] = {}


@task
def item(key: str) -> Any:
    """Do an item: its result is at hand."""
    return _results.pop(key)


class Langgraph(Keeper):
    """One database for all runs, a thread for each, ``durability="sync"``. Which saver, a subclass says.

    A state is handed to ``saver.put`` directly, one checkpoint a save. A compiled graph would write each state
    twice, as the writes of its node and as the next checkpoint, so this is the cheapest way it offers.
    """

    def connect(self) -> tuple[Any, Any]:
        """Return a connection, and the saver on it."""
        raise NotImplementedError

    def open(self, run: str, keys: Sequence[str] = ()) -> None:
        """Connect."""
        del keys
        self.db, self.saver = self.connect()
        self.thread = {"configurable": {"thread_id": run, "checkpoint_ns": ""}}
        self.previous: Any = self.thread
        self.step = 0

    def record(self, pairs: Iterable[Pair]) -> None:
        """Invoke an entrypoint that awaits a task for each item."""
        thread = {"configurable": {"thread_id": f"{self.thread['configurable']['thread_id']}-{uuid.uuid4()}"}}

        @entrypoint(checkpointer=self.saver)
        def loop(begun: bool) -> None:
            del begun
            for key, value in pairs:
                _results[key] = value
                item(key).result()

        loop.invoke(True, thread, durability="sync")

    def record_batches(self, batches: Iterable[Sequence[Pair]]) -> None:
        """Start the tasks of a batch together, then await them."""
        thread = {"configurable": {"thread_id": f"{self.thread['configurable']['thread_id']}-{uuid.uuid4()}"}}

        @entrypoint(checkpointer=self.saver)
        def loop(begun: bool) -> None:
            del begun
            for batch in batches:
                _results.update(batch)
                for future in [item(key) for key, _ in batch]:
                    future.result()

        loop.invoke(True, thread, durability="sync")

    def save(self, state: Any) -> None:
        """Put a checkpoint that holds the whole state."""
        self.step += 1
        checkpoint = empty_checkpoint()
        checkpoint["channel_values"]["state"] = state
        checkpoint["channel_versions"]["state"] = self.step
        metadata: Any = {"source": "loop", "step": self.step, "parents": {}}
        self.previous = self.saver.put(self.previous, checkpoint, metadata, {"state": self.step})

    def close(self) -> None:
        """Disconnect."""
        self.db.close()

    def fill(self, run: str, pairs: Iterable[Pair], count: int) -> None:
        """Save a state that holds every result, as a graph ends up with that collects them in a channel."""
        del count
        self.open(run)
        self.save({"results": dict(pairs)})
        self.close()

    def first_pending(self, run: str, keys: Iterable[str]) -> str:
        """Load the newest checkpoint; the state tells what is done."""
        self.open(run)
        found = self.saver.get_tuple(self.thread)
        assert found is not None
        done = found.checkpoint["channel_values"]["state"]["results"]
        return next(key for key in keys if key not in done)
