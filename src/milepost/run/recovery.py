"""From a locked folder to an open journal: the same for a new writer and for one whose call was broken off."""

from __future__ import annotations

import logging

from milepost import codec
from milepost.checkpoint import Decoder
from milepost.clock import Clock
from milepost.journal import Journal
from milepost.run.progress import Loaded, load
from milepost.stores import JournalReading, RunStore

log = logging.getLogger(__name__)


def recover(store: RunStore, run: str, *, known: bool, decoded: Decoder = codec.decode) -> tuple[str, Loaded]:
    """Bring the journal into order, and return the run's id with what the journal and the checkpoints lead to.

    Args:
        store: The run's folder, locked.
        run: The run's id, or one for it should it have none.
        known: Whether the run is certainly this one.
        decoded: See `load`.

    Raises:
        StorageError: The medium refused.
    """
    reading = store.recover(run, known=known)
    tell(reading)
    run = run if known else reading.run or run
    loaded = load(store, run, decoded)
    loaded.damage += [damaged.error for damaged in reading.damage]
    return run, loaded


def tell(reading: JournalReading) -> None:
    """Log what a recovered journal lost, and what else in it is not as it was written."""
    for damaged in reading.damage:
        log.error(
            "%s It is kept as *.quarantine; the run goes on behind record %d.", damaged.error, reading.end.sequence
        )
    for warning in reading.warnings:
        log.warning("%s", warning)


def open_journal(store: RunStore, clock: Clock, loaded: Loaded) -> Journal:
    """Return the journal behind what was loaded, opened by this process.

    Raises:
        StorageError: The medium refused.
        Fenced: Another writer took the slot.
    """
    assert loaded.history is not None, "a recovered store has a journal"
    journal = Journal(store, clock, loaded.history.end)
    journal.open(loaded.history.last())
    return journal
