"""The format of a checkpoint file, ours and the old manager's; no I/O.

Ours is one JSON object in four lines, so that its head can be read alone and every byte is vouched for::

    {"format":1,"phase":…,"iteration":5,"timestamp":…,"time":…,"run":…,"number":3,"sequence":42,"chain":…,"check":…,
    "metadata":{…},
    "state":{…},
    "digest":"xxh3-128:…"}

With a codec the file ends in ``.zst``, ``.enc`` or both, and its head is readable all the same: see `codec.files`.
The head's check covers its own line, the digest all bytes before it. *number* counts the checkpoints of a
run: it says which is newest, whatever the clocks said. *sequence* and *chain* say where in the journal the
checkpoint was taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from milepost import codec
from milepost.codec.files import coded_name, head_in
from milepost.errors import CorruptCheckpoint, NotDecodable
from milepost.records import Position, digest, seal, unseal

HEAD_READ_BYTES = 16 * 1024
"""How much of a file is read to see its head: a head of ours fits, however long the phase's name."""

Decoder = Callable[[bytes | memoryview], Any]

_FORMAT = 1
_STARTS_OURS = b'{"format":'
_ONLY_OURS = frozenset({"chain", "check", "digest"})  # one damaged byte never makes our file an old one, unchecked
_METADATA = b',\n"metadata":'
_STATE = b',\n"state":'
_DIGEST = b',\n"digest":"xxh3-128:'
_TAIL_BYTES = len(_DIGEST) + 32 + len(b'"}\n')
_NAME = re.compile(r"checkpoint_(\d{8}_\d{6})_iter([\w.+-]+)\.json(\.zst)?(\.enc)?")


class Head(NamedTuple):
    """What a checkpoint says of itself. *time* is in seconds since 1970-01-01 UTC.

    The old manager's files have *number* 0, no *run* and no *position*.
    """

    phase: str
    iteration: int
    timestamp: str
    time: float
    number: int = 0
    run: str | None = None
    position: Position | None = None


class Checkpoint(NamedTuple):
    """A whole checkpoint, verified: its *head* and the decoded *state* and *metadata*."""

    head: Head
    state: Any
    metadata: Any


def is_checkpoint_name(name: str) -> bool:
    """Tell whether a file name is a checkpoint's, ours or the old manager's."""
    return _NAME.fullmatch(name) is not None


def file_name(moment: datetime, iteration: int, again: int = 0) -> str:
    """Return the name for a checkpoint: local time to the second, iteration, and a count where that is taken."""
    suffix = f"-{again}" if again else ""
    return f"checkpoint_{moment:%Y%m%d_%H%M%S}_iter{iteration}{suffix}.json"


def encode(head: Head, metadata: bytes, *state: bytes) -> list[bytes]:
    """Return the pieces of the file, of the encoded *metadata* and *state*; a large state is not copied."""
    assert head.position is not None
    fields = {
        "format": _FORMAT,
        "phase": head.phase,
        "iteration": head.iteration,
        "timestamp": head.timestamp,
        "time": head.time,
        "run": head.run,
        "number": head.number,
        "sequence": head.position.sequence,
        "chain": head.position.chain,
    }
    body = (seal(fields)[:-1], _METADATA, metadata, _STATE, *state)
    return [*body, _DIGEST, digest_of(*body), b'"}\n']


def decode_head(name: str, start: bytes) -> Head | None:
    """Return the head of a file of ours from its first bytes; None if it is the old manager's.

    Raises:
        CorruptCheckpoint: It is neither, or its head is not what was written.
        NotDecodable: It is of a newer format.
    """
    coded = head_in(start) if coded_name(name) else None
    if coded is not None:
        start = coded.rstrip(b"}\n") + _METADATA
    if not start.startswith(_STARTS_OURS):
        if start.lstrip(b" \t\r\n").startswith(b"{"):
            return None
        raise CorruptCheckpoint(f"{name}: this is not a checkpoint: it does not begin as one.")
    line, found, _ = start.partition(_METADATA)
    fields = unseal(line + b"}") if found else None
    if fields is None:
        raise CorruptCheckpoint(f"{name}: its head is not what was written.")
    if fields.get("format") != _FORMAT:
        raise NotDecodable(f"{name}: its format is not known here; it was written by a newer Milepost.")
    try:
        return _head_of(fields)
    except KeyError as error:
        raise CorruptCheckpoint(f"{name}: its head does not say what a checkpoint's says.") from error


