"""Milepost on stores that several machines share: a phase, and the bare verb that appends to a journal."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from benchmarks.keepers.base import Keeper, Pair
from benchmarks.keepers.ours import Phase
from milepost.stores.opening import open_store

# Whoever resumes takes over from a killed process in every turn: nobody need be warned of it.
logging.getLogger("milepost").setLevel(logging.ERROR)


class Sqlite(Phase):
    """In a file; the setting *journal_mode* is SQLite's."""

    def store(self) -> str:
        """Return the URL of the database."""
        return f"sqlite:///{self.folder / 'progress.db'}?journal_mode={self.settings['journal_mode']}"


class Postgres(Phase):
    """On the server of the workload."""

    def store(self) -> str:
        """Return the URL of the database; one namespace serves all turns."""
        return f"{self.settings['server']}?namespace=phase-{self.settings.get('done', 0)}"


class Objects(Phase):
    """In a bucket of the workload's server."""

    def store(self) -> str:
        """Return the URL of a prefix; one serves all turns."""
        return objects_url(self.settings, f"phase-{self.settings.get('done', 0)}-{self.settings.get('batch', 1)}")


def objects_url(settings: Any, prefix: str) -> str:
    """Return the URL of a *prefix* of the bucket; the credentials go into the environment, as a user gives them."""
    os.environ.update(settings["credentials"])
    return f"s3://{settings['bucket']}/{prefix}?endpoint={settings['server']}&region=us-east-1&allow_http=1"


class Verb(Keeper):
    """Appends encoded results to a journal of a store: what a phase stands on, without its chain, lease and keys."""

    phase: type[Phase]

    def open(self, run: str, keys: Sequence[str] = ()) -> None:
        """Open the store."""
        del keys
        self.opened = open_store(str(self.phase(self.folder, self.settings).store()))
        self.journal = f"bench/{run}-{uuid.uuid4().hex}"
        self.count = 0

    def record(self, pairs: Iterable[Pair]) -> None:
        """Append each."""
        self.record_batches([pair] for pair in pairs)

    def record_batches(self, batches: Iterable[Sequence[Pair]]) -> None:
        """Append each batch at once."""
        for batch in batches:
            self.opened.append(self.journal, self.count + 1, _lines(batch))
            self.count += len(batch)


class SqliteVerb(Verb):
    """The verb of `Sqlite`."""

    phase = Sqlite


class PostgresVerb(Verb):
    """The verb of `Postgres`."""

    phase = Postgres


class ObjectsVerb(Verb):
    """The verb of `Objects`."""

    phase = Objects


def _lines(batch: Sequence[Pair]) -> list[bytes]:
    return [orjson.dumps(pair) for pair in batch]


class ObjectsMap(Objects):
    """A loop of the setting *threads* threads, whose records wait a moment for company."""

    def open(self, run: str, keys: Iterable[str] = ()) -> None:
        """Enter the phase."""
        self.waiting = list(keys)
        self.loops = 0
        super().open(run)

    def record(self, pairs: Iterable[Pair]) -> None:
        """Map over the items; the function has the results at hand."""
        results = dict(pairs)
        taken, self.waiting = self.waiting[: len(results)], self.waiting[len(results) :]
        self.loops += 1
        mapped = self.phase.map(results.__getitem__, taken, name=f"loop-{self.loops}", workers=self.settings["threads"])
        assert sum(1 for _ in mapped) == len(results)
