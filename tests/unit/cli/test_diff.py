"""``milepost diff``: two checkpoints, two runs, two phases or stores, structurally."""

from __future__ import annotations

from pathlib import Path

import pytest

import milepost
from milepost.report.comparing import changes
from tests.support.commands import ITEMS, job, managed, run


def test_two_checkpoints_are_compared_by_value(tmp_path: Path) -> None:
    """Two checkpoints differ by path, with old and new, exit code 1; a checkpoint equals itself, with 0."""
    managed(tmp_path)
    differing = run("diff", "states", "1", "3", "--dir", tmp_path, "--json", code=1).json
    assert not differing["equal"]
    assert {(one["path"], one["kind"], one["new"]) for one in differing["state"]} == {
        (".books[1]", "added", 1),
        (".books[2]", "added", 2),
    }
    told = run("diff", "states", "1", "3", "--dir", tmp_path, code=1).out
    assert "+ .books[1]: 1" in told
    assert "~ .iteration: 1 -> 3" in told
    assert run("diff", "states", "2", "2", "--dir", tmp_path).out == "equal\n"
    newest = run("diff", "states", "3", "newest", "--dir", tmp_path, "--json", code=1).json
    assert [one["path"] for one in newest["state"]] == [".books[3]"]
    assert ".metadata.note" in [one["path"] for one in newest["labels"]]


def test_two_runs_are_compared_item_by_item(tmp_path: Path) -> None:
    """Between a fork and the run before it, items are added, removed and changed, each under its key."""
    job(tmp_path)
    before = run("fork", "items", "--dir", tmp_path, "--from-item", "b", "--json").json["set_aside"]
    with milepost.Phase("items", store=tmp_path) as phase:
        for item in phase.each(["a", "b", "e"]):
            phase.record({"title": item, "parts": [1, (2, 3)]})
    differing = run("diff", "items", "--runs", before, "current", "--dir", tmp_path, "--json", code=1).json
    assert differing["added"] == {"": ["e"]}
    assert differing["removed"] == {"": ["c", "d"]}
    assert differing["changed"] == {"": {"b": [{"path": ".title", "kind": "changed", "old": "B", "new": "b"}]}}
    assert [one["path"] for one in differing["state"]] == [".cursor"]
    assert [one["kind"] for one in differing["result"]] == ["removed"]
    told = run("diff", "items", "--runs", before, "current", "--dir", tmp_path, code=1).out
    assert told.splitlines()[:5] == ["+ item e", "- item c", "- item d", "~ item b", '    ~ .title: "B" -> "b"']


def test_two_phases_and_two_stores_are_compared(tmp_path: Path) -> None:
    """Runs of other phases and other folders are compared alike, and equal ones are equal."""
    job(tmp_path / "one")
    job(tmp_path / "two")
    job(tmp_path / "one", "other", ITEMS[:3])
    assert run("diff", "items", "--with-dir", tmp_path / "two", "--dir", tmp_path / "one").out == "equal\n"
    differing = run("diff", "items", "--with", "other", "--dir", tmp_path / "one", "--json", code=1).json
    assert differing["removed"] == {"": ["d"]}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["items"], "name what is to be compared"),
        (["items", "1"], "two things are needed"),
        (["items", "1", "2"], "no checkpoints"),
        (["items", "--with", "states"], "one is kept by a Phase"),
        (["items", "--runs", "x", "y"], "there is no run 'x'"),
        (["states", "1", "77"], "there is no checkpoint '77'"),
        (["nothing", "1", "2"], "there is no such phase"),
    ],
)
def test_what_cannot_be_compared_is_said(tmp_path: Path, arguments: list[str], reason: str) -> None:
    """What is missing or does not fit is an error of a line or two, with exit code 2."""
    job(tmp_path)
    managed(tmp_path)
    assert reason in run("diff", *arguments, "--dir", tmp_path, code=2).err


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"a": 1.0}),
        ([1, 2], [2, 1]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ([], {}),
        (None, 0),
        ("1", 1),
        ({"a.b": [{}]}, {"a.b": [[]]}),
    ],
)
def test_what_is_written_otherwise_differs(old: object, new: object) -> None:
    """Values that are written in other bytes are told as different, however equal they count in Python."""
    assert changes(old, new)
    assert changes(old, old) == []
    assert changes(new, new) == []


def test_paths_are_spelled_as_a_query_takes_them(tmp_path: Path) -> None:
    """The path of a difference can be given to show as it stands."""
    milepost.CheckpointManager("p", tmp_path).save_checkpoint(1, {"a b": [{"it's": 1}]}, force=True)
    milepost.CheckpointManager("p", tmp_path).save_checkpoint(2, {"a b": [{"it's": 2}]}, force=True)
    (change,) = run("diff", "p", "1", "2", "--dir", tmp_path, "--json", code=1).json["state"]
    assert run("show", "p", f".state | {change['path']}", "--dir", tmp_path).json == 2
