"""``milepost verify`` and ``repair``: what is damaged is found and named, and afterwards the job goes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import milepost
from milepost.records import seal, unseal
from milepost.report import verify
from tests.support.commands import ITEMS, Ran, files_of, flipped, job, managed, run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a checkpoint folder with both kinds of runs."""
    job(tmp_path, complete=False)
    managed(tmp_path)
    return tmp_path


def repaired(root: Path, phase: str) -> Ran:
    """Repair a phase, having seen that the command without --yes changes nothing; verify is clean afterwards."""
    before = files_of(root)
    assert run("verify", phase, "--dir", root, code=65).err
    assert "To do it" in run("repair", phase, "--dir", root, code=1).out
    assert files_of(root) == before
    done = run("repair", phase, "--dir", root, "--yes")
    assert run("verify", phase, "--dir", root).err == "1 of 1 runs are intact.\n"
    assert "nothing is damaged" in run("repair", phase, "--dir", root).out
    after = files_of(root)
    kept = {data for path, data in after.items() if path.name.endswith(".quarantine")}
    for path, data in before.items():
        grew = after.get(path, b"")[4096:].startswith(data[4096:].rstrip(b"\n")) and path.name.startswith("journal")
        assert grew or path.name == "lock" or after.get(path) == data or data in kept, (
            f"the original {path.name} is gone"
        )
    return done


def test_what_is_intact_is_said_with_a_witness(root: Path) -> None:
    """Of intact runs verify prints a line each to keep, and leaves with 0."""
    done = run("verify", "--dir", root)
    assert done.err == "2 of 2 runs are intact.\n"
    lines = [line.split() for line in done.out.splitlines()]
    assert [line[:3] for line in lines] == [["milepost-witness", "1", "items"], ["milepost-witness", "1", "states"]]
    shown = run("show", "items", "--record", lines[0][4], "--dir", root).json
    assert shown["sequence"] == int(lines[0][4])
    found = {one["phase"]: one for one in run("verify", "--dir", root, "--json").json}
    assert found["items"]["intact"]
    assert found["items"]["witness"] == done.out.splitlines()[0]
    assert (found["states"]["checkpoints"], found["states"]["findings"]) == (3, [])


def test_a_folder_without_phases_is_not_called_intact(tmp_path: Path) -> None:
    """Verifying a folder that holds no phase is an error: it may be the wrong one."""
    assert "there is no phase" in run("verify", "--dir", tmp_path, code=2).err
    assert "no phase to export" in run("export", "--all", "-o", tmp_path / "a.tar", "--dir", tmp_path, code=2).err


def test_a_run_that_went_on_agrees_with_its_witness(root: Path) -> None:
    """A line that was kept agrees with the same run later, also after a fork has set it aside."""
    kept = root / "witness.txt"
    kept.write_text(run("verify", "--dir", root).out)
    job(root, items=[*ITEMS, "e"])
    assert run("verify", "--dir", root, "--witness", kept).code == 0
    run("fork", "items", "--from-item", "b", "--dir", root)
    assert run("verify", "--dir", root, "--witness", kept).code == 0


def test_a_rollback_is_noticed(root: Path) -> None:
    """A folder put back to an older state agrees with itself and not with a line that was kept."""
    shutil.copytree(root, root / "backup", ignore=shutil.ignore_patterns("backup"))
    job(root, items=[*ITEMS, "e"])
    (root / "witness.txt").write_text(run("verify", "--dir", root, "items", "states").out)
    assert run("verify", "--dir", root / "backup").code == 0
    back = run("verify", "--dir", root / "backup", "--witness", root / "witness.txt", code=65)
    assert "put back to an older state" in back.err
    shutil.rmtree(root / "backup" / "items")
    assert "is gone" in run("verify", "--dir", root / "backup", "--witness", root / "witness.txt", code=65).err
    job(root / "backup")
    assert "is gone" in run("verify", "--dir", root / "backup", "--witness", root / "witness.txt", code=65).err


def test_another_history_is_noticed(root: Path) -> None:
    """A line whose record is another one now, in the same run, is noticed."""
    words = run("verify", "items", "--dir", root).out.split()
    (root / "witness.txt").write_text(" ".join([*words[:4], "2", "0" * 32]) + "\nother text\n")
    assert "is another one" in run("verify", "items", "--dir", root, "--witness", root / "witness.txt", code=65).err


@pytest.mark.parametrize("text", ["", "nothing here", "milepost-witness 2 a b 1 c", "milepost-witness 1 a b x c"])
def test_a_file_without_witness_lines_is_refused(root: Path, text: str) -> None:
    """A file that holds no line of verify, or one of another form, is an error with exit code 2."""
    (root / "witness.txt").write_text(text)
    assert "witness" in run("verify", "--dir", root, "--witness", root / "witness.txt", code=2).err
    assert run("verify", "--dir", root, "--witness", root / "none", code=2).err


def test_every_kind_of_damage_is_found(root: Path) -> None:
    """A changed byte in any file of a run is found by verify, whatever file it is."""
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.name != "lock":
            whole = path.read_bytes()
            flipped(path, min(len(whole) - 40, 5000))
            done = run("verify", "--dir", root, code=65)
            assert path.name in done.err or "watermark" in done.err, path
            path.write_bytes(whole)
    assert run("verify", "--dir", root).code == 0


