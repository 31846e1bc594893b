"""What differs between two checkpoints or two runs, item by item and value by value, in the stored form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from milepost.errors import InvalidArgument
from milepost.report.contents import Latest, StoredSession, latest_of, session_of, whole
from milepost.run import load_current
from milepost.run.index import CALLS, STEPS
from milepost.run.manifest import PHASE_KEEPER
from milepost.run.place import Where
from milepost.run.subject import Subject, entry_named, looked_at, stored_value

NEWEST = "newest"
_KINDS = {
    "values_changed": "changed",
    "type_changes": "changed",
    "dictionary_item_added": "added",
    "iterable_item_added": "added",
    "dictionary_item_removed": "removed",
    "iterable_item_removed": "removed",
}


class Side(NamedTuple):
    """One side of a comparison: a *phase* below *root*, its *run* (None: its own), a *checkpoint* (None: all of it)."""

    root: Where
    phase: str
    run: str | None = None
    checkpoint: str | None = None


class Change(NamedTuple):
    """One difference inside a value: its *path* as jq writes it, ``added``, ``removed`` or ``changed``, old and new."""

    path: str
    kind: str
    old: Any = None
    new: Any = None


@dataclass(slots=True)
class Comparison:
    """What differs. Items stand under the name of their loop (``""`` for the only one), each with its changes."""

    added: dict[str, list[str]] = field(default_factory=dict)
    removed: dict[str, list[str]] = field(default_factory=dict)
    changed: dict[str, dict[str, list[Change]]] = field(default_factory=dict)
    labels: list[Change] = field(default_factory=list)
    state: list[Change] = field(default_factory=list)
    result: list[Change] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.added or self.removed or self.changed or self.labels or self.state or self.result)


def compare(old: Side, new: Side) -> Comparison:
    """Return what differs between two sides: two checkpoints of managers, or two runs.

    Raises:
        InvalidArgument: A side does not exist, or the two are of different kinds.
        DamageError: One of them is damaged.
        StorageError: The medium refused.
    """
    with ExitStack() as stack:
        sides = [stack.enter_context(looked_at(side.root, side.phase, side.run)) for side in (old, new)]
        of_phases = [subject.keeper == PHASE_KEEPER for subject in sides]
        if all(of_phases):
            if old.checkpoint or new.checkpoint:
                raise InvalidArgument(
                    f"{sides[0].path}: a milepost.Phase keeps this run, which has no checkpoints; compare runs "
                    "(--runs A B), or two phases."
                )
            first, second = (stack.enter_context(session_of(subject)) for subject in sides)
            return _of_runs(first, second)
        if any(of_phases):
            raise InvalidArgument(
                f"{sides[0].path} and {sides[1].path}: one is kept by a Phase and one by a CheckpointManager."
            )
        return _of_states(*(_state(subject, side) for subject, side in zip(sides, (old, new), strict=True)))


def changes(old: Any, new: Any) -> list[Change]:
    """Return what turns one value of plain JSON into another, by path."""
    if orjson.dumps(old) == orjson.dumps(new):
        return []
    from deepdiff import DeepDiff  # slow to load, and most commands do not compare

    tree = DeepDiff(old, new, view="tree", threshold_to_diff_deeper=0)
    found = [
        Change(_jq_path(one.path(output_format="list")), word, *_values(one, word))
        for kind, word in _KINDS.items()
        for one in tree.get(kind, ())
    ]
    # What deepdiff takes as equal and is written otherwise, such as the order of keys, is a difference all the same.
    return sorted(found, key=lambda change: change.path) or [Change(".", "changed", old, new)]


def _values(one: Any, word: str) -> tuple[Any, Any]:
    return (None if word == "added" else one.t1), (None if word == "removed" else one.t2)


def _jq_path(steps: list[Any]) -> str:
    path = "".join(
        f"[{step}]"
        if type(step) is int
        else f".{step}"
        if step.isascii() and step.isidentifier()
        else f"[{orjson.dumps(step).decode()}]"
        for step in steps
    )
    return path if path.startswith(".") else f".{path}"


def _state(subject: Subject, side: Side) -> Latest:
    loaded = load_current(subject.store, stored_value)
    if side.checkpoint not in (None, NEWEST):
        assert side.checkpoint is not None, "it is named"
        return whole(subject, entry_named(subject, loaded, side.checkpoint))
    if loaded.damage:
        raise loaded.damage[0]
    found = latest_of(subject, loaded)
    if found is None:
        raise InvalidArgument(f"{subject.path}: nothing is saved there.")
    return found


def _of_states(old: Latest, new: Latest) -> Comparison:
    labels = ({"iteration": one.iteration, "metadata": one.metadata} for one in (old, new))
    return Comparison(labels=changes(*labels), state=changes(old.state, new.state))


def _of_runs(old: StoredSession, new: StoredSession) -> Comparison:
    from milepost.phase.state import load_state

    found = Comparison(state=changes(load_state(old), load_state(new)), result=changes(_result(old), _result(new)))
    labels = [*old.index.groups, *(label for label in new.index.groups if label not in old.index.groups)]
    for label in labels:
        if label != CALLS:
            name = "(steps)" if label == STEPS else label.removeprefix("loop:")
            _compare_loop(old, new, label, name, found)
    return found


def _compare_loop(old: StoredSession, new: StoredSession, label: str, name: str, found: Comparison) -> None:
    before, after = old.index.group(label or None), new.index.group(label or None)
    added = [key for key in after.done_keys() if not before.sequence(key)]
    removed = [key for key in before.done_keys() if not after.sequence(key)]
    changed = dict(_changed(old, new, label))
    if added:
        found.added[name] = added
    if removed:
        found.removed[name] = removed
    if changed:
        found.changed[name] = changed


def _changed(old: StoredSession, new: StoredSession, label: str) -> Iterator[tuple[str, list[Change]]]:
    """Yield the items that both have and whose values differ: their bytes are compared first, one pair at a time."""
    before, after = old.index.group(label or None), new.index.group(label or None)
    for key in before.done_keys():
        if after.sequence(key):
            one, two = old.record(before.sequence(key)).value, new.record(after.sequence(key)).value
            if one != two and one is not None and two is not None:
                yield key, changes(stored_value(one), stored_value(two))


def _result(session: StoredSession) -> dict[str, Any]:
    completed = session.index.completed
    return {"result": session.value(completed)} if completed else {}
