"""What each fault really does to a job, as the job itself wrote it down."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import drills

UNDISTURBED = ["begun, clock 0 years off", "ended"]
RECORD = "4"
"""The commit that makes the first item's record visible."""

STORIES = {
    "kill": ["begun, clock 0 years off", *UNDISTURBED],
    "torn": ["begun, clock 0 years off", "begun, clock 0 years off", "a torn tail was set aside", "ended"],
    "term": ["begun, clock 0 years off", "Interrupted", *UNDISTURBED],
    "enospc": ["begun, clock 0 years off", "DiskFull", *UNDISTURBED],
    "second-writer": ["begun, clock 0 years off", "begun, clock 0 years off", "RunLocked", "ended"],
    "clock-back": ["begun, clock 0 years off", "begun, clock -1 years off", "ended"],
    "clock-forward": ["begun, clock 0 years off", "begun, clock 30 years off", "ended"],
}


@pytest.mark.parametrize(
    ("fault", "when"),
    [*((fault, "before") for fault in STORIES), ("kill", "after"), ("term", "after"), ("enospc", "after")],
)
def test_a_fault_does_what_it_says(tmp_path: Path, fault: str, when: str) -> None:
    """Each fault happens to the job at the commit that is named, and the job is run again until it is done."""
    diary = tmp_path / "diary"
    folder = drills.prepared(tmp_path / "job", "telling")
    words = ["--at", RECORD, "--when", when, "--fault", fault]
    report = drills.report_of(folder, *words, DIARY=str(diary))
    assert report["verdict"] == "identical", report
    assert report["unreached"] == 0
    story = diary.read_text().splitlines()
    undisturbed = 3 * len(UNDISTURBED)
    assert sorted(story[:undisturbed]) == sorted(3 * UNDISTURBED)
    assert story[undisturbed:] == STORIES[fault]


def test_a_kill_in_the_resume_is_one_too(tmp_path: Path) -> None:
    """An experiment may interrupt the resume as well, and the job is then run a third time."""
    diary = tmp_path / "diary"
    folder = drills.prepared(tmp_path / "job", "telling")
    report = drills.report_of(folder, "--at", RECORD, "--again", "1", DIARY=str(diary))
    assert (report["verdict"], report["attempts"]) == ("identical", 3)
    assert diary.read_text().splitlines()[6:] == ["begun, clock 0 years off"] * 2 + UNDISTURBED


def test_a_kill_after_a_time_takes_the_whole_tree(tmp_path: Path) -> None:
    """A job that is killed after some time is killed with all its processes, and goes on in a resume."""
    report = drills.report_of(drills.prepared(tmp_path, "parallel"), "--at-seconds", "0.15")
    assert (report["verdict"], report["attempts"]) == ("identical", 2)


def test_a_commit_that_never_comes_proves_nothing(tmp_path: Path) -> None:
    """Where the job makes fewer commits than the one that was asked for, the drill says so with exit code 2."""
    done = drills.drill(drills.prepared(tmp_path, "clean"), "--at", "999")
    assert done.returncode == 2
    assert "fewer commits" in done.stdout
