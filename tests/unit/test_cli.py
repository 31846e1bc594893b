"""The command ``milepost``: what it prints, and what its exit codes mean."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import milepost


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Return a checkpoint folder with one phase in it, whose last save is in the journal only."""
    root = tmp_path / "checkpoints"
    with milepost.CheckpointManager("phase_3", root) as manager:
        manager.save_checkpoint(1, {"books": ["a"], "when": (1, 2)})
        manager.save_checkpoint(2, {"books": ["a", "b"], "when": (1, 2)}, {"note": "later"})
    return root


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "milepost.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_list_tells_how_far_each_phase_is(saved: Path) -> None:
    """The list names each phase with its iteration, from the journal where that is newer than any file."""
    done = run("list", "--dir", saved, "--json")
    assert done.returncode == 0
    (phase,) = json.loads(done.stdout)
    assert (phase["phase"], phase["iteration"], phase["checkpoints"]) == ("phase_3", 2, 1)
    assert phase["damage"] == []
    assert phase["size_bytes"] > 0
    assert "phase_3" in run("list", "--dir", saved).stdout


def test_show_prints_the_newest_state(saved: Path) -> None:
    """The newest state is printed as JSON, the journal's changes included and tagged values in their stored form."""
    done = run("show", "phase_3", "--dir", saved)
    assert done.returncode == 0
    content: dict[str, Any] = json.loads(done.stdout)
    assert content["iteration"] == 2
    assert content["metadata"] == {"note": "later"}
    assert content["state"]["books"] == ["a", "b"]
    assert content["state"]["when"]["$milepost"] == "tuple"


def test_a_phase_is_told_by_its_items(tmp_path: Path) -> None:
    """Of a milepost.Phase the list tells what is done and failed, and show prints state and result as well."""
    with milepost.Phase("p", store=tmp_path) as phase:
        for item in phase.each(["a", "b"]):
            phase.fail("no") if item == "b" else phase.record(item)
        phase.state["page"] = (1, 2)
        phase.save()
        phase.complete("all")
    (listed,) = json.loads(run("list", "--dir", tmp_path, "--json").stdout)
    assert (listed["done"], listed["failed"], listed["complete"], listed["iteration"]) == (1, 1, True, None)
    assert "1 done, 1 failed, complete" in run("list", "--dir", tmp_path).stdout
    shown = json.loads(run("show", "p", "--dir", tmp_path).stdout)
    assert (shown["done"], shown["failed"], shown["result"], shown["attempts"]) == ({"": 1}, {"": 1}, "all", 1)
    assert shown["state"]["page"]["$milepost"] == "tuple"


def test_looking_changes_nothing(saved: Path) -> None:
    """Listing and showing leave every file as it was and take no lock."""
    before = {path: path.read_bytes() for path in saved.rglob("*") if path.is_file()}
    run("list", "--dir", saved)
    run("show", "phase_3", "--dir", saved)
    assert {path: path.read_bytes() for path in saved.rglob("*") if path.is_file()} == before


def test_damage_is_told_and_has_an_exit_code(saved: Path) -> None:
    """Where something is damaged, both commands say what on standard error and leave with 65."""
    (checkpoint,) = (saved / "phase_3").glob("checkpoint_*.json")
    data = bytearray(checkpoint.read_bytes())
    data[-50] ^= 1
    checkpoint.write_bytes(data)
    listed = run("list", "--dir", saved)
    assert listed.returncode == 65
    assert checkpoint.name in listed.stderr


def test_damage_without_any_good_state_is_not_called_nothing(saved: Path) -> None:
    """Where every checkpoint is damaged, showing tells which, and leaves with 65."""
    for path in (saved / "phase_3").glob("checkpoint_*.json"):
        path.write_bytes(path.read_bytes().replace(b"books", b"boOks"))
    done = run("show", "phase_3", "--dir", saved)
    assert done.returncode == 65
    assert "digest does not match" in done.stderr
    assert "no intact state" in done.stderr


def test_an_older_damaged_checkpoint_is_told_too(saved: Path) -> None:
    """Listing verifies every checkpoint, also those behind a good newer one."""
    (old,) = (saved / "phase_3").glob("checkpoint_*.json")
    old.write_bytes(old.read_bytes().replace(b"books", b"boOks"))
    milepost.CheckpointManager("phase_3", saved).save_checkpoint(3, {"books": []}, force=True)
    listed = run("list", "--dir", saved)
    assert listed.returncode == 65
    assert old.name in listed.stderr


def test_without_its_extra_the_command_says_what_to_install(saved: Path) -> None:
    """Where typer is not installed, one line says which extra brings it."""
    code = "import sys; sys.modules['typer'] = None; import milepost.cli"
    done = subprocess.run([sys.executable, "-c", code], cwd=saved, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "milepost: the command needs typer: pip install 'milepost[cli]'\n"


def test_what_is_not_there_is_said(saved: Path) -> None:
    """A folder or phase that does not exist is named, with exit code 2."""
    missing = run("list", "--dir", saved / "nowhere")
    assert (missing.returncode, "nowhere" in missing.stderr) == (2, True)
    phase = run("show", "phase_9", "--dir", saved)
    assert (phase.returncode, "phase_9" in phase.stderr) == (2, True)


def test_names_cannot_steer_the_terminal(tmp_path: Path) -> None:
    """A phase named with control characters is printed escaped."""
    milepost.CheckpointManager("red\x1b[31m", tmp_path).save_checkpoint(1, {})
    done = run("list", "--dir", tmp_path)
    assert "\x1b[31m" not in done.stdout
    assert "red" in done.stdout


def test_version_is_the_packages(tmp_path: Path) -> None:
    """``--version`` prints the version of the installed package."""
    assert run("--version").stdout.startswith("milepost 0.")
    assert "Example:" in run("list", "--help").stdout
    assert tmp_path.exists()
