"""From files to books: one book may have several trackers, and counts once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from booksynth.shards import Problem, Recommendation, Shard

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class Source:
    """Where one recommendation was found."""

    file: str
    bucket: str
    iterations: list[int]
    where: str


@dataclass
class Member:
    """One recommendation of one book, with every place where the book's files have it."""

    digest: str
    fields: dict[str, Any]
    sources: list[Source] = field(default_factory=list)


@dataclass(frozen=True)
class Tracker:
    """One file of a book. `role`: used, identical (to another file of the book), stub or empty."""

    file: str
    title: str
    role: str
    raw: int
    unique: int


@dataclass
class Book:
    """One book: its trackers in the order of their names, its recommendations by digest."""

    key: str
    title: str
    trackers: list[Tracker] = field(default_factory=list)
    members: dict[str, Member] = field(default_factory=dict)

    @property
    def raw(self) -> int:
        """How many recommendations the files hold, repetitions included, identical files not."""
        return sum(tracker.raw for tracker in self.trackers if tracker.role == "used")


def too_long(fields: Mapping[str, Any], max_chars: int) -> str | None:
    """Return the name of the first field of more than *max_chars* characters, or None."""
    return next((name for name in sorted(fields) if _chars(fields[name]) > max_chars), None)


def _chars(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(name) + _chars(item) for name, item in value.items())
    return sum(map(_chars, value)) if isinstance(value, list) else len(str(value))


def usable(shards: Mapping[str, Shard], max_chars: int) -> tuple[dict[str, list[Recommendation]], list[Problem]]:
    """Return each file's recommendations but those with an overlong field, which are reported."""
    kept: dict[str, list[Recommendation]] = {}
    problems: list[Problem] = []
    for file in sorted(shards):
        kept[file] = []
        for one in shards[file].recommendations:
            name = too_long(one.fields, max_chars)
            if name is None:
                kept[file].append(one)
                continue
            where = f"{one.sightings[0].where}.{name}"
            reason = f"longer than {max_chars} characters; this record is left out"
            problems.append(Problem(file, where, "too-long", reason))
    return kept, problems


def books(shards: Mapping[str, Shard], max_field_chars: int) -> tuple[list[Book], list[Problem]]:
    """Return the books in the order of their keys, and what is to be known about their files."""
    kept, problems = usable(shards, max_field_chars)
    files: dict[str, list[str]] = {}
    for file in sorted(shards):
        files.setdefault(shards[file].key, []).append(file)
    shelf = []
    for key, names in sorted(files.items()):
        trackers, notes = _trackers(names, shards)
        problems += notes
        book = Book(key, _title(trackers), trackers)
        for file in names:
            _add(book, file, kept[file])
        shelf.append(book)
    return shelf, problems


def _trackers(names: list[str], shards: Mapping[str, Shard]) -> tuple[list[Tracker], list[Problem]]:
    """Return the files of one book with their roles, and a problem for each that is not the only."""
    trackers: list[Tracker] = []
    problems: list[Problem] = []
    twins: dict[frozenset[str], str] = {}
    used = [name for name in names if shards[name].recommendations]
    for name in names:
        shard = shards[name]
        role, reason = _role(name, shard, used, twins)
        if reason:
            code = role if role != "used" else "same-book"
            problems.append(Problem(name, "", code, reason))
        unique = len(shard.recommendations)
        trackers.append(Tracker(name, shard.title, role, shard.raw, unique))
    return trackers, problems


def _role(name: str, shard: Shard, used: list[str], twins: dict[frozenset[str], str]) -> tuple[str, str]:
    beside = "; another analysis of the book is used" if used else ""
    if shard.is_stub:
        return "stub", f"a stub: no iteration found anything, so the analysis failed{beside}"
    if not shard.recommendations:
        return "empty", f"nothing in it is usable{beside}"
    twin = twins.setdefault(shard.content(), name)
    if twin != name:
        return "identical", f"says the same as {twin}, of the same book; it counts once"
    if name != used[0]:
        return "used", f"another analysis of the book in {used[0]}; both are used, as one book"
    return "used", ""


def _title(trackers: Iterable[Tracker]) -> str:
    return min(trackers, key=lambda one: (-one.unique, one.title, one.file)).title


def _add(book: Book, file: str, recommendations: Iterable[Recommendation]) -> None:
    for one in recommendations:
        member = book.members.setdefault(one.digest, Member(one.digest, one.fields))
        member.sources += [Source(file, seen.bucket, seen.iterations, seen.where) for seen in one.sightings]
