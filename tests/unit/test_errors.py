"""The tree of errors: grouped by what the caller does next, with codes that never change."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator

import pytest

from milepost import errors
from milepost.errors import DiskFull, MilepostError, NotEncodable, RunLocked

CODES = {
    "MilepostError": "milepost",
    "UsageError": "usage",
    "InvalidArgument": "usage.argument",
    "NotEncodable": "usage.not-encodable",
    "NotEncrypted": "usage.not-encrypted",
    "ForeignCheckpoint": "usage.foreign-checkpoint",
    "ContentionError": "contention",
    "RunLocked": "contention.locked",
    "Fenced": "contention.fenced",
    "VersionConflict": "contention.version",
    "StaleState": "contention.stale-state",
    "StorageError": "storage",
    "DiskFull": "storage.full",
    "StoreUnavailable": "storage.unavailable",
    "DurabilityUnknown": "storage.durability-unknown",
    "UnsafeStore": "storage.unsafe",
    "DamageError": "damage",
    "CorruptJournal": "damage.journal",
    "LostRecords": "damage.lost-records",
    "CorruptCheckpoint": "damage.checkpoint",
    "CorruptDocument": "damage.document",
    "NotDecodable": "damage.not-decodable",
    "Tampered": "damage.tampered",
    "ConfigError": "config",
    "KeyMissing": "config.key-missing",
    "WrongKey": "config.wrong-key",
}


def tree(root: type[MilepostError] = MilepostError) -> Iterator[type[MilepostError]]:
    """Yield every class of the tree that the module defines."""
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child)


ALL = sorted(set(tree()), key=lambda one: one.code)


def test_codes_are_stable() -> None:
    """No code that was ever given is renamed or taken away."""
    assert CODES.items() <= {one.__name__: one.code for one in ALL}.items()


def test_codes_are_distinct() -> None:
    """No two errors have one code."""
    assert len({one.code for one in ALL}) == len(ALL)


@pytest.mark.parametrize("error", ALL, ids=lambda one: one.__name__)
def test_the_second_level_is_what_to_do(error: type[MilepostError]) -> None:
    """Each error stands below one decision of the caller, and its code begins with that decision's."""
    groups = [one for one in MilepostError.__subclasses__() if issubclass(error, one)]
    assert len(groups) == (error is not MilepostError)
    for group in groups:
        assert error.code == group.code or error.code.startswith(f"{group.code}.")


@pytest.mark.parametrize("error", ALL, ids=lambda one: one.__name__)
def test_the_docstring_is_the_default_message(error: type[MilepostError]) -> None:
    """Each class has a docstring of its own, one line and a full stop, which is its message where none is given."""
    text = error.__dict__["__doc__"]
    assert text is not None
    assert text.endswith(".")
    assert "\n" not in text
    required = [
        one
        for one in list(inspect.signature(error.__init__).parameters.values())[1:]
        if one.default is inspect.Parameter.empty
    ]
    if not required:
        assert str(error()) == text
        assert str(error("what happened")) == "what happened"


def test_all_errors_are_in_the_tree() -> None:
    """The module defines no exception outside the tree but two exits, which nobody should catch by mistake."""
    defined = {
        one
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, BaseException) and one.__module__ == errors.__name__
    }
    exits = {errors.Interrupted, errors.BudgetReached}
    assert defined == {*ALL, *exits}
    assert not any(issubclass(one, Exception) for one in exits)


def test_wrong_arguments_are_python_errors_too() -> None:
    """A wrong value is a ValueError and a wrong type a TypeError, for callers who know only Python."""
    assert issubclass(errors.InvalidArgument, ValueError)
    assert issubclass(errors.NotEncodable, TypeError)
    assert not issubclass(errors.StorageError, OSError)


def test_facts_are_attributes() -> None:
    """What a message says in words can be read as attributes."""
    path = NotEncodable("state.a", "set of object")
    assert (path.path, path.reason, str(path)) == ("state.a", "set of object", "state.a: set of object")
    locked = RunLocked("held", host="h", pid=3, age_seconds=1.5)
    assert (locked.host, locked.pid, locked.age_seconds, str(locked)) == ("h", 3, 1.5, "held")
    full = DiskFull("full", needed_bytes=5, free_bytes=2)
    assert (full.needed_bytes, full.free_bytes, str(full)) == (5, 2, "full")
    assert (RunLocked("held").pid, DiskFull("full").free_bytes) == (None, None)


@pytest.mark.parametrize(
    "error", [RunLocked("held", host="h", pid=3), DiskFull("full", needed_bytes=5), errors.Fenced()], ids=repr
)
def test_errors_can_be_copied(error: MilepostError) -> None:
    """An error that goes from one process to another keeps its message and its facts."""
    again = copy.copy(error)
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
