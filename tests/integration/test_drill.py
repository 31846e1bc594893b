"""``milepost drill`` on sample jobs: sound ones are identical, and each planted defect is caught and named."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import drills

SOUND = ["clean", "managed"]

DEFECTS = {
    "appends": "out.txt has lines twice: appended outside Milepost before its record was durable",
    "saves_first": "out.txt lacks lines: recorded before the work was done, saved before it worked",
    "clocked": "out.json differs between two undisturbed runs: the clock",
    "unordered": "the order of a set or dict of hashes",
    "pays_twice": "of replies was paid twice: $0.03",
}


@pytest.mark.parametrize("job", SOUND)
def test_a_sound_job_is_identical(tmp_path: Path, job: str) -> None:
    """A job that keeps the rules gives its undisturbed output, however it is killed."""
    report = drills.report_of(drills.prepared(tmp_path, job))
    assert report["verdict"] == "identical", report
    assert report["tried"] == report["planned"] == 2 * report["commits"] > 10
    assert report["differences"] == []
    assert len(report["compared"]) == 1


def test_a_job_of_several_processes_is_identical(tmp_path: Path) -> None:
    """A map over processes, killed at commits and at any moment, gives its undisturbed output."""
    report = drills.report_of(drills.prepared(tmp_path, "parallel"), "--random", "6", "--seed", "2")
    assert (report["verdict"], report["tried"], report["items"]) == ("identical", 6, 4)


def test_a_paying_job_is_identical_and_its_ambiguous_calls_are_told(tmp_path: Path) -> None:
    """A call that was sent, not answered, and sent again under its id is no violation, and is listed with its price."""
    report = drills.report_of(drills.prepared(tmp_path, "paying"))
    assert (report["verdict"], report["calls"]) == ("identical", 2)
    assert len(report["ambiguous"]) == 2
    assert all("$0.03" in text for text in report["ambiguous"])


@pytest.mark.parametrize("job", DEFECTS)
def test_a_planted_defect_is_caught_and_named(tmp_path: Path, job: str) -> None:
    """Each planted defect ends the drill with exit code 1 and is named in words."""
    done = drills.drill(drills.prepared(tmp_path, job))
    assert done.returncode == 1, done.stdout + done.stderr
    assert DEFECTS[job] in done.stdout
    assert "to see it again:" in done.stdout


def test_the_command_of_a_report_shows_the_difference_again(tmp_path: Path) -> None:
    """The command that a report prints makes that one experiment, and finds what the whole drill found."""
    folder = drills.prepared(tmp_path, "appends")
    (difference,) = drills.report_of(folder)["differences"]
    program, *words = shlex.split(difference["reproduce"])
    assert program == "milepost"
    again = subprocess.run(
        [sys.executable, "-m", "milepost.cli", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert again.returncode == 1
    assert difference["texts"][0] in again.stdout
    assert "1 of 1" in again.stdout


def test_a_second_writer_that_spoils_the_output_is_caught(tmp_path: Path) -> None:
    """A job that empties its output before it holds the lock is found by starting it a second time."""
    folder = drills.prepared(tmp_path, "truncates")
    assert drills.drill(folder, "--faults", "second-writer").returncode == 1


def test_random_experiments_leave_a_sound_job_identical(tmp_path: Path) -> None:
    """Random experiments of several faults, drawn by a seed that the report names, leave a sound job as it is."""
    words = ["--random", "6", "--seed", "3", "--faults", "kill,torn,enospc"]
    report = drills.report_of(drills.prepared(tmp_path, "clean"), *words)
    assert (report["verdict"], report["tried"], report["seed"]) == ("identical", 6, 3)
    assert report["attempts"] > 6


def test_random_kills_catch_a_defect(tmp_path: Path) -> None:
    """Random experiments catch a job that appends, and name the one to make again."""
    done = drills.drill(drills.prepared(tmp_path, "appends"), "--random", "20", "--seed", "1")
    assert done.returncode == 1
    assert "milepost drill --at" in done.stdout


def test_keep_going_tells_every_difference(tmp_path: Path) -> None:
    """With --keep-going the drill goes on behind a difference, and tells each."""
    report = drills.report_of(drills.prepared(tmp_path, "saves_first"), "--keep-going")
    assert report["tried"] == report["planned"]
    assert len(report["differences"]) == 3


def test_what_is_ignored_is_not_compared(tmp_path: Path) -> None:
    """A file that --ignore matches may differ, and one that --compare does not name as well."""
    folder = drills.prepared(tmp_path, "clocked")
    (folder / "job.py").write_text((folder / "job.py").read_text() + 'milepost.write_durably("b.txt", b"b")\n')
    assert drills.report_of(folder, "--ignore", "out.*", "--at", "1")["compared"] == ["b.txt"]
    assert drills.report_of(folder, "--compare", "b.txt", "--at", "1")["compared"] == ["b.txt"]


@pytest.mark.parametrize(("job", "code"), [("clean", 0), ("appends", 1)])
def test_a_job_that_writes_no_file_is_judged_by_its_results(tmp_path: Path, job: str, code: int) -> None:
    """Where a job writes no file, the results that its phases keep are compared."""
    folder = drills.prepared(tmp_path / "job", job)
    text = (folder / "job.py").read_text()
    elsewhere = tmp_path / "out.txt"
    kept = f"phase.complete(len(open({str(elsewhere)!r}).read()))"
    text = text.replace('"out.txt"', repr(str(elsewhere))).replace("phase.complete(None)", kept)
    (folder / "job.py").write_text(text.partition("milepost.write_durably")[0])
    done = drills.drill(folder, "--at", "3", "--ignore", "nothing")
    assert done.returncode == code, done.stdout
    assert "checkpoints/words (result)" in done.stdout


def test_the_working_folder_is_not_touched(tmp_path: Path) -> None:
    """A drill runs in copies: what lies in the working folder, saved progress too, stays as it was."""
    folder = drills.prepared(tmp_path, "clean")
    subprocess.run([sys.executable, "job.py"], cwd=folder, check=True)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    report = drills.report_of(folder, "--at", "3")
    assert report["items"] == 3, "the copies began with what was saved"
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_hash_seed_that_the_user_pins_is_told(tmp_path: Path) -> None:
    """Where the environment pins the hash seed, the report says that the order of sets was not looked at."""
    folder = drills.prepared(tmp_path, "unordered")
    report = drills.report_of(folder, "--at", "2", PYTHONHASHSEED="5")
    assert report["verdict"] == "identical"
    assert any("PYTHONHASHSEED is set" in note for note in report["notes"])


def test_a_program_is_found_where_it_lies(tmp_path: Path) -> None:
    """A relative path to a program in a folder that is not copied leads to the original."""
    folder = drills.prepared(tmp_path, "clean")
    (folder / ".venv/bin").mkdir(parents=True)
    script = folder / ".venv/bin/start"
    script.write_text(f"#!/bin/sh\nexec {sys.executable} job.py\n")
    script.chmod(0o755)
    words = [sys.executable, "-m", "milepost.cli", "drill", "--at", "2", "--", ".venv/bin/start"]
    done = subprocess.run(words, cwd=folder, env=os.environ, capture_output=True, text=True, check=False)
    assert (done.returncode, "IDENTICAL" in done.stdout) == (0, True), done.stdout


@pytest.mark.soak
def test_a_sound_job_withstands_every_fault_at_every_commit(tmp_path: Path) -> None:
    """All six faults before and after every commit leave a sound job's output as it is."""
    for job in [*SOUND, "paying", "parallel"]:
        report = drills.report_of(drills.prepared(tmp_path / job, job), "--faults", "all")
        assert report["verdict"] == "identical", report
