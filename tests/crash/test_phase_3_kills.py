"""The main job, really killed: at every operation that changes the disk, and at random moments."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from apps.booksynth.tests import support

KILLED = -signal.SIGKILL
BOOKS = 5
MANY_BOOKS = 20
RANDOM_KILLS = 100
COMMAND_KILLS = 12
SOAK_KILLS = 10_000


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a few books, old enough to be known by their signatures."""
    folder = tmp_path_factory.mktemp("shelf")
    _write_books(folder, BOOKS, recommendations=4)
    time.sleep(2.1)
    return folder


def _write_books(folder: Path, books: int, recommendations: int) -> None:
    for n in range(books):
        records = [support.record(f"Advice {i} of {n // 2}", description="why " * 20) for i in range(recommendations)]
        support.write(folder, f"book_{n:02d}", support.tracker(f"Book {n}", {"important": records}, {"critical": []}))


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_every_operation_the_run_goes_on_where_it_stood(shelf: Path, tmp_path: Path, when: str) -> None:
    """Killed at any operation and run again, phase 3 gives the uninterrupted bytes and reads no finished book again."""
    whole = support.phase_3(shelf, tmp_path / "whole")
    assert whole.code == 0
    assert len(whole.opened) == BOOKS
    kills = 0
    for n in range(1, 1000):
        output = tmp_path / "killed"
        first = support.phase_3(shelf, output, kill=(n, when))
        if first.code == 0:
            break
        assert first.code == KILLED
        kills += 1
        then = support.phase_3(shelf, output)
        assert then.code == 0
        assert support.results(output) == support.results(tmp_path / "whole")
        finished = first.opened[:-1]  # the next book is opened only when the one before it is saved
        assert not set(finished) & set(then.opened), f"killed {when} operation {n}"
        assert len(first.opened) + len(then.opened) <= BOOKS + 1
        assert then.report["books_read"] == len(then.opened)
        shutil.rmtree(output)
    assert kills > 3 * BOOKS


def assert_survives_random_kills(shelf: Path, tmp_path: Path, kills: int, seed: int) -> None:
    """Kill forked runs from outside at random moments, over and over, until *kills* of them died."""
    moments = random.Random(seed)
    assert support.phase_3(shelf, tmp_path / "whole").code == 0
    expected = support.results(tmp_path / "whole")
    begun = time.monotonic()  # not of the first run, which also waits for the imports
    assert support.phase_3(shelf, tmp_path / "timed").code == 0
    longest = time.monotonic() - begun
    output = tmp_path / "killed"
    landed, restored = 0, 0
    while landed < kills:
        # Most of them early: the books are read in the first part of a run.
        latest = longest / moments.choice([1, 2.5, 2.5, 2.5])
        run = support.phase_3(shelf, output, kill=moments.uniform(0, latest))
        if run.code == KILLED:
            landed += 1
            if moments.random() < 0.4:
                continue  # killed again where it stands
            run = support.phase_3(shelf, output)
            assert run.code == 0, f"seed {seed}"
        restored += 0 < len(run.opened) < MANY_BOOKS
        assert support.results(output) == expected, f"seed {seed}"
        shutil.rmtree(output)
    assert restored > kills // 20, "too few kills came in the middle of the work"


@pytest.fixture(scope="module")
def large_shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return enough books that a run takes a while."""
    folder = tmp_path_factory.mktemp("large")
    _write_books(folder, MANY_BOOKS, recommendations=10)
    time.sleep(2.1)
    return folder


@pytest.mark.timeout(300)
def test_killed_at_random_moments_the_result_is_the_same(large_shelf: Path, tmp_path: Path) -> None:
    """However often a real SIGKILL ends it at random moments, the run in the end gives the uninterrupted bytes."""
    assert_survives_random_kills(large_shelf, tmp_path, RANDOM_KILLS, seed=random.SystemRandom().randrange(2**32))


@pytest.mark.timeout(300)
def test_the_command_itself_killed_at_random_moments_goes_on(large_shelf: Path, tmp_path: Path) -> None:
    """The command as a person starts it, killed at random moments, in the end gives the uninterrupted bytes."""
    command = [sys.executable, "-m", "booksynth", "phase-3", "--analysis-dir", str(large_shelf), "--output-dir"]
    longest = 0.0
    for name in ("first", "whole"):  # the first one may have to compile its modules
        begun = time.monotonic()
        subprocess.run([*command, str(tmp_path / name)], check=True, capture_output=True)
        longest = time.monotonic() - begun
    output = tmp_path / "killed"
    codes = []
    for _ in range(COMMAND_KILLS):
        with subprocess.Popen([*command, str(output)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(longest * random.uniform(0.3, 1.0))
            process.kill()
        codes.append(process.returncode)
    assert KILLED in codes
    subprocess.run([*command, str(output)], check=True, capture_output=True)
    assert support.results(output) == support.results(tmp_path / "whole")


@pytest.mark.soak
@pytest.mark.timeout(6 * 3600)
def test_killed_thousands_of_times_the_result_is_the_same(large_shelf: Path, tmp_path: Path) -> None:
    """Ten thousand real kills at random moments lose nothing."""
    assert_survives_random_kills(large_shelf, tmp_path, SOAK_KILLS, seed=int(os.environ.get("MILEPOST_SEED", "1")))
