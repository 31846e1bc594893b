"""``milepost fork``: a new run from an older point, which the job then goes on with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import milepost
from milepost.report import items as items_of
from milepost.run.subject import looked_at
from tests.support.commands import ITEMS, files_of, flipped, job, managed, run

KILLED = """
import sys
from pathlib import Path
from milepost import upkeep
from milepost.fs import use
from milepost.fs.system import SystemFiles
from milepost.testing import KillAt

number = int(sys.argv[2])
with use(KillAt(SystemFiles(), number, sys.argv[3])):
    upkeep.fork(Path(sys.argv[1]), "items", item="c")
"""


def test_a_job_goes_on_from_the_item(tmp_path: Path) -> None:
    """What came before the item is kept, the item and all after it run again, and the result is made anew."""
    job(tmp_path)
    told = run("fork", "items", "--dir", tmp_path, "--from-item", "c").out
    assert "begins with 3 records" in told
    assert "Start the job" in told
    assert job(tmp_path) == ["c", "d"]
    with milepost.open("items", store=tmp_path) as phase:
        assert list(phase.results()) == ITEMS
        assert phase.result == {"count": 4}
        assert phase.results()["c"]["parts"] == [1, (2, 3)]


def test_a_job_of_a_manager_goes_on_from_the_checkpoint(tmp_path: Path) -> None:
    """A manager loads the forked checkpoint whatever its age, its values as they were, and saves behind it."""
    managed(tmp_path)
    forked = run("fork", "states", "--dir", tmp_path, "--checkpoint", "2", "--json").json
    assert forked["origin"]["checkpoint"].endswith("_iter2.json")
    with milepost.CheckpointManager("states", tmp_path, ttl_hours=0.0001) as manager:
        found = manager.get_latest_checkpoint()
        assert found is not None
        assert (found["iteration"], found["state"]) == (2, {"books": [0, 1], "pair": (1, 2)})
        manager.save_checkpoint(3, {"books": [0, 1, 7]})
    latest = milepost.CheckpointManager("states", tmp_path).get_latest_checkpoint()
    assert latest is not None
    assert latest["state"] == {"books": [0, 1, 7]}
    assert run("show", "states", ".origin.run", "--dir", tmp_path).json == forked["origin"]["run"]


def test_the_old_managers_files_are_forked_too(tmp_path: Path) -> None:
    """A checkpoint of the old manager, which knew no runs, becomes the first of a new one; the files are set aside."""
    folder = tmp_path / "phase_3"
    folder.mkdir(mode=0o700)
    source = Path(__file__).parents[2] / "golden" / "legacy"
    for path in source.glob("checkpoint_*.json"):
        (folder / path.name).write_bytes(path.read_bytes())
        (folder / path.name).chmod(0o600)
    run("fork", "phase_3", "--dir", tmp_path, "--checkpoint", "5")
    found = milepost.CheckpointManager("phase_3", tmp_path).get_latest_checkpoint()
    assert found is not None
    assert found["iteration"] == 5
    (aside,) = (folder / "runs").iterdir()
    assert len(list(aside.glob("checkpoint_*"))) == 3


def test_a_record_can_be_named(tmp_path: Path) -> None:
    """All records before the named one are kept; behind the last one nothing is lost, and beyond it there is none."""
    job(tmp_path)
    run("fork", "items", "--dir", tmp_path, "--from-record", "3")
    assert job(tmp_path, complete=False) == ["b", "c", "d"]
    assert "there is no record 99" in run("fork", "items", "--dir", tmp_path, "--from-record", "99", code=2).err
    run("fork", "items", "--dir", tmp_path, "--from-record", "1")
    assert job(tmp_path) == ITEMS


def test_the_first_result_counts(tmp_path: Path) -> None:
    """Of an item that ran more than once, what was recorded behind its first result is not kept."""
    inputs = {"a": 1, "b": 1}
    for version in (1, 2):
        inputs["a"] = version
        with milepost.Phase("p", store=tmp_path) as phase:
            for item in phase.each(inputs.items(), key=lambda pair: pair[0]):
                phase.record(item)
    run("fork", "p", "--dir", tmp_path, "--from-item", "a")
    found = items_of(tmp_path, "p")
    assert found is not None
    assert found.done == {}


def test_the_old_run_is_whole_under_runs(tmp_path: Path) -> None:
    """The run so far stands under runs/, byte for byte, and can be compared and shown there."""
    job(tmp_path)
    before = {path.name: data for path, data in files_of(tmp_path / "items").items() if path.name != "lock"}
    aside = run("fork", "items", "--dir", tmp_path, "--from-item", "b", "--json").json["set_aside"]
    after = {path.name: data for path, data in files_of(tmp_path / "items" / "runs" / aside).items()}
    assert after == before


def test_a_fork_of_a_fork_keeps_both(tmp_path: Path) -> None:
    """Each fork sets one more run aside, and tells the one it came from; asking twice for the same does nothing."""
    job(tmp_path)
    first = run("fork", "items", "--dir", tmp_path, "--from-item", "d", "--json").json
    second = run("fork", "items", "--dir", tmp_path, "--from-item", "b", "--json").json
    assert second["origin"]["run"] == first["run"]
    again = run("fork", "items", "--dir", tmp_path, "--from-item", "b", "--json").json
    assert again["run"] == second["run"]
    with looked_at(tmp_path, "items", first["run"]) as subject:
        assert subject.manifest is not None
        assert subject.manifest.origin is not None
        assert subject.manifest.origin.item == "d"
    assert len(run("list", "--dir", tmp_path, "--json").json[0]["runs"]) == 2


def test_a_run_that_was_set_aside_comes_back(tmp_path: Path) -> None:
    """A fork can start from a run below runs/: whole, from an item on, or from a checkpoint."""
    job(tmp_path)
    managed(tmp_path)
    old = run("fork", "items", "--dir", tmp_path, "--from-item", "b", "--json").json["set_aside"]
    run("fork", "items", "--dir", tmp_path, "--run", old)
    assert job(tmp_path) == []
    run("fork", "items", "--dir", tmp_path, "--run", old, "--from-item", "d")
    assert job(tmp_path) == ["d"]
    states = run("fork", "states", "--dir", tmp_path, "--checkpoint", "1", "--json").json["set_aside"]
    run("fork", "states", "--dir", tmp_path, "--run", states, "--checkpoint", "3")
    assert run("show", "states", ".state.books", "--dir", tmp_path).json == [0, 1, 2]
    assert "fork a CheckpointManager" in run("fork", "states", "--dir", tmp_path, "--run", states, code=2).err
    assert "there is no run" in run("fork", "items", "--dir", tmp_path, "--run", "zz", code=2).err
    assert len(run("list", "--dir", tmp_path, "--json").json[0]["runs"]) == 3


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["items"], "name one point"),
        (["items", "--from-item", "a", "--from-record", "2"], "name one point"),
        (["items", "--checkpoint", "1"], "no CheckpointManager keeps checkpoints"),
        (["items", "--from-item", "zz"], "no item 'zz' is done"),
        (["states", "--from-item", "a"], "no milepost.Phase keeps a run"),
        (["states", "--checkpoint", "99"], "there is no checkpoint '99'"),
        (["nothing", "--checkpoint", "99"], "there is no such phase"),
    ],
)
def test_a_wrong_point_is_said_and_nothing_changes(tmp_path: Path, arguments: list[str], reason: str) -> None:
    """What cannot be forked from is an error with exit code 2, and no file changes."""
    job(tmp_path)
    managed(tmp_path)
    before = files_of(tmp_path)
    assert reason in run("fork", *arguments, "--dir", tmp_path, code=2).err
    assert files_of(tmp_path) == before


def test_a_damaged_run_is_not_forked(tmp_path: Path) -> None:
    """A fork that could not have all it should keep is refused, with exit code 65."""
    job(tmp_path)
    flipped(tmp_path / "items" / "journal_000001.jsonl", 4200)
    assert "not what was written" in run("fork", "items", "--dir", tmp_path, "--from-item", "d", code=65).err


def test_killed_at_any_operation_the_job_goes_on(tmp_path: Path) -> None:
    """A real SIGKILL at an operation of a fork leaves the old run or the fork, and the job goes on in it."""
    found = set()
    for number, when in [(4, "before"), (14, "after"), (21, "before"), (28, "after"), (33, "after"), (41, "before")]:
        root = tmp_path / f"{number}"
        job(root)
        killed = subprocess.run([sys.executable, "-c", KILLED, root, f"{number}", when], check=False)
        assert killed.returncode == -9, "there are fewer operations: adapt the numbers"
        with milepost.open("items", store=root) as phase:
            left = list(phase.results())
        found.add(tuple(left))
        assert job(root) == ITEMS[len(left) :]
    assert found == {tuple(ITEMS), tuple(ITEMS[:2])}


def test_a_long_history_of_many_loops_is_kept_as_it_was(tmp_path: Path) -> None:
    """Steps, calls, failures, loops and state before the point are in the fork as they were in the run."""
    with milepost.Phase("p", store=tmp_path, params={"x": 1}) as phase:
        phase.step("once", len, "abc")
        phase.call("paid", _answer, cost_usd=0.5)
        for item in phase.each(["one", "two"], name="first"):
            phase.fail("no") if item == "one" else phase.record(item)
        phase.state["page"] = 3
        phase.save()
        for item in phase.each(["three"], name="second"):
            phase.record(item)
    run("fork", "p", "--dir", tmp_path, "--from-item", "three")
    with milepost.Phase("p", store=tmp_path, params={"x": 1}) as phase:
        assert phase.step("once", len, "abc") == 3
        assert phase.call("paid", _answer, cost_usd=0.5) == "answer"
        assert phase.state == {"page": 3}
        assert list(phase.each(["two"], name="first")) == []
        again = []
        for item in phase.each(["three"], name="second"):
            again.append(item)
            phase.record(item)
        assert again == ["three"]
    with milepost.open("p", store=tmp_path) as reader:
        assert dict(reader.failures("first"))["one"]["message"] == "no"


def _answer(*, call_id: str) -> str:
    assert call_id
    _asked.append(call_id)
    assert len(_asked) == 1, "a paid call is never made twice"
    return "answer"


_asked: list[str] = []