def test_a_damaged_journal_of_items_is_repaired(root: Path) -> None:
    """Behind a damaged record nothing is used: the items from there on run again."""
    journal = root / "items" / "journal_000001.jsonl"
    flipped(journal, journal.read_bytes().index(b'"key":"c"'))
    assert "go on behind record 3" in repaired(root, "items").out
    assert job(root) == ["c", "d"]


def test_damaged_checkpoints_are_repaired(root: Path) -> None:
    """With the newest checkpoint damaged, the run goes on from what the older one and the journal prove."""
    (newest,) = (root / "states").glob("*_iter3.json")
    flipped(newest, len(newest.read_bytes()) - 60)
    assert "iteration 2 becomes a checkpoint" in repaired(root, "states").out
    latest = milepost.CheckpointManager("states", root).get_latest_checkpoint()
    assert latest is not None
    assert (latest["iteration"], latest["state"]) == (2, {"books": [0, 1], "pair": (1, 2)})
    with milepost.CheckpointManager("states", root) as manager:
        manager.get_latest_checkpoint()
        manager.save_checkpoint(9, {"books": []})
    assert run("show", "states", ".iteration", "--dir", root).json == 9


def test_a_damaged_older_checkpoint_costs_nothing(root: Path) -> None:
    """With an older checkpoint damaged, the newest state stays as it is."""
    (old,) = (root / "states").glob("*_iter1.json")
    flipped(old, len(old.read_bytes()) - 60)
    repaired(root, "states")
    assert run("show", "states", ".iteration", "--dir", root).json == 4


def test_all_checkpoints_damaged_is_repaired_to_nothing(root: Path) -> None:
    """Where nothing can be proven, the run goes on empty, and every original is kept."""
    for path in (root / "states").glob("checkpoint_*.json"):
        flipped(path, len(path.read_bytes()) - 60)
    assert "nothing is left" in repaired(root, "states").out
    assert milepost.CheckpointManager("states", root).get_latest_checkpoint() is None
    assert len(list((root / "states").glob("checkpoint_*.quarantine"))) == 3


def test_a_missing_checkpoint_is_repaired(root: Path) -> None:
    """A newest checkpoint that is gone is noticed, and after a repair the one before it counts."""
    (newest,) = (root / "states").glob("*_iter3.json")
    newest.unlink()
    repaired(root, "states")
    assert run("show", "states", ".iteration", "--dir", root).json == 2


def test_a_damaged_journal_of_states_is_repaired(root: Path) -> None:
    """With a change in the journal damaged, the newest checkpoint counts."""
    journal = root / "states" / "journal_000001.jsonl"
    flipped(journal, journal.read_bytes().index(b'"later"'))
    repaired(root, "states")
    assert run("show", "states", ".iteration", "--dir", root).json == 3


@pytest.mark.parametrize("phase", ["items", "states"])
def test_a_damaged_manifest_is_written_anew(root: Path, phase: str) -> None:
    """The journal tells which run it is, and the files who keeps it: the job goes on as before."""
    run_id = json.loads((root / phase / "run.json").read_text())["run"]
    flipped(root / phase / "run.json", 30)
    repaired(root, phase)
    manifest = json.loads((root / phase / "run.json").read_text())
    assert manifest["run"] == run_id
    assert manifest["keeper"] == ("phase" if phase == "items" else "manager")
    assert job(root) == []
    assert run("show", "states", ".iteration", "--dir", root).json == 4


def test_all_at_once_is_repaired(root: Path) -> None:
    """Journal, manifest and documents damaged together: what is proven is used, and all originals are kept."""
    (root / "items" / "digests.json").write_text('{"format":1,"check":"00000000000000000000000000000000"}\n')
    flipped(root / "items" / "run.json", 30)
    journal = root / "items" / "journal_000001.jsonl"
    flipped(journal, journal.read_bytes().index(b'"key":"d"'))
    repaired(root, "items")
    assert job(root) == ["d"]


def test_runs_that_were_set_aside_are_checked_on_request(root: Path) -> None:
    """A damaged run below runs/ is found with --with-runs, and does not touch the phase's own."""
    aside = run("fork", "items", "--from-item", "b", "--dir", root, "--json").json["set_aside"]
    flipped(root / "items" / "runs" / aside / "journal_000001.jsonl", 4300)
    assert run("verify", "items", "--dir", root).code == 0
    found = run("verify", "items", "--dir", root, "--with-runs", "--json", code=65).json
    assert [(one["folder"], one["intact"]) for one in found] == [(None, True), (aside, False)]


def test_each_check_finds_something(root: Path) -> None:
    """Each check of the list is needed: with it taken out, some damage is not found."""
    assert [check.__name__ for check in verify.CHECKS] == [
        "_manifest",
        "_journal",
        "_checkpoints",
        "_documents",
        "_receipt",
        "_witness",
    ]
    job(root, "finished")
    receipt = root / "finished" / "receipt.json"
    fields = unseal(receipt.read_bytes().rstrip(b"\n"))
    assert fields is not None
    receipt.write_bytes(seal(fields | {"result": "0" * 32}) + b"\n")
    (root / "items" / "digests.json").write_text("{}\n")
    flipped(root / "items" / "run.json", 30)
    flipped(root / "states" / "journal_000001.jsonl", 4200)
    (old,) = (root / "states").glob("*_iter1.json")
    flipped(old, len(old.read_bytes()) - 60)
    found = [
        finding["check"] for one in run("verify", "--dir", root, "--json", code=65).json for finding in one["findings"]
    ]
    assert {"manifest", "documents", "journal", "checkpoints", "receipt"} <= set(found)
