"""The laws of comparing saved progress with the files that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from booksynth.inputs import Found
from booksynth.progress import Progress, compare, fingerprint, load
from booksynth.settings import Phase3Settings
from booksynth.shards import SHARD_FORMAT, Entry, Problem, Shard

OLD = [1, 2, 3, 4, 5]
NEW = [1, 2, 9, 4, 5]


def entry(signature: list[int] = OLD, *, is_racy: bool = False, digest: str = "d") -> Entry:
    return Entry(SHARD_FORMAT, signature, is_racy, digest, Shard("T", "t", 0, []))


def saved(one: Entry) -> Progress:
    return Progress({"a": one}, ["a"], 1)


def found(signature: list[int], problem: Problem | None = None) -> Found:
    return Found("a", Path("a"), 1, signature, problem)


def never(_: Found) -> Entry | None:
    raise AssertionError("this file must not be opened")


def test_same_signature_is_not_opened() -> None:
    """A finished file of the same signature is restored without being opened."""
    plan = compare(saved(entry()), [found(OLD)], never)
    assert (plan.restored, plan.verified, plan.to_read) == (["a"], [], [])


@pytest.mark.parametrize(
    ("before", "signature"), [(entry(is_racy=True), OLD), (entry(), NEW), (entry(is_racy=True), NEW)]
)
def test_digest_decides_in_doubt(before: Entry, signature: list[int]) -> None:
    """Where the signature differs, or was taken of a file too young, the digest decides."""
    progress = saved(before)
    plan = compare(progress, [found(signature)], lambda _: entry(signature))
    assert (plan.restored, plan.verified, plan.changed) == (["a"], ["a"], [])
    assert progress.entries["a"].signature == signature
    assert progress.entries["a"].is_racy is False
    assert progress.entries["a"].shard == before.shard
    other = compare(saved(before), [found(signature)], lambda _: entry(signature, digest="other"))
    assert (other.restored, other.changed, len(other.to_read)) == ([], ["a"], 1)


def test_unreadable_in_doubt_is_read_again() -> None:
    """A finished file that cannot be looked at is not taken for unchanged."""
    plan = compare(saved(entry()), [found(NEW)], lambda _: None)
    assert (plan.restored, plan.changed, len(plan.to_read)) == ([], ["a"], 1)


def test_file_that_became_unusable() -> None:
    """A finished file that is now a folder, say, is no longer part of the progress."""
    progress = saved(entry())
    plan = compare(progress, [found(OLD, Problem("a", "", "not-a-file", "a folder"))], never)
    assert progress.entries == {}
    assert [one.code for one in plan.problems] == ["not-a-file"]


def test_pending_is_not_new() -> None:
    """A file that an unfinished run had not come to is not called new; one it did not know is."""
    progress = Progress({}, ["a"], 1)
    other = Found("b", Path("b"), 1, OLD)
    plan = compare(progress, [found(OLD), other], never)
    assert plan.new == ["b"]
    assert len(plan.to_read) == 2
    assert progress.inputs == ["a", "b"]


def test_first_run_has_nothing_new() -> None:
    """Where nothing was saved before, nothing is new, changed or removed."""
    plan = compare(Progress(), [found(OLD)], never)
    assert (plan.new, plan.changed, plan.removed) == ([], [], [])


def test_removed() -> None:
    """A file that is gone leaves the progress and is named."""
    progress = saved(entry())
    plan = compare(progress, [], never)
    assert plan.removed == ["a"]
    assert progress.entries == {}


@pytest.mark.parametrize("state", [None, [], {}, {"format": 0}, {"books_processed": 5}, {"format": "1"}])
def test_foreign_state(state: Any) -> None:
    """A checkpoint of another form counts as no progress."""
    checkpoint = {"phase": "phase_3", "iteration": 5, "timestamp": "", "state": state, "metadata": {}}
    assert not load(checkpoint, "words").exists


def test_fingerprint() -> None:
    """The fingerprint depends on contents, unusable files and settings, and on no order."""
    first, second = entry(digest="1"), entry(digest="2")
    settings = Phase3Settings()
    base = fingerprint({"a": first, "b": second}, [], settings)
    assert fingerprint({"b": second, "a": first}, [], settings) == base
    touched = entry(NEW, digest="1")
    assert fingerprint({"a": touched, "b": second}, [], settings) == base
    others = [
        fingerprint({"a": second, "b": first}, [], settings),
        fingerprint({"a": first}, [], settings),
        fingerprint({"a": first, "b": second}, [Problem("c", "", "x", "y")], settings),
        fingerprint({"a": first, "b": second}, [], Phase3Settings(min_confidence=0.5)),
    ]
    assert base not in others