def _head_of(fields: dict[str, Any]) -> Head:
    return Head(
        phase=fields["phase"],
        iteration=fields["iteration"],
        timestamp=fields["timestamp"],
        time=fields["time"],
        number=fields["number"],
        run=fields["run"],
        position=Position(fields["sequence"], fields["chain"]),
    )


def decode(name: str, data: bytes, decoded: Decoder = codec.decode) -> Checkpoint:
    """Return the checkpoint in a file's bytes, every one of which was verified.

    Args:
        name: The file's name, for messages.
        data: All of its bytes.
        decoded: From the stored bytes of state and metadata to values. The old manager's files hold values as such.

    Raises:
        CorruptCheckpoint: It is torn, altered, or no checkpoint.
        NotDecodable: It is whole, and holds a class that is not registered here or a newer format.
    """
    head = decode_head(name, data[:HEAD_READ_BYTES])
    if head is None:
        return _decode_legacy(name, data)
    metadata, state = _parts(name, data)
    return Checkpoint(head, decoded(state), decoded(metadata))


def stored_parts(name: str, data: bytes) -> tuple[Head, bytes, bytes]:
    """Return a verified checkpoint's head and the stored bytes of its metadata and state, ours or the old manager's.

    Raises:
        CorruptCheckpoint: It is torn, altered, or no checkpoint.
        NotEncodable: The old manager's file holds what this format does not.
    """
    head = decode_head(name, data[:HEAD_READ_BYTES])
    if head is None:
        old = _decode_legacy(name, data)
        return old.head, codec.encode(old.metadata, "metadata"), codec.encode(old.state, "state")
    metadata, state = _parts(name, data)
    return head, metadata, bytes(state)


def _parts(name: str, data: bytes) -> tuple[bytes, memoryview]:
    """Return the stored bytes of metadata and state, after a look at every byte."""
    body = memoryview(data)[:-_TAIL_BYTES]
    if data[len(body) :] != _DIGEST + digest_of(body) + b'"}\n':
        raise CorruptCheckpoint(f"{name}: its digest does not match: the file is torn or was altered.")
    metadata_at = data.index(_METADATA) + len(_METADATA)
    state_at = data.index(_STATE, metadata_at)
    return data[metadata_at:state_at], body[state_at + len(_STATE) :]


def digest_of(*pieces: bytes | memoryview) -> bytes:
    """Return the xxh3-128 of all *pieces* together as 32 hex digits in ASCII."""
    return digest(*pieces).encode()


def _decode_legacy(name: str, data: bytes) -> Checkpoint:
    try:
        content = codec.decode_legacy(data)
    except NotDecodable as error:
        raise CorruptCheckpoint(f"{name}: {error}") from error
    if not isinstance(content, dict):
        raise CorruptCheckpoint(f"{name}: it holds no object.")
    if not _ONLY_OURS.isdisjoint(content):
        raise CorruptCheckpoint(f"{name}: its head is not what was written.")
    missing = [field for field in ("phase", "iteration", "timestamp", "state") if field not in content]
    if missing:
        raise CorruptCheckpoint(f"{name}: {', '.join(missing)} missing.")
    try:
        saved_at = datetime.fromisoformat(content["timestamp"]).timestamp()
    except (TypeError, ValueError) as error:
        raise CorruptCheckpoint(f"{name}: its timestamp is not ISO 8601.") from error
    head = Head(content["phase"], content["iteration"], content["timestamp"], saved_at)
    return Checkpoint(head, content["state"], content.get("metadata") or {})
