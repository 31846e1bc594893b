"""The whole workflow drilled: from the shelf to the plans, interrupted at commits of every phase, all results identical.

A sample of the commits in every run of the tests, each of them in the soak tests.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from apps.booksynth.tests.bookmaking import epub, page
from booksynth.trackers import SUFFIX

EXAMPLES = Path(__file__).parents[1] / "examples"
# Only what several books say gets a plan: fewer files and so fewer commits, the same code.
FEW_PLANS = "phases:\n  phase_2:\n    chapters_per_batch: 2\n  phase_3:\n    min_confidence: 0.6\n"


def drilled(folder: Path, *options: str) -> dict[str, Any]:
    """Drill a run over the shelf in *folder*, and return the report."""
    job = [sys.executable, "-m", "booksynth", "run", "shelf", "--output", "out"]
    if (folder / "own.yaml").exists():
        job += ["--config", "own.yaml"]
    command = [sys.executable, "-m", "milepost.cli", "drill", *options, "--json", "--compare", "out", "--", *job]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Return a folder with three bundled books, an EPUB of three chapters and an analysis; few plans come of them."""
    folder = tmp_path / "job"
    shutil.copytree(EXAMPLES / "shelf", folder / "shelf")
    shutil.copy(EXAMPLES / "analyses" / f"Two_Things_at_Once_Concurrency_Without_Regret{SUFFIX}", folder / "shelf")
    parts = {f"{n}.xhtml": page(f"<h1>Part {n}</h1><p>Never lose tape {n} of the set.</p>") for n in range(3)}
    (folder / "shelf" / "Tapes.epub").write_bytes(epub(parts))
    (folder / "own.yaml").write_text(FEW_PLANS)
    return folder


@pytest.mark.timeout(600)
def test_of_several_processes(few: Path) -> None:
    """The same where several processes read the analyses."""
    (few / "own.yaml").write_text(f"{FEW_PLANS}execution:\n  workers: 2\n")
    report = drilled(few, "--random", "4", "--seed", "2")
    assert report["verdict"] == "identical", report


@pytest.mark.timeout(600)
def test_at_some_commits(few: Path) -> None:
    """Killed at commits of all phases and run again, all results are identical."""
    report = drilled(few, "--random", "6", "--seed", "6")
    assert report["verdict"] == "identical", report


@pytest.mark.soak
def test_at_every_commit(few: Path) -> None:
    """Killed before and after every commit over all phases and run again, all results are identical."""
    assert drilled(few, "--every-commit")["verdict"] == "identical"


@pytest.mark.timeout(600)
def test_with_other_faults(few: Path) -> None:
    """Torn writes, a full disk, SIGTERM, a second writer and a clock that jumps change no result."""
    assert drilled(few, "--random", "6", "--seed", "4", "--faults", "all")["verdict"] == "identical"


@pytest.mark.soak
@pytest.mark.parametrize("faults", ["kill", "all"])
def test_all_examples(tmp_path: Path, faults: str) -> None:
    """All bundled books and analyses, drilled at every commit with every plan, give identical results."""
    folder = tmp_path / "job"
    shutil.copytree(EXAMPLES / "shelf", folder / "shelf")
    shutil.copytree(EXAMPLES / "analyses", folder / "shelf", dirs_exist_ok=True)
    assert drilled(folder, "--every-commit", "--faults", faults)["verdict"] == "identical"
