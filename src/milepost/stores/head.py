"""The two small documents that say how things stand in a shared store; no I/O.

Each phase has a *head*: who holds the lease, which *area* holds the phase's run, which areas hold the runs that were
set aside. Each area has a *directory*: its documents, and its journals, one behind the other. Both are replaced only
by who knows their version, so that a writer who was superseded can change neither.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from milepost.errors import CorruptDocument, NotDecodable
from milepost.records import Position, Totals, seal, unseal
from milepost.stores.presence import Owner

_FORMAT = 1


class Mark(NamedTuple):
    """A watermark: the journal of *area* went up to *position*, in *size_bytes*; *totals* sums its records up.

    *checkpoint* is the number of the newest checkpoint that was noted.
    """

    area: str
    position: Position
    size_bytes: int = 0
    checkpoint: int = 0
    totals: Totals | None = None


class Lease(NamedTuple):
    """Who writes a phase: its *owner* *since* when (seconds since 1970-01-01 UTC), for *seconds* from each renewal."""

    owner: Owner
    seconds: float
    since: float


class Head(NamedTuple):
    """What a phase's head says. *token* counts the writers; *runs* tells the areas of the runs below by their names."""

    area: str
    token: int = 0
    lease: Lease | None = None
    runs: dict[str, str] = {}  # noqa: RUF012 -- never changed in place
    mark: Mark | None = None

    def encoded(self) -> bytes:
        """Return the sealed document."""
        lease = self.lease
        return seal(
            {
                "kind": "head",
                "format": _FORMAT,
                "area": self.area,
                "token": self.token,
                "lease": lease and {"owner": lease.owner._asdict(), "seconds": lease.seconds, "since": lease.since},
                "runs": self.runs,
                "mark": _mark_fields(self.mark),
            }
        )


class Entry(NamedTuple):
    """A document: the *key* of the object that holds it, its *size* in bytes, its *digest*."""

    key: str
    size: int
    digest: str


class Part(NamedTuple):
    """One journal of a run: its *number*, and the position behind which its records count."""

    number: int
    start: Position


class Directory(NamedTuple):
    """What an area's directory says: its *documents*, the *parts* of its journal, and whose *run* that is.

    *token* is that of the writer who may replace it. *begun* counts the journals that ever were. *trimmed* is the
    position up to which records were forgotten. *mark* is the watermark of a run that is not the phase's any more.
    """

    documents: dict[str, Entry] = {}  # noqa: RUF012 -- never changed in place
    parts: tuple[Part, ...] = ()
    run: str | None = None
    token: int = 0
    begun: int = 0
    trimmed: Position | None = None
    mark: Mark | None = None

    def encoded(self) -> bytes:
        """Return the sealed document."""
        return seal(
            {
                "kind": "directory",
                "format": _FORMAT,
                "documents": {name: list(entry) for name, entry in self.documents.items()},
                "parts": [[part.number, list(part.start)] for part in self.parts],
                "run": self.run,
                "token": self.token,
                "begun": self.begun,
                "trimmed": self.trimmed and list(self.trimmed),
                "mark": _mark_fields(self.mark),
            }
        )


def parse_head(where: str, data: bytes) -> Head:
    """Return what a head says.

    Raises:
        CorruptDocument: It is not what was written.
        NotDecodable: It is of a newer format.
    """
    fields = _fields(where, data, "head")
    lease = fields["lease"]
    held = lease and Lease(Owner.of(lease["owner"]), lease["seconds"], lease["since"])
    return Head(fields["area"], fields["token"], held, fields["runs"], _mark(fields["mark"]))


def parse_directory(where: str, data: bytes) -> Directory:
    """Return what a directory says; errors as for `parse_head`."""
    fields = _fields(where, data, "directory")
    trimmed = fields["trimmed"]
    return Directory(
        documents={name: Entry(*entry) for name, entry in fields["documents"].items()},
        parts=tuple(Part(number, Position(*start)) for number, start in fields["parts"]),
        run=fields["run"],
        token=fields["token"],
        begun=fields["begun"],
        trimmed=Position(*trimmed) if trimmed else None,
        mark=_mark(fields["mark"]),
    )


def _fields(where: str, data: bytes, kind: str) -> dict[str, Any]:
    fields = unseal(data)
    if fields is None or fields.get("kind") != kind:
        raise CorruptDocument(f"{where}: it is not what was written.")
    if fields.get("format") != _FORMAT:
        raise NotDecodable(f"{where}: its format is not known here; was it written by a newer Milepost?")
    return fields


def _mark_fields(mark: Mark | None) -> Any:
    if mark is None:
        return None
    return [mark.area, list(mark.position), mark.size_bytes, mark.checkpoint, mark.totals and list(mark.totals)]


def _mark(fields: Any) -> Mark | None:
    if not fields:
        return None
    area, position, size_bytes, checkpoint, totals = fields
    return Mark(area, Position(*position), size_bytes, checkpoint, Totals(*totals) if totals else None)
