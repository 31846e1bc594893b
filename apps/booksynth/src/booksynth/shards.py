"""What one tracker says, once read: plain data that a checkpoint can hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

# Counts up when shards of an earlier release must not be used: their files are then read again.
SHARD_FORMAT = 1


@dataclass(frozen=True)
class Problem:
    """Something about one file that a person should know.

    `where` is a JSON path into the file, or empty for the file as a whole. `code` is stable.
    """

    file: str
    where: str
    code: str
    reason: str


@dataclass(frozen=True)
class Sighting:
    """In which iterations a recommendation stood in a bucket; `where` is its first JSON path."""

    bucket: str
    iterations: list[int]
    where: str


@dataclass(frozen=True)
class Recommendation:
    """One recommendation of one book: all its fields, and where it was seen.

    `digest` is over the fields alone, so that the same words have the same digest in every book.
    """

    digest: str
    fields: dict[str, Any]
    sightings: list[Sighting]


@dataclass(frozen=True)
class Shard:
    """One tracker in normal form. `raw` counts its recommendations before duplicates collapse."""

    title: str
    key: str
    raw: int
    recommendations: list[Recommendation]
    is_stub: bool = False

    def content(self) -> frozenset[str]:
        """Return what the tracker says, whatever its spelling, order and repetitions."""
        return frozenset(one.digest for one in self.recommendations)


@dataclass(frozen=True)
class Entry:
    """A finished file in the saved progress: what it held, and how to know that it still does.

    `signature` is size, mtime and ctime in nanoseconds, inode and device. `is_racy` says that the
    file was so young when read that a later change may carry the same signature. A file that could
    not be used has no shard, and problems that say why. `vectors` are those of its records by digest,
    where a model is asked.
    """

    format: int
    signature: list[int]
    is_racy: bool
    digest: str
    shard: Shard | None
    problems: list[Problem] = field(default_factory=list)
    vectors: dict[str, str] = field(default_factory=dict)

    def dump(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self)


def with_vectors(entry: Entry, matching: str) -> Entry:
    """Return *entry* with the vectors that *matching* needs."""
    if matching == "words" or entry.shard is None:
        return entry
    from booksynth.embeddings import of_shard

    return replace(entry, vectors=of_shard(entry.shard, entry.vectors))


def vectors_of(entries: Iterable[Entry], matching: str) -> dict[str, str] | None:
    """Return the vectors of all records by digest; None where *matching* needs none."""
    if matching == "words":
        return None
    return {digest: vector for entry in entries for digest, vector in entry.vectors.items()}


_ENTRY = TypeAdapter(Entry)


def load_entry(data: object) -> Entry | None:
    """Return the entry that a checkpoint holds, or None where it is of another form."""
    try:
        entry = _ENTRY.validate_python(data)
    except ValidationError:
        return None
    return entry if entry.format == SHARD_FORMAT else None
