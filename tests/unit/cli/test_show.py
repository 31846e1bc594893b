"""``milepost show``, ``list`` and completion: what they print, and how it is asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import milepost
from milepost import report
from milepost.cli.common import json_text
from tests.support.commands import files_of, job, managed, run


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a checkpoint folder with a phase of items and one of states."""
    root = tmp_path / "store"
    job(root)
    managed(root)
    return root


def test_an_older_checkpoint_is_shown_by_file_or_iteration(store: Path) -> None:
    """A checkpoint is named by its iteration or its file, and shown with its labels."""
    by_iteration = run("show", "states", "--dir", store, "--checkpoint", "2").json
    assert (by_iteration["iteration"], by_iteration["state"]["books"]) == (2, [0, 1])
    assert run("show", "states", "--dir", store, "--checkpoint", by_iteration["file"]).json == by_iteration
    missing = run("show", "states", "--dir", store, "--checkpoint", "9", code=2)
    assert "there are: 3, 2, 1" in missing.err


def test_one_record_is_shown_decoded(store: Path) -> None:
    """A record is shown with its number, kind, key and value in the stored form, of both kinds of runs."""
    shown = run("show", "items", "--dir", store, "--record", "2").json
    assert (shown["sequence"], shown["kind"], shown["key"]) == (2, "done", "a")
    assert shown["value"]["parts"][1]["$milepost"] == "tuple"
    assert run("show", "states", "--dir", store, "--record", "2").json["value"]["iteration"] == 4
    assert "there is no record 99" in run("show", "items", "--dir", store, "--record", "99", code=2).err


def test_an_item_is_shown_by_its_newest_record(tmp_path: Path) -> None:
    """An item's newest record is shown: its failure where it failed, else its result; loops are told apart."""
    with milepost.Phase("p", store=tmp_path) as phase:
        for item in phase.each(["x", "y"], name="one"):
            phase.fail("no luck") if item == "y" else phase.record(1)
        for _ in phase.each(["x"], name="two"):
            phase.record(2)
    assert run("show", "p", "--dir", tmp_path, "--item", "y").json["value"]["message"] == "no luck"
    assert run("show", "p", "--dir", tmp_path, "--item", "x", "--loop", "two").json["value"] == 2
    assert "several loops" in run("show", "p", "--dir", tmp_path, "--item", "x", code=2).err
    assert "no record of an item" in run("show", "p", "--dir", tmp_path, "--item", "z", code=2).err


def test_a_query_picks_a_part(store: Path) -> None:
    """A query in jq's language is applied to what is shown; each of its results is printed."""
    assert run("show", "items", ".result.count", "--dir", store).json == 4
    assert run("show", "states", ".state.books[1:]", "--dir", store, "--json").json == [1, 2, 3]
    assert run("show", "states", ".state.books[]", "--dir", store).out.split() == ["0", "1", "2", "3"]


@pytest.mark.parametrize("query", [".[", ".phase.x", "nothing", "error"])
def test_a_wrong_query_is_one_line(store: Path, query: str) -> None:
    """A query that is none, or does not fit, is an error of one line with exit code 2."""
    wrong = run("show", "items", query, "--dir", store, code=2)
    assert len(wrong.err.splitlines()) == 1
    assert wrong.out == ""


def test_a_run_that_was_set_aside_is_shown_and_listed(store: Path) -> None:
    """After a fork, list and show tell where the run came from, and --run shows the one before."""
    run("fork", "items", "--dir", store, "--from-item", "c")
    (listed,) = [one for one in run("list", "--dir", store, "--json").json if one["phase"] == "items"]
    (before,) = listed["runs"]
    assert listed["origin"]["run"] == before["run"] == before["folder"]
    assert listed["origin"]["item"] == "c"
    assert run("show", "items", ".done[]", "--dir", store).json == 2
    assert run("show", "items", ".origin.run", "--dir", store).json == before["run"]
    assert run("show", "items", ".done[]", "--dir", store, "--run", before["run"]).json == 4
    told = run("list", "--dir", store).out
    assert f"set aside: {before['run']}" in told
    assert "forked from run" in told
    assert "set aside are" in run("show", "items", "--dir", store, "--run", "nope", code=2).err


