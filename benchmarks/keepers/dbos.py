"""DBOS Transact: a workflow with a step for each item; by itself on SQLite, in-process."""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from dbos import DBOS, DBOSConfig, SetWorkflowID

from benchmarks.keepers.base import Keeper, Pair

_jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
_results: dict[str, Any] = {}
_pending: queue.SimpleQueue[str] = queue.SimpleQueue()


@DBOS.step()
def step(key: str) -> Any:
    """Do an item: its result is at hand. While resuming, being called means that the item is not done."""
    if key not in _results:
        _pending.put(key)
        threading.Event().wait()
    return _results.pop(key)


@DBOS.workflow()
def serve(run: str) -> None:
    """Do in this workflow what the benchmark hands over, so that no turn pays for its beginning and end."""
    del run
    while (job := _jobs.get()) is not None:
        job()


@DBOS.workflow()
def loop(run: str, count: int) -> None:
    """Do items in order: the loop that is resumed."""
    del run
    for number in range(count):
        step(f"book-{number:07d}")


def copying(table: str, columns: Sequence[str], place: str) -> str:
    """Return the statement that copies a step's row; *place* is how the driver marks a named value."""
    changed = {"function_id": place.format("number"), "output": place.format("output")}
    values = ", ".join(changed.get(name, name) for name in columns)
    of_run = f"workflow_uuid = {place.format('run')} AND function_id = 1"
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table} WHERE {of_run}"


class Dbos(Keeper):
    """One system database for all runs, a workflow for each. Its default is a rollback journal, synced."""

    def open(self, run: str, keys: Sequence[str] = ()) -> None:
        """Launch once, and start the run's workflow."""
        del keys
        self._launch(run)
        with SetWorkflowID(run):
            self.handle = DBOS.start_workflow(serve, run)

    def record(self, pairs: Iterable[Pair]) -> None:
        """Make a step for each item."""

        def job() -> None:
            for key, value in pairs:
                _results[key] = value
                step(key)

        self._do(job)

    def save(self, state: Any) -> None:
        """Make a step that returns the whole state."""
        self.record([("state", state)])

    def grow(self, state: dict[str, list[Any]], additions: Sequence[Any]) -> None:
        """Make a step for each addition: a workflow rebuilds its state from what its steps returned."""
        state["results"].extend(additions)
        self.record([(str(number), addition) for number, addition in enumerate(additions)])

    def close(self) -> None:
        """End the workflow."""
        _jobs.put(None)
        self.handle.get_result()

    def fill(self, run: str, pairs: Iterable[Pair], count: int) -> None:
        """Run a short workflow, break it off, and write the rows that the other steps would have written."""
        self._launch(run)
        iterator = iter(pairs)
        _results.update([next(iterator)])
        with SetWorkflowID(run):
            DBOS.start_workflow(loop, run, count + 1)
        _pending.get()
        self.copy_step(
            {"run": run, "number": number, "output": self._encoded(value)}
            for number, (_, value) in enumerate(iterator, start=2)
        )

    def url(self) -> str:
        """Return the URL of the system database."""
        return f"sqlite:///{self._path()}"

    def copy_step(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write the first step's row again for each of *rows*, with its number and output."""
        with sqlite3.connect(self._path()) as db:
            columns = [name for _, name, *_ in db.execute("PRAGMA table_info(operation_outputs)")]
            db.executemany(copying("operation_outputs", columns, ":{}"), rows)
        db.close()

    def first_pending(self, run: str, keys: Iterable[str]) -> str:
        """Launch: that recovers the workflow, which asks for the output of each step again."""
        del keys
        self._launch(run)
        return _pending.get()

    def _launch(self, run: str) -> None:
        if getattr(self, "handle", None) is None:
            config = DBOSConfig(
                name="bench",
                system_database_url=self.url(),
                executor_id=run.partition("-")[0],
                application_version="1",
                log_level="WARNING",
                console_log_level="WARNING",
            )
            DBOS(config=config)
            DBOS.launch()

    def _path(self) -> str:
        return str(self.folder / "dbos.sqlite")

    def _do(self, job: Callable[[], None]) -> None:
        done = threading.Event()
        errors: list[BaseException] = []

        def guarded() -> None:
            try:
                job()
            except BaseException as error:
                errors.append(error)
                raise
            finally:
                done.set()

        _jobs.put(guarded)
        done.wait()
        if errors:
            raise errors[0]

    @staticmethod
    def _encoded(value: Any) -> str:
        from dbos._serialization import DefaultSerializer

        return str(DefaultSerializer().serialize(value))
