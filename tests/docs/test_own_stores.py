"""The store on the page about stores of one's own keeps the contract, and is found by its entry point."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/own-stores.md"
STORE, SUITE, _ = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
[ENTRY] = re.findall(
    r"^```toml\n.*?\"milepost.stores\"\]\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)
JOB = """
from milepost import CheckpointManager
with CheckpointManager("phase") as manager:
    saved = manager.get_latest_checkpoint()
    print(saved["state"] if saved else None)
    manager.save_checkpoint(1, {"n": 1}, force=True)
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Return a folder with the page's store as an installed package."""
    (tmp_path / "your_package.py").write_text(STORE)
    info = tmp_path / "your_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: your_package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[milepost.stores]\n{ENTRY.replace(chr(34), '')}")
    return tmp_path


def _run(package: Path, *words: str, **environment: str) -> str:
    paths = os.pathsep.join([str(package), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, *words], cwd=package, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": paths, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_the_store_of_the_page_keeps_the_contract(package: Path) -> None:
    """The page's few lines run both suites on the page's store, and all of it passes."""
    (package / "test_own.py").write_text(f"from your_package import OneFile\n{SUITE}")
    told = _run(package, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "test_own.py")
    passed = re.search(r"(\d+) passed", told)
    assert passed is not None
    assert int(passed[1]) > 50


def test_the_store_of_the_page_is_chosen_by_its_scheme(package: Path) -> None:
    """A job moves to a third party's store by the variable alone, and goes on there."""
    for expected in ("None\n", "{'n': 1}\n"):
        assert _run(package, "-c", JOB, MILEPOST_STORE=f"onefile:{package / 'runs.json'}") == expected
