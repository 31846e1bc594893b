"""The receipt of a finished run: what it was made with, what each item came to, and what it took. Behind the result.

One JSON object. Its last field, ``check``, is the xxh3-128 of all bytes before it, as in every sealed document; the
items stand before it, one to a line, so that a run of a million items is written and read in pieces.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import orjson
import xxhash

from milepost.phase.changes import described
from milepost.phase.outputs import output_digest, recorded_outputs
from milepost.phase.settings import Settings
from milepost.run.index import Index
from milepost.run.session import RECEIPT, Session

_FORMAT = 1


def keep_receipt(session: Session, settings: Settings) -> None:
    """Write the receipt of a run that has a result, unless the one that stands is of this very result.

    Raises:
        StorageError: The medium refused; the result is recorded all the same, and the next attempt writes the receipt.
    """
    head = _head(session)
    if not session.begins_with(RECEIPT, head):
        session.keep_document(RECEIPT, _sealed(head, session, settings))


def _head(session: Session) -> bytes:
    """Return how the receipt of the newest result begins."""
    completed = session.index.completed
    fields = {
        "kind": "receipt",
        "format": _FORMAT,
        "run": session.run,
        "completed": {"sequence": completed, "chain": session.chain(completed)},
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
