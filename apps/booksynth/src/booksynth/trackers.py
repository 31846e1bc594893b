"""One tracker, from bytes to a shard. Pure: no file is touched here.

A bad value costs only what it spoils: a bad record is left out and reported, its book stays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from booksynth import texts
from booksynth.json_reader import FileError, ValueFaultError, clean, read, refuse_repeated, text
from booksynth.shards import Problem, Recommendation, Shard, Sighting

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIX = "_convergence_tracker.json"

_TEXT_FIELDS = (
    "description",
    "technical_details",
    "expected_impact",
    "priority",
    "time_estimate",
    "source_chapter",
    "category",
)
_LIST_FIELDS = ("implementation_steps", "dependencies")


@dataclass
class _Tracker:
    """A tracker while it is being read."""

    file: str
    raw: int = 0
    problems: list[Problem] = field(default_factory=list)
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: dict[str, dict[str, tuple[set[int], str]]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)

    def report(self, where: str, code: str, reason: str) -> None:
        self.problems.append(Problem(self.file, where, code, reason))

    def recommendations(self) -> list[Recommendation]:
        return [
            Recommendation(
                digest,
                fields,
                [
                    Sighting(bucket, sorted(iterations), where)
                    for bucket, (iterations, where) in sorted(self.seen[digest].items())
                ],
            )
            for digest, fields in sorted(self.fields.items())
        ]


def parse(file: str, data: bytes) -> tuple[Shard | None, list[Problem]]:
    """Return what a tracker says and what is wrong with it; no shard where nothing is usable."""
    tracker = _Tracker(file)
    try:
        document = read(data)
        _refuse_other_than_object(document, "$")
        title = _title(tracker, document)
        iterations = _iterations(document)
    except (FileError, ValueFaultError) as fault:
        tracker.report(getattr(fault, "where", ""), fault.code, fault.reason)
        return None, tracker.problems
    known = len(tracker.problems)
    for place, iteration in enumerate(iterations):
        _read_iteration(tracker, place, iteration)
    # Empty is a stub only if nothing was lost on the way: else the losses are the story.
    is_stub = tracker.raw == 0 and len(tracker.problems) == known
    found = tracker.recommendations()
    return Shard(title, texts.key(title), tracker.raw, found, is_stub), tracker.problems


def _title(tracker: _Tracker, document: dict[str, Any]) -> str:
    given = document.get("book_title")
    if isinstance(given, str) and given.strip():
        return " ".join(text(given, "$.book_title").split())
    name = tracker.file.removesuffix(SUFFIX).replace("_", " ").strip() or tracker.file
    found = "missing" if given is None else "empty" if given == "" else _kind(given)
    reason = f"the title must be text, and is {found}; the file's name is used"
    tracker.report("$.book_title", "missing-field", reason)
    return text(name, "$.book_title")


def _iterations(document: dict[str, Any]) -> list[Any]:
    if "iterations" not in document:
        raise ValueFaultError("$.iterations", "missing-field", "missing, so there is nothing to read")
    iterations = document["iterations"]
    if not isinstance(iterations, list):
        raise ValueFaultError("$.iterations", "wrong-type", f"must be a list, not {_kind(iterations)}")
    return iterations


def _read_iteration(tracker: _Tracker, place: int, iteration: Any) -> None:
    where = f"$.iterations[{place}]"
    try:
        _refuse_other_than_object(iteration, where)
        number = _number(tracker, iteration, where, place + 1)
        for bucket, path, records in _buckets(tracker, iteration, f"{where}.recommendations"):
            for index, record in enumerate(records):
                _read_record(tracker, number, bucket, f"{path}[{index}]", record)
    except ValueFaultError as fault:
        tracker.report(fault.where, fault.code, fault.reason)


def _number(tracker: _Tracker, iteration: dict[str, Any], where: str, position: int) -> int:
    number = iteration.get("iteration")
    if isinstance(number, int) and not isinstance(number, bool):
        return number
    found = "missing" if number is None else _kind(number)
    reason = f"the number of the iteration is {found}; its position is used"
    tracker.report(f"{where}.iteration", "missing-field", reason)
    return position


def _buckets(tracker: _Tracker, iteration: dict[str, Any], where: str) -> Iterator[tuple[str, str, list[Any]]]:
    buckets = iteration.get("recommendations")
    if not isinstance(buckets, dict):
        code = "missing-field" if buckets is None else "wrong-type"
        raise ValueFaultError(where, code, f"must be an object of lists, not {_kind(buckets)}")
    refuse_repeated(buckets, where)
    for bucket, records in buckets.items():
        name = text(bucket, where)
        if isinstance(records, list):
            yield name, f"{where}.{name}", records
        else:
            reason = f"must be a list, not {_kind(records)}"
            tracker.report(f"{where}.{name}", "wrong-type", reason)


def _read_record(tracker: _Tracker, number: int, bucket: str, where: str, record: Any) -> None:
    tracker.raw += 1
    try:
        fields = _record(record, where)
    except ValueFaultError as fault:
        # A list that is replayed in every iteration has the same bad record each time.
        mark = repr((bucket, record, fault.code, fault.reason))
        if mark not in tracker.refused:
            tracker.refused.add(mark)
            tracker.report(fault.where, fault.code, f"{fault.reason}; this record is left out")
        return
    digest = texts.digest(fields)
    if digest not in tracker.fields:
        tracker.fields[digest] = fields
        if not fields.get("description"):
            reason = "missing; the recommendation is used without it"
            tracker.report(f"{where}.description", "missing-field", reason)
    buckets = tracker.seen.setdefault(digest, {})
    buckets.setdefault(bucket, (set(), where))[0].add(number)


def _refuse_other_than_object(value: Any, where: str) -> None:
    if not isinstance(value, dict):
        raise ValueFaultError(where, "wrong-type", f"must be an object, not {_kind(value)}")
    refuse_repeated(value, where)


def _record(record: Any, where: str) -> dict[str, Any]:
    _refuse_other_than_object(record, where)
    fields: dict[str, Any] = clean(record, where)
    title = fields.get("title")
    if title is None:
        raise ValueFaultError(f"{where}.title", "missing-field", "missing")
    if not isinstance(title, str):
        raise ValueFaultError(f"{where}.title", "wrong-type", f"must be text, not {_kind(title)}")
    if not title.strip():
        raise ValueFaultError(f"{where}.title", "missing-field", "empty")
    for name in _TEXT_FIELDS:
        if not isinstance(fields.get(name, ""), str | None):
            reason = f"must be text, not {_kind(fields[name])}"
            raise ValueFaultError(f"{where}.{name}", "wrong-type", reason)
    for name in _LIST_FIELDS:
        _refuse_other_than_texts(fields.get(name), f"{where}.{name}")
    return fields


def _refuse_other_than_texts(items: Any, where: str) -> None:
    if not isinstance(items, list | None):
        raise ValueFaultError(where, "wrong-type", f"must be a list of texts, not {_kind(items)}")
    for index, item in enumerate(items or ()):
        if not isinstance(item, str):
            reason = f"must be text, not {_kind(item)}"
            raise ValueFaultError(f"{where}[{index}]", "wrong-type", reason)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    names: list[tuple[type, str]] = [(str, "text"), (list, "a list"), (dict, "an object")]
    return next((name for kind, name in names if isinstance(value, kind)), "a number")