def test_values_of_unregistered_classes_are_shown_in_their_stored_form(tmp_path: Path) -> None:
    """The command knows no classes of the job, and shows their instances by name and fields all the same."""
    script = tmp_path / "job.py"
    script.write_text(
        "import sys, dataclasses, milepost\n"
        "@dataclasses.dataclass\nclass Settings:\n    threshold: float\n"
        "milepost.register(Settings, 'settings-of-the-show-test')\n"
        "milepost.CheckpointManager('m', sys.argv[1]).save_checkpoint(1, {'s': Settings(0.5)})\n"
        "with milepost.Phase('p', store=sys.argv[1]) as phase:\n"
        "    phase.complete(Settings(0.25))\n"
    )
    subprocess.run([sys.executable, script, tmp_path / "store"], check=True)
    root = tmp_path / "store"
    assert run("show", "m", ".state.s.fields.threshold", "--dir", root).json == 0.5
    assert run("show", "p", ".result.fields.threshold", "--dir", root).json == 0.25
    assert {one["phase"] for one in run("list", "--dir", root, "--json").json} == {"m", "p"}
    assert run("fork", "m", "--dir", root, "--checkpoint", "1").code == 0
    assert run("verify", "--dir", root).code == 0


def test_text_from_the_store_cannot_steer_a_terminal(tmp_path: Path) -> None:
    """Control characters and marks of direction in values and keys are escaped, and the JSON still says the same."""
    hostile = "\x1b[31m\x9b2J\u202egpj.exe"
    milepost.CheckpointManager("p", tmp_path).save_checkpoint(1, {hostile: hostile})
    shown = run("show", "p", "--dir", tmp_path)
    assert shown.json["state"] == {hostile: hostile}
    assert all(char.isprintable() or char == "\n" for char in shown.out)
    picked = run("show", "p", ".state[]", "--dir", tmp_path)
    assert picked.json == hostile
    assert "\x9b" not in picked.out
    assert json.loads(json_text({"a": "\U000e0001\u2028é"})) == {"a": "\U000e0001\u2028é"}


def test_strangers_folders_are_told_as_such(store: Path) -> None:
    """A folder that is no phase's is listed as such, opened by no command, and gets no lock."""
    (store / "my notes").mkdir()
    (store / "plain").mkdir()
    (store / "plain" / "photo.jpg").write_bytes(b"x")
    (store / "a file").write_text("x")
    listed = {one["phase"]: one for one in run("list", "--dir", store, "--json").json}
    assert listed["my notes"]["foreign"]
    assert listed["plain"]["foreign"]
    assert not listed["items"]["foreign"]
    assert "(no phase)" in run("list", "--dir", store).out
    run("clear", "plain", "--dir", store, "--yes", code=2)
    assert sorted(path.name for path in (store / "plain").iterdir()) == ["photo.jpg"]


def test_looking_changes_no_byte(store: Path) -> None:
    """Show, diff, verify and list leave every file as it was, and make none."""
    before = files_of(store)
    run("show", "items", "--item", "a", "--dir", store)
    run("diff", "states", "1", "newest", "--dir", store, code=1)
    run("verify", "--with-runs", "--dir", store)
    run("list", "--dir", store)
    run("repair", "states", "--dir", store)
    run("prune", "--dir", store, "--json")
    assert files_of(store) == before


def test_phase_names_are_completed(store: Path) -> None:
    """Completion offers the phases of the folder that the line names, those that begin so."""

    def offered(root: Path, word: str) -> list[str]:
        words = f"milepost show --dir {root} {word}"
        asked = {"_MILEPOST_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "4"}
        command = [sys.executable, "-m", "milepost.cli"]
        done = subprocess.run(command, env=os.environ | asked, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.stdout.split()

    assert offered(store, "it") == ["items"]
    assert report.names(store) == ["items", "states"]


def test_colours_come_with_a_terminal_only(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal gets colours, unless NO_COLOR, --json or a pipe says otherwise; the text is the same."""
    plain = run("show", "items", "--dir", store).out
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = run("show", "items", "--dir", store).out
    assert "\x1b[" in coloured
    assert "\x1b[" not in run("show", "items", "--dir", store, "--json").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in run("show", "items", "--dir", store).out
    assert json.loads(plain)["complete"]


def test_a_query_keeps_integers_of_any_length(tmp_path: Path) -> None:
    """Integers that a double cannot hold come out of a query as they were saved."""
    numbers = [2**53 + 1, -(2**62) - 1, {"deep": 9_007_199_254_740_993}]
    with milepost.Phase("p", store=tmp_path) as phase:
        phase.complete({"numbers": numbers, "small": 7})
    assert json.loads(run("show", "p", ".result.numbers", "--dir", tmp_path).out) == numbers
    assert run("show", "p", ".result.small + 1", "--dir", tmp_path).out.strip() == "8"
