"""The fixture ``drill`` as a user's own tests use it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from milepost.drill import as_text
from milepost.errors import InvalidArgument
from milepost.testing.drills import Drills
from tests.support import drills

TESTS = """
def test_sound(drill):
    drill("sound/job.py", random=2).identical()

def test_defect(drill):
    drill("defect/job.py", faults=["kill"], compare=["out.txt"]).identical()
"""


def test_the_fixture_fails_with_the_report(tmp_path: Path) -> None:
    """A sound job passes, and a defect fails a test with the report and the command that shows it again."""
    drills.prepared(tmp_path / "sound", "clean")
    drills.prepared(tmp_path / "defect", "appends")
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["milepost.testing.drills"]\n')
    (tmp_path / "test_jobs.py").write_text(TESTS)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "--rootdir", "."]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 1 passed" in done.stdout
    assert "appended outside Milepost before its record was durable" in done.stdout
    assert "milepost drill --at" in done.stdout


def test_a_command_may_be_words_or_one_text(tmp_path: Path) -> None:
    """A job is named by its script, by the words of its command, or by both in one text, with a folder to work in."""
    folder = drills.prepared(tmp_path / "job", "clean")
    make = Drills(tmp_path)
    for command in ("job.py", [sys.executable, "job.py"], f"{sys.executable} job.py"):
        report = make(command, folder=folder, random=1, seed=5).report
        assert report.verdict == "identical", as_text(report)
        assert report.tried == 1
    with pytest.raises(InvalidArgument, match="random="):
        make("job.py", folder=folder, every_commit=False)
