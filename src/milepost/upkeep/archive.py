"""The form of an archive of runs: a plain tar file whose last member vouches for all others; no I/O.

::

    milepost.json                 what this is, and the version of the form
    runs/0/run.json               phase, run, keeper, origin, how many records, the chain behind the last
    runs/0/journal.jsonl          the records, one line each, chain included
    runs/0/checkpoints/<name>     as in the store
    runs/0/documents/<name>       as in the store
    runs/1/…                      the next run
    manifest.json                 size and SHA-256 of every member before it

Names in it are numbers and file names of a fixed form, never paths of the machine it came from.
"""

from __future__ import annotations

import re
import tarfile
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from milepost.checkpoint import Head, is_checkpoint_name
from milepost.errors import CorruptDocument, NotDecodable
from milepost.records import Position

FORMAT = 1
HEADER, MANIFEST = "milepost.json", "manifest.json"
BLOCK_BYTES = 512
LONGEST_NAME = 99  # what a plain tar header holds
RUN, JOURNAL = "run.json", "journal.jsonl"
_KIND = "milepost-archive"
_DOCUMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_TIMES = 1e11  # seconds since 1970 that any calendar can tell
_NUMBER, _TEXT = (int, float), (str, type(None))
_RECORD: dict[str, tuple[type, ...]] = {
    "sequence": (int,),
    "kind": (str,),
    "time": _NUMBER,
    "attempt": (int,),
    "group": _TEXT,
    "key": _TEXT,
    "seconds": (*_NUMBER, type(None)),
    "input": _TEXT,
    "code": _TEXT,
    "chain": (str,),
}
"""What a record's fields may be; its value may be anything."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MEMBER = re.compile(r"runs/([0-9]{1,6})/(run\.json|journal\.jsonl|(checkpoints|documents)/([^/]{1,80}))")
_RESERVED = ("lock", "runs", "run.json", "journal_", "checkpoint_")


class Member(NamedTuple):
    """Where a member belongs: the *run* by its number, its *part*, and its *name* there."""

    run: int
    part: str
    name: str


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What an archive says of one run. The old manager's have no *run*; *aside* is the folder below ``runs/``."""

    phase: str
    run: str | None
    keeper: str
    created: float
    records: int
    chain: str
    checkpoint: int
    origin: dict[str, Any] | None
    aside: str | None

    def encoded(self) -> bytes:
        """Return the member that says it."""
        return orjson.dumps({name: getattr(self, name) for name in self.__slots__}, option=orjson.OPT_INDENT_2)


def facts_of(data: bytes) -> RunFacts:
    """Return what a ``run.json`` of an archive says.

    Raises:
        CorruptDocument: It is not of that form.
    """
    kinds: dict[str, tuple[type, ...]] = {
        "phase": (str,),
        "run": (str, type(None)),
        "keeper": (str,),
        "created": (int, float),
        "records": (int,),
        "chain": (str,),
        "checkpoint": (int,),
        "origin": (dict, type(None)),
        "aside": (str, type(None)),
    }
    fields = _object(data, RUN)
    if fields.keys() != kinds.keys() or not all(type(fields[name]) in allowed for name, allowed in kinds.items()):
        raise CorruptDocument(f"{RUN}: it does not say what a run in an archive says.")
    if fields["keeper"] not in ("manager", "phase") or fields["records"] < 0 or fields["checkpoint"] < 0:
        raise CorruptDocument(f"{RUN}: it does not say what a run in an archive says.")
    if not _is_time(fields["created"]):
        raise CorruptDocument(f"{RUN}: it began at a time that there is not.")
    named = [fields["run"], fields["aside"]]
    if not all(name is None or _NAME.fullmatch(name) for name in named):
        raise CorruptDocument(f"{RUN}: a run's name is not of a known form.")
    origin = fields["origin"]
    if origin is not None and not (
        origin.keys() == {"run", "sequence", "checkpoint", "item"} and type(origin["run"]) is str
    ):
        raise CorruptDocument(f"{RUN}: its origin is not of a known form.")
    return RunFacts(**fields)


