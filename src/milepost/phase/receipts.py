"""The receipt of a finished run: what it was made with, what each item came to, and what it took. Behind the result.

One JSON object. Its last field, ``check``, is the xxh3-128 of all bytes before it, as in every sealed document; the
items stand before it, one to a line, so that a run of a million items is written and read in pieces.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

import orjson
import xxhash

from milepost.phase.changes import described
from milepost.phase.outputs import output_digest, recorded_outputs
from milepost.phase.settings import Settings
from milepost.run import Place
from milepost.run.index import Index
from milepost.run.session import RECEIPT, FolderSession, Session

_FORMAT = 1


class Receipted(Protocol):
    """A run with a result, as far as its receipt is concerned."""

    index: Index

    @property
    def run(self) -> str:
        """The id of the run."""

    def begins_with(self, name: str, data: bytes) -> bool:
        """Tell whether there is a document that begins with *data*."""

    def chain(self, sequence: int) -> str:
        """Return the chain hash that a record states."""


def has_receipt(run: Receipted) -> bool:
    """Tell whether the receipt of a run is of its newest result."""
    return run.begins_with(RECEIPT, _head(run))


def mend_receipt(settings: Settings) -> None:
    """Write the receipt of a finished run that a crash right behind its result left without one; opens no attempt.

    Raises:
        RunLocked: Another process writes the run, and writes its receipt.
        StorageError: The medium refused.
    """
    place = Place(settings.root, settings.name)
    session = FolderSession(place, settings.clock, settings.durability)
    try:
        session.recover()
        keep_receipt(session, settings)
    finally:
        session.close()


def keep_receipt(session: Session, settings: Settings) -> None:
    """Write the receipt of a run that has a result, unless the one that stands is of this very result.

    Raises:
        StorageError: The medium refused; the result is recorded all the same, and the next attempt writes the receipt.
    """
    if not has_receipt(session):
        session.keep_document(RECEIPT, _sealed(_head(session), session, settings))


def _head(run: Receipted) -> bytes:
    """Return how the receipt of the newest result begins."""
    completed = run.index.completed
    fields = {
        "kind": "receipt",
        "format": _FORMAT,
        "run": run.run,
        "completed": {"sequence": completed, "chain": run.chain(completed)},
    }
    return orjson.dumps(fields)[:-1] + b","


def _sealed(head: bytes, session: Session, settings: Settings) -> Iterator[bytes]:
    check = xxhash.xxh3_128()
    for piece in _body(head, session, settings):
        check.update(piece)
        yield piece
    yield b',"check":"' + check.hexdigest().encode() + b'"}\n'


def _body(head: bytes, session: Session, settings: Settings) -> Iterator[bytes]:
    yield head + orjson.dumps(_summary(session, settings))[1:-1] + b',"items":['
    for number, row in enumerate(_items(session)):
        yield (b",\n" if number else b"\n") + orjson.dumps(row)
    yield b"\n]"


def _summary(session: Session, settings: Settings) -> dict[str, Any]:
    index = session.index
    completed = session.record(index.completed)
    tally = index.tally
    return {
        "phase": settings.name,
        "workflow": settings.within.workflow if settings.within is not None else None,
        "time": completed.time,
        "made_with": described(session),
        "functions": sorted(index.codes),
        "versions": _versions(settings),
        "attempts": index.opened,
        "interruptions": tally.interruptions,
        "active_seconds": round(tally.active_seconds, 6),
        "item_seconds": round(tally.item_seconds, 6),
        "calls": tally.calls,
        "cost_usd": round(tally.spent_usd, 9),
        "done": index.done,
        "failed": index.failed,
        "result": output_digest(completed.value),
        "outputs": {one.path: one.digest for one in recorded_outputs(session)},
    }


def _items(session: Session) -> Iterator[list[Any]]:
    """Yield loop, key, digest of the input and digest of the result of each item, as they were met first."""
    for label, group in _groups(session.index):
        for key in group.done_keys():
            record = session.record(group.sequence(key))
            yield [label, key, record.input, output_digest(record.value)]


def _groups(index: Index) -> Iterator[tuple[str, Any]]:
    return ((label.removeprefix("loop:"), group) for label, group in index.loops.items())


def _versions(settings: Settings) -> dict[str, str]:
    """Return the versions of Python, of Milepost, and of the packages that the phase's functions come from."""
    found = {"python": platform.python_version(), "implementation": platform.python_implementation()}
    packages = {function.__module__.partition(".")[0] for function in settings.code if function.__module__}
    for name in sorted({"milepost", *packages}):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # a script, or a package that is not installed: its code is fingerprinted
    return found
