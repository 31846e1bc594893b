"""``milepost prune``, ``clear`` and ``bless``: what goes, what never goes, and who is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

import milepost
from milepost import upkeep
from milepost.cli import common
from milepost.errors import Changed
from tests.support.commands import ITEMS, files_of, flipped, job, managed, run
from tests.support.manager_law import Clock

HOUR = 3600.0
NOW = 1_795_000_000.0


def with_three_runs(root: Path) -> list[str]:
    """Fork a phase three times, an hour apart; return the folders of the runs, oldest first."""
    aside = []
    for hour, key in enumerate(["d", "c", "b"]):
        clock = Clock(NOW + hour * HOUR)
        with milepost.Phase("items", store=root, clock=clock) as phase:
            for item in phase.each(ITEMS):
                phase.record(item)
        aside.append(upkeep.fork(root, "items", item=key, clock=clock).set_aside)
    return aside


def test_old_runs_go_and_the_newest_stays(tmp_path: Path) -> None:
    """Of the runs set aside the newest is kept unless told otherwise; the phase's own goes on as if nothing was."""
    aside = with_three_runs(tmp_path)
    gone = run("prune", "--dir", tmp_path, "--yes", "--json").json
    assert {one["name"] for one in gone["removed"]} == set(aside[:2])
    assert gone["size_bytes"] == sum(one["size_bytes"] for one in gone["removed"]) > 0
    assert [path.name for path in (tmp_path / "items" / "runs").iterdir()] == aside[2:]
    assert run("prune", "--dir", tmp_path).out == "nothing to remove\n"
    assert "removed 1," in run("prune", "items", "--keep", "0", "--dir", tmp_path, "--yes").out
    assert job(tmp_path) == ITEMS[1:]


def test_age_is_that_of_the_newest_record(tmp_path: Path) -> None:
    """Only runs whose newest record is older than asked go, whatever the files' times say."""
    aside = with_three_runs(tmp_path)
    at = Clock(NOW + 2.5 * HOUR)
    going = upkeep.prunable(tmp_path, "items", upkeep.Limits(1, 0), at)
    assert {one.name for one in going} == set(aside[:2])
    assert upkeep.prunable(tmp_path, "items", upkeep.Limits(9, 0), at) == []


def test_nothing_goes_unasked(tmp_path: Path) -> None:
    """Where nobody can be asked and --yes is missing, nothing changes, with exit code 2, and what would go is shown."""
    aside = with_three_runs(tmp_path)
    before = files_of(tmp_path)
    shown = run("prune", "--dir", tmp_path, code=2)
    assert aside[0] in shown.out
    assert "--yes" in shown.err
    assert "--yes" in run("clear", "items", "--dir", tmp_path, code=2).err
    assert files_of(tmp_path) == before


def test_a_person_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a terminal the question is asked, and no means no."""
    with_three_runs(tmp_path)
    before = files_of(tmp_path)
    asked: list[str] = []

    def answer(question: str) -> bool:
        asked.append(question)
        return len(asked) > 2

    monkeypatch.setattr(common, "_at_terminal", lambda: True)
    monkeypatch.setattr(typer, "confirm", answer)
    assert run("prune", "--dir", tmp_path, code=1).err == ""
    assert run("clear", "items", "--dir", tmp_path, code=1).err == ""
    assert files_of(tmp_path) == before
    run("clear", "items", "--dir", tmp_path)
    assert len(asked) == 3


def test_quarantined_bytes_and_surplus_checkpoints_go(tmp_path: Path) -> None:
    """Quarantine files go, and checkpoints beyond a number that is named; the newest state stays."""
    managed(tmp_path)
    (tmp_path / "states" / "journal_000001.jsonl.12.abc.quarantine").write_bytes(b"x")
    gone = run("prune", "--checkpoints", "2", "--dir", tmp_path, "--yes", "--json").json["removed"]
    assert {one["kind"] for one in gone} == {"quarantine", "checkpoint"}
    assert [one["name"][-6:] for one in gone if one["kind"] == "checkpoint"] == ["1.json"]
    assert run("show", "states", ".iteration", "--dir", tmp_path).json == 4
    assert run("verify", "--dir", tmp_path).code == 0
    assert "at least 2 checkpoints" in run("prune", "--checkpoints", "1", "--dir", tmp_path, code=2).err


def test_no_checkpoint_goes_from_a_damaged_run(tmp_path: Path) -> None:
    """While a run is damaged, an older checkpoint may be all there is, so none goes."""
    managed(tmp_path)
    (newest,) = (tmp_path / "states").glob("*_iter3.json")
    flipped(newest, len(newest.read_bytes()) - 60)
    assert run("prune", "--checkpoints", "2", "--dir", tmp_path, "--yes", "--json").json["removed"] == []


@pytest.mark.parametrize("phase", ["items", "states"])
def test_clearing_leaves_nothing(tmp_path: Path, phase: str) -> None:
    """Everything of the phase goes, runs that were set aside too; the lock stays, and a new job begins from nothing."""
    job(tmp_path)
    managed(tmp_path)
    point = ["--from-item", "b"] if phase == "items" else ["--checkpoint", "2"]
    run("fork", phase, *point, "--dir", tmp_path)
    assert run("clear", phase, "--dir", tmp_path, "--yes", "--json").json["size_bytes"] > 0
    assert [path.name for path in (tmp_path / phase).iterdir()] == ["lock"]
    assert "nothing" in run("show", phase, "--dir", tmp_path, code=2).err
    assert job(tmp_path, phase) == ITEMS


def test_a_change_is_blessed(tmp_path: Path) -> None:
    """What a job stopped at is accepted and told, and the job goes on; without such a stop there is nothing to accept."""
    with milepost.Phase("p", store=tmp_path, params={"threshold": 1}) as phase:
        for item in phase.each(ITEMS):
            phase.record(item)
    assert "no change waits" in run("bless", "p", "--dir", tmp_path, code=2).err
    with pytest.raises(Changed), milepost.Phase("p", store=tmp_path, params={"threshold": 2}):
        pass
    assert run("bless", "p", "--dir", tmp_path, "--json").json["accepted"] == ["parameter threshold: 1 -> 2"]
    with milepost.Phase("p", store=tmp_path, params={"threshold": 2}) as phase:
        assert list(phase.each(ITEMS)) == []
    with pytest.raises(Changed), milepost.Phase("p", store=tmp_path, params={"threshold": 3}):
        pass
    assert "threshold: 2 -> 3" in run("bless", "p", "--dir", tmp_path).out