def is_record(line: bytes) -> bool:
    """Tell whether a line is JSON throughout, with fields of the types that a record's have."""
    try:
        fields = orjson.loads(line)
    except ValueError:
        return False
    return (
        type(fields) is dict
        and all(type(fields.get(name)) in allowed for name, allowed in _RECORD.items())
        and _is_time(fields["time"])
        and 0 <= fields["attempt"] < 1 << 53
    )


def is_head(head: Head) -> bool:
    """Tell whether what a checkpoint says of itself is of the types that one of ours says, or the old manager's."""
    position = head.position or Position(0, "")
    return (
        type(head.phase) is str
        and (type(head.iteration) is int or not head.number)
        and type(head.timestamp) is str
        and type(head.time) in _NUMBER
        and _is_time(head.time)
        and type(head.number) is int
        and type(position.sequence) is int
        and type(position.chain) is str
    )


def _is_time(seconds: float) -> bool:
    return -_TIMES < seconds < _TIMES


def header() -> bytes:
    """Return the first member: what the file is."""
    return orjson.dumps({"kind": _KIND, "format": FORMAT}) + b"\n"


def check_header(data: bytes) -> None:
    """Pass the first member of an archive of this form.

    Raises:
        CorruptDocument: It is none.
        NotDecodable: It is of a newer form.
    """
    fields = _object(data, HEADER)
    if fields.get("kind") != _KIND:
        raise CorruptDocument(f"{HEADER}: this is no archive of Milepost.")
    if fields.get("format") != FORMAT:
        raise NotDecodable(f"{HEADER}: the form of this archive is not known here; it is of a newer Milepost.")


def member_of(name: str) -> Member | None:
    """Return where a member of that name belongs; None if no archive has such a name."""
    match = _MEMBER.fullmatch(name)
    if match is None or str(int(match[1])) != match[1]:
        return None
    number, part, file = int(match[1]), match[3] or match[2], match[4] or match[2]
    if part == "checkpoints" and not is_checkpoint_name(file):
        return None
    if part == "documents" and not is_document(file):
        return None
    return Member(number, part, file)


def is_document(name: str) -> bool:
    """Tell whether a file of a run is a document that moves along; nothing is of the journal, the lock, or damaged."""
    return (
        _DOCUMENT.fullmatch(name) is not None
        and not name.startswith(_RESERVED)
        and not name.endswith((".quarantine", ".tmp"))
    )


def framed(name: str, size: int) -> bytes:
    """Return the tar header of a regular file; nothing of this machine is in it, and equal runs give equal archives."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o600, 0
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict")


def padding(size: int) -> bytes:
    """Return what fills a member of *size* bytes up to whole blocks."""
    return b"\0" * (-size % BLOCK_BYTES)


def end() -> bytes:
    """Return the two blocks that end a tar file."""
    return b"\0" * (2 * BLOCK_BYTES)


def contents(digests: dict[str, tuple[int, str]]) -> bytes:
    """Return the last member, given size and SHA-256 of each before it."""
    members = {name: {"size": size, "sha256": sha} for name, (size, sha) in digests.items()}
    return orjson.dumps({"kind": _KIND, "format": FORMAT, "members": members}, option=orjson.OPT_INDENT_2)


def check_contents(data: bytes, digests: dict[str, tuple[int, str]]) -> None:
    """Pass if the last member says exactly what was read.

    Raises:
        CorruptDocument: A member is missing, altered, or too many; it is named.
    """
    stated = _object(data, MANIFEST).get("members")
    if type(stated) is not dict:
        raise CorruptDocument(f"{MANIFEST}: it lists no members.")
    for name in [*digests, *stated]:
        size, sha = digests.get(name, (-1, ""))
        if stated.get(name) != {"size": size, "sha256": sha}:
            shown = name if member_of(name) else ascii(name)[:100]
            raise CorruptDocument(f"{shown}: this member is missing, altered, or not listed.")


def _object(data: bytes, name: str) -> dict[str, Any]:
    try:
        fields = orjson.loads(data)
    except ValueError as error:
        raise CorruptDocument(f"{name}: it is no JSON.") from error
    if type(fields) is not dict:
        raise CorruptDocument(f"{name}: it holds no object.")
    return fields
