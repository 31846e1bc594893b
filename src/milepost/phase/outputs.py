"""Files that a phase wrote: declared by it, known by their digest, and looked at again before it counts as finished."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from milepost.errors import InvalidArgument
from milepost.phase.digests import Digests
from milepost.records import Kind, digest
from milepost.run.session import Recorded, Session
from milepost.run.tally import OUTPUTS


class Output(NamedTuple):
    """A declared output: its *path* as it was given, and the *digest* of its content."""

    path: str
    digest: str


def record_output(session: Session, digests: Digests, path: str) -> None:
    """Record what stands at *path* now, unless the newest record says the same.

    Raises:
        InvalidArgument: There is no such file.
        StorageError: The medium refused.
    """
    if not Path(path).exists():
        raise InvalidArgument(f"output {path!r}: there is no such file; write it, then declare it.")
    now = {"digest": digests.of_value(Path(path))}
    group = session.index.group(OUTPUTS)
    sequence = group.sequence(path)
    if sequence and session.value(sequence) == now:
        return
    session.append([session.made(Kind.DONE, path, now, group=OUTPUTS, name="output")])


def recorded_outputs(recorded: Recorded) -> list[Output]:
    """Return the declared outputs of a run, in the order in which they were declared first."""
    group = recorded.index.groups.get(OUTPUTS)
    if group is None:
        return []
    found: list[Output] = []
    for path in group.done_keys():
        value: dict[str, Any] = recorded.value(group.sequence(path))
        found.append(Output(path, value["digest"]))
    return found


def output_digest(value: object) -> str:
    """Return the digest of an encoded result; of one that is only in memory, a word that equals no digest."""
    return digest(value) if isinstance(value, bytes) else "(in memory)"
