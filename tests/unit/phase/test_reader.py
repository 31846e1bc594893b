"""Reading a phase from outside, and what is exported."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path

import pytest

import milepost
from milepost.errors import ForeignRun, InvalidArgument


def test_a_running_phase_can_be_read(tmp_path: Path) -> None:
    """What is recorded is readable from outside while the phase is open, and later by a refresh."""
    with milepost.Phase("p", store=tmp_path) as phase:
        loop = phase.each(["a", "b"])
        next(loop)
        phase.record(1)
        with milepost.open("p", store=tmp_path) as reader:
            assert dict(reader.results()) == {"a": 1}
            next(loop)
            phase.record((2, 3))
            reader.refresh()
            assert dict(reader.results()) == {"a": 1, "b": (2, 3)}
            assert not reader.is_complete
            phase.complete("all")
            reader.refresh()
            assert (reader.is_complete, reader.result, reader.attempts) == (True, "all", 1)


def test_reading_changes_nothing(tmp_path: Path) -> None:
    """A reader leaves every file of the run as it was."""
    with milepost.Phase("p", store=tmp_path) as phase:
        for item in phase.each(["a"]):
            phase.record(item)
    before = {path: path.read_bytes() for path in (tmp_path / "p").iterdir()}
    with milepost.open("p", store=tmp_path) as reader:
        assert dict(reader.results()) == {"a": "a"}
    assert {path: path.read_bytes() for path in (tmp_path / "p").iterdir()} == before


def test_a_phase_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Opening a phase that nobody made is an error, and makes nothing."""
    with pytest.raises(InvalidArgument, match="no such phase"):
        milepost.open("p", store=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_manager_and_a_phase_keep_apart(tmp_path: Path) -> None:
    """Neither takes up the other's folder: each refuses by name and touches nothing."""
    milepost.CheckpointManager("m", tmp_path).save_checkpoint(1, {"a": 1})
    with pytest.raises(ForeignRun, match="CheckpointManager"), milepost.Phase("m", store=tmp_path):
        pass
    with pytest.raises(ForeignRun):
        milepost.open("m", store=tmp_path)
    latest = milepost.CheckpointManager("m", tmp_path).get_latest_checkpoint()
    assert latest is not None
    assert latest["state"] == {"a": 1}
    with milepost.Phase("p", store=tmp_path) as phase:
        for item in phase.each(["a"]):
            phase.record(item)
    with pytest.raises(ForeignRun, match=r"milepost\.Phase"):
        milepost.CheckpointManager("p", tmp_path).save_checkpoint(1, {"a": 1}, force=True)
    with milepost.open("p", store=tmp_path) as reader:
        assert dict(reader.results()) == {"a": "a"}


def test_results_export_as_json_lines(tmp_path: Path) -> None:
    """Each result is a line with its key and its value in the stored form, in order."""
    with milepost.Phase("p", store=tmp_path) as phase:
        for item in phase.each(["b", "a"]):
            phase.record({"n": len(item), "day": date(2026, 1, 2)})
        phase.results().to_jsonl(tmp_path / "out.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["key"] for line in lines] == ["b", "a"]
    assert lines[0]["value"]["n"] == 1


def test_results_export_as_a_table(tmp_path: Path) -> None:
    """Dicts become columns in the order met first; what a table cannot hold is JSON."""
    with milepost.Phase("p", store=tmp_path) as phase:
        for item in phase.each(["a", "b"]):
            phase.record({"n": 1, "tags": ["x", 'y"']} if item == "a" else {"n": None, "text": "two\nlines"})
        phase.results().to_csv(tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["key", "n", "tags", "text"],
            ["a", "1", '["x","y\\""]', ""],
            ["b", "", "", "two\nlines"],
        ]


def test_results_that_are_no_dicts_export_as_one_column(tmp_path: Path) -> None:
    """Values that are not all dicts stand in one column."""
    with milepost.Phase("p", store=tmp_path) as phase:
        for item in phase.each(["a", "b"]):
            phase.record(item if item == "a" else [1])
        phase.results().to_csv(tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines() == ["key,value", "a,a", "b,[1]"]
