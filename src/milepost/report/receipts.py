"""A finished run against its receipt: the items, the result and the files that it wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from milepost.errors import CorruptDocument
from milepost.fingerprint import FileDigests, item_digest
from milepost.records import chain_of, decode_line, digest, unseal
from milepost.run.index import Index
from milepost.run.session import RECEIPT
from milepost.run.subject import Subject


def differences(subject: Subject, index: Index, *, outputs: bool) -> Iterator[str]:
    """Yield a line for each thing that is not as the receipt says; what was recorded behind it does not count.

    Args:
        subject: The run, whose journal was read.
        index: What its journal says is done.
        outputs: Look at the files that the phase declared as written, too; relative paths begin at the current folder.

    Raises:
        StorageError: The medium refused.
    """
    path = subject.path / RECEIPT
    if not subject.store.has(RECEIPT):
        return
    receipt = _read(subject)
    if receipt is None:  # as any sealed document that is damaged it is told already
        return
    completed = receipt["completed"]
    if completed["sequence"] > index.completed:
        yield f"{path}: record {completed['sequence']}, the result that it is of, is not in the journal."
        return
    line = subject.store.read_line(completed["sequence"])
    if chain_of(line) != completed["chain"]:
        yield f"{path}: it is of another history than the journal's."
        return
    if digest(decode_line(line).value or b"") != receipt["result"]:
        yield f"{path}: the result is not the one that it is of."
    yield from (f"{path}: {one}" for one in _items(subject, index, receipt))
    if outputs:
        yield from (f"{path}: {one}" for one in _outputs(receipt["outputs"]))


def is_current(subject: Subject, index: Index) -> bool:
    """Tell whether the receipt is of the newest result; a crash right behind a result leaves an older one, or none."""
    if not subject.store.has(RECEIPT):
        return not index.completed
    receipt = _read(subject)
    return receipt is None or bool(receipt["completed"]["sequence"] == index.completed)


def _read(subject: Subject) -> dict[str, Any] | None:
    """Return the receipt; None for a damaged one."""
    try:
        return unseal(subject.store.read(RECEIPT).rstrip(b"\n"))
    except CorruptDocument:
        return None


def _items(subject: Subject, index: Index, receipt: dict[str, Any]) -> Iterator[str]:
    behind = receipt["completed"]["sequence"]
    for loop, key, given, result in receipt["items"]:
        group = index.groups.get(f"loop:{loop}" if loop else "")
        sequence = group.sequence(key) if group is not None else 0
        if not sequence:
            yield f"item {key!r} has no record in the journal."
        elif sequence < behind:
            record = decode_line(subject.store.read_line(sequence))
            if (record.input, digest(record.value or b"")) != (given, result):
                yield f"the record of item {key!r} is another one."


def _outputs(recorded: dict[str, str]) -> Iterator[str]:
    files = FileDigests(None)
    for name, wanted in recorded.items():
        if not Path(name).exists():
            yield f"output {name} is missing."
        elif item_digest(Path(name), files) != wanted:
            yield f"output {name} is not what the phase wrote."
